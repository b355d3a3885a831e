//! Sets that follow from the state: who looks at what, what is due when, what is open.
//!
//! `apply` keeps them, so that a wake costs what is due, and an event what it concerns, and neither what
//! exists. They are no part of the state's bytes: whoever loads a state has them made anew
//! ([`crate::State::reindex`]).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::configuration::AddonRef;
use crate::configuration::state::Configuration;
use crate::deadline::{self, Due, Wakeup};
use crate::dependency::{Facts, state as dependency};
use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{Key, TypedRef, Uid};
use crate::lease;
use crate::level::{self, Level};
use crate::restore::check;
use crate::restore::state::Restore;
use crate::run::phase::Step;
use crate::run::queue::{Queue, Standing};
use crate::run::session::Session;
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// An object by its kind and uid.
pub(crate) type Object = (StreamKind, Uid);

/// Something that statuses and decisions look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Looked {
    /// The labels of a namespace.
    Namespace(String),
    /// A storage, by name.
    Storage(Key),
    /// A retention policy, by name.
    Retention(Key),
    /// A hook template, by name.
    Hook(Key),
    /// A repository, by name.
    Repository(Key),
    /// Repositories and snapshots of a namespace.
    Source(String),
    /// A dependency, by reference.
    Dependency(TypedRef),
    /// An object of ours, by uid: it is listed by name.
    Listed(Uid),
    /// A backup session that another one waits for.
    Before(Uid),
    /// The configuration of a backup session.
    Home(Uid),
}

/// The sets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Index {
    lookers: BTreeMap<Looked, BTreeSet<Object>>,
    looks: BTreeMap<Object, BTreeSet<Looked>>,
    wakeups: BTreeSet<(Timestamp, Due)>,
    slots: BTreeSet<(Timestamp, Due)>,
    set_by: BTreeMap<Object, Vec<Wakeup>>,
    open: BTreeSet<Uid>,
    queue: Queue,
}

/// What follows from the state is no part of its text either.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index")
    }
}

impl Index {
    /// The sets of a state, from nothing.
    pub(crate) fn of(state: &State) -> Self {
        let mut index = Self::default();
        for object in objects(state) {
            index.look(state, object);
        }
        for object in objects(state) {
            index.wake(state, object);
        }
        index.queue = queue_of(state);
        index
    }

    /// Follows one event, given the state with the event applied.
    pub(crate) fn follow(&mut self, state: &State, recorded: &Recorded) {
        if let Event::Lease(lease::Event::LimitsSet { .. }) = &recorded.event {
            self.queue = queue_of(state);
        }
        let stream = recorded.event.stream();
        let subject = (stream.kind, stream.uid);
        self.look(state, subject);
        let mut concerned: BTreeSet<Object> = BTreeSet::from([subject]);
        for level in level::concerned(state, self, recorded) {
            if let Level::Object { kind, uid } = level {
                concerned.insert((kind, uid));
            }
        }
        let followers = match &recorded.event {
            Event::Backup(event) => self.lookers(&Looked::Before(event.uid())).collect(),
            Event::Configuration(event) => self.lookers(&Looked::Home(event.uid())).collect(),
            _ => Vec::new(),
        };
        concerned.extend(followers);
        for object in concerned {
            self.look(state, object);
            self.wake(state, object);
            if let Some(standing) = standing(state, object) {
                self.queue.set(object.1, standing);
            }
        }
    }

    /// Who waits for a worker, and who has one.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The objects that look at something.
    pub(crate) fn lookers(&self, at: &Looked) -> impl Iterator<Item = Object> + '_ {
        self.lookers.get(at).into_iter().flatten().copied()
    }

    /// Some session is open: a backup that has not ended, a restore that goes.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// When something is due next; slots are left to others for the grace.
    pub(crate) fn next(&self, grace: Millis) -> Option<Timestamp> {
        let slot = self.slots.first().map(|(when, _)| when.plus(grace));
        self.wakeups.first().map(|(when, _)| *when).into_iter().chain(slot).min()
    }

    /// What is due, in order of its time.
    pub(crate) fn due(&self, now: Timestamp, grace: Millis) -> Vec<Due> {
        let wakeups = self.wakeups.iter().take_while(|(when, _)| *when <= now);
        let slots = self.slots.iter().map(|(when, due)| (when.plus(grace), due));
        let slots = slots.take_while(|(when, _)| *when <= now);
        let mut all: Vec<(Timestamp, &Due)> =
            wakeups.map(|(when, due)| (*when, due)).chain(slots).collect();
        all.sort();
        all.into_iter().map(|(_, due)| due.clone()).collect()
    }

    fn look(&mut self, state: &State, object: Object) {
        let now = looks(state, object);
        let before = self.looks.remove(&object).unwrap_or_default();
        for gone in before.difference(&now) {
            if let Some(lookers) = self.lookers.get_mut(gone) {
                lookers.remove(&object);
                if lookers.is_empty() {
                    self.lookers.remove(gone);
                }
            }
        }
        for new in now.difference(&before) {
            self.lookers.entry(new.clone()).or_default().insert(object);
        }
        if !now.is_empty() {
            self.looks.insert(object, now);
        }
    }

    fn wake(&mut self, state: &State, object: Object) {
        for wakeup in self.set_by.remove(&object).unwrap_or_default() {
            let set = if wakeup.is_slot { &mut self.slots } else { &mut self.wakeups };
            set.remove(&(wakeup.when, wakeup.due));
        }
        let now = deadline::of(state, object);
        for wakeup in &now {
            let set = if wakeup.is_slot { &mut self.slots } else { &mut self.wakeups };
            set.insert((wakeup.when, wakeup.due.clone()));
        }
        if !now.is_empty() {
            self.set_by.insert(object, now);
        }
        if is_open(state, object) {
            self.open.insert(object.1);
        } else if matches!(object.0, StreamKind::Backup | StreamKind::Restore) {
            self.open.remove(&object.1);
        }
    }
}

fn queue_of(state: &State) -> Queue {
    let mut queue = Queue::default();
    for object in objects(state) {
        if let Some(standing) = standing(state, object) {
            queue.set(object.1, standing);
        }
    }
    queue
}

/// How a session stands in the queue; none of what is no session.
fn standing(state: &State, (kind, uid): Object) -> Option<Standing> {
    let of = |session: &dyn Session| Standing::of(session, &state.limits);
    match kind {
        StreamKind::Backup => {
            Some(state.backups.get(&uid).map(|known| of(known)).unwrap_or_default())
        }
        StreamKind::Restore => {
            Some(state.restores.get(&uid).map(|known| of(known)).unwrap_or_default())
        }
        _ => None,
    }
}

fn is_open(state: &State, (kind, uid): Object) -> bool {
    match kind {
        StreamKind::Backup => state.backups.get(&uid).is_some_and(|known| !known.is_finished()),
        StreamKind::Restore => state.restores.get(&uid).is_some_and(|known| known.is_going()),
        _ => false,
    }
}

/// All objects that look at others or have a deadline.
fn objects(state: &State) -> impl Iterator<Item = Object> + '_ {
    let of = |kind| move |uid: &Uid| (kind, *uid);
    let storages = state.storages.keys().map(of(StreamKind::Storage));
    let repositories = state.repositories.keys().map(of(StreamKind::Repository));
    let configurations = state.configurations.keys().map(of(StreamKind::Configuration));
    let backups = state.backups.keys().map(of(StreamKind::Backup));
    let restores = state.restores.keys().map(of(StreamKind::Restore));
    storages.chain(repositories).chain(configurations).chain(backups).chain(restores)
}

/// What an object looks at.
fn looks(state: &State, (kind, uid): Object) -> BTreeSet<Looked> {
    match kind {
        StreamKind::Storage => {
            let secret = state.storages.get(&uid).and_then(|known| known.spec.secret.as_ref());
            secret.map(|key| Looked::Dependency(dependency::secret(key))).into_iter().collect()
        }
        StreamKind::Configuration => state
            .configurations
            .get(&uid)
            .map(|known| of_configuration(state, known))
            .unwrap_or_default(),
        StreamKind::Backup => {
            let Some(known) = state.backups.get(&uid) else { return BTreeSet::new() };
            let snapshots = known.snapshots.iter().map(|listed| listed.repository);
            let listed = snapshots.chain(known.retention.iter().map(|entry| entry.repository));
            let before = known.behind.map(Looked::Before);
            listed
                .map(Looked::Listed)
                .chain(before)
                .chain([Looked::Home(known.configuration)])
                .collect()
        }
        StreamKind::Restore => {
            state.restores.get(&uid).map(|known| of_restore(state, known)).unwrap_or_default()
        }
        _ => BTreeSet::new(),
    }
}

/// Functions of an Addon that take part in backups, or in restores.
fn functions(state: &State, addon: &AddonRef, restore: bool) -> Vec<TypedRef> {
    match state.facts(&addon.object()) {
        Some(Facts::Addon { tasks }) => {
            let mine = tasks.iter().filter(|task| task.restore == restore);
            mine.map(|task| addon.function(&task.function)).collect()
        }
        _ => Vec::new(),
    }
}

fn of_configuration(state: &State, known: &Configuration) -> BTreeSet<Looked> {
    let namespace = &known.key.namespace;
    let mut found = BTreeSet::from([Looked::Namespace(namespace.clone())]);
    found.extend(known.target.clone().map(Looked::Dependency));
    for backend in known.resolved_backends() {
        found.insert(Looked::Storage(backend.storage));
        found.insert(Looked::Retention(backend.retention));
    }
    for session in &known.sessions {
        let addon = &session.spec.addon;
        found.extend(functions(state, addon, false).into_iter().map(Looked::Dependency));
        found.insert(Looked::Dependency(addon.object()));
        for wanted in &session.spec.repositories {
            found.insert(Looked::Repository(
                known.key.sibling(StreamKind::Repository, &*wanted.name),
            ));
            let secret = wanted.secret.as_ref().map(dependency::secret);
            found.extend(secret.map(Looked::Dependency));
        }
    }
    found
}

fn of_restore(state: &State, known: &Restore) -> BTreeSet<Looked> {
    let listed = known.paused.iter().copied().chain(known.snapshot).map(Looked::Listed);
    let mut found: BTreeSet<Looked> = listed.collect();
    if known.step != Step::Created {
        return found;
    }
    // One that has not started is checked again whenever something around it changes.
    let spec = &known.spec;
    found.insert(Looked::Namespace(known.key.namespace.clone()));
    found.insert(Looked::Source(check::source_namespace(known).into()));
    found.extend(functions(state, &spec.addon, true).into_iter().map(Looked::Dependency));
    found.insert(Looked::Dependency(spec.addon.object()));
    found.extend(spec.target.clone().map(Looked::Dependency));
    found.extend(spec.source.secret.as_ref().map(dependency::secret).map(Looked::Dependency));
    let hooks = spec.pre_hooks.iter().chain(&spec.post_hooks);
    found.extend(hooks.map(|hook| Looked::Hook(hook.template.clone())));
    found
}
