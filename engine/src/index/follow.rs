//! Keeps the sets: `apply` follows every event, and whoever loads a state has them made anew.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::backup::state::Backup;
use crate::configuration::AddonRef;
use crate::configuration::state::Configuration;
use crate::deadline;
use crate::dependency::{Facts, state as dependency};
use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{TypedRef, Uid};
use crate::index::{Index, Looked, Mark, Object};
use crate::lease;
use crate::level::{self, Level};
use crate::restore::check;
use crate::restore::state::Restore;
use crate::run::phase::Step;
use crate::run::queue::{Queue, Standing};
use crate::state::State;
use crate::usage;

impl State {
    /// Makes the sets anew that follow from the rest: after a load, which does not bring them.
    pub fn reindex(&mut self) {
        self.index = Index::of(self);
    }

    /// Whether the sets that `apply` keeps are those that follow from the rest. For tests: it costs as much
    /// as a load.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.index == Index::of(self)
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

    /// Notes what an object looks at now.
    pub(crate) fn look(&mut self, state: &State, object: Object) {
        let now: BTreeSet<Mark> = looks(state, object).iter().map(Looked::mark).collect();
        let before = self.looks.get(&object).map(AsRef::as_ref).unwrap_or_default();
        if now.iter().eq(before) {
            return;
        }
        for gone in before.iter().filter(|mark| !now.contains(mark)) {
            self.lookers.remove(&(*gone, object));
        }
        self.lookers.extend(now.iter().map(|mark| (*mark, object)));
        if now.is_empty() {
            self.looks.remove(&object);
        } else {
            self.looks.insert(object, now.into_iter().collect());
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
    let waiter = match kind {
        StreamKind::Backup => state.backups.get(&uid).map(Backup::waiter),
        StreamKind::Restore => state.restores.get(&uid).map(Restore::waiter),
        _ => return None,
    };
    Some(waiter.map(|waiter| Standing::of(&waiter, &state.limits)).unwrap_or_default())
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
    let snapshots = state.snapshots.keys().map(of(StreamKind::Snapshot));
    let restores = state.restores.keys().map(of(StreamKind::Restore));
    let waiting = [(StreamKind::Reaction, Uid::default())];
    let made = storages.chain(repositories).chain(configurations);
    made.chain(backups).chain(snapshots).chain(restores).chain(waiting)
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
        StreamKind::Repository => {
            let Some(known) = state.repositories.get(&uid) else { return BTreeSet::new() };
            let inside = Looked::Inside(known.storage.clone());
            BTreeSet::from([inside, Looked::Home(known.configuration)])
        }
        StreamKind::Snapshot => {
            let known = state.snapshots.get(&uid);
            known.map(|known| Looked::Home(known.repository)).into_iter().collect()
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
    found.extend(known.target.as_ref().map(|t| Looked::Namespace(usage::home(t).into())));
    if known.refers_abroad() {
        found.insert(Looked::References);
    }
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
    found.extend(spec.target.clone().map(Looked::Target));
    found.extend(spec.target.as_ref().map(|t| Looked::Namespace(usage::home(t).into())));
    found.insert(Looked::References);
    found.extend(spec.source.secret.as_ref().map(dependency::secret).map(Looked::Dependency));
    let hooks = spec.pre_hooks.iter().chain(&spec.post_hooks);
    found.extend(hooks.map(|hook| Looked::Hook(hook.template.clone())));
    found
}
