//! What has to be looked at again because of an event: statuses, mirrored objects, triggers.
//!
//! These are recomputed from the state, have no key, and are published again at every start. Views join, so
//! an event of one object changes statuses of others. Naming too much costs a comparison, naming too little
//! leaves a status that lies; an object that is not in the state any more is retracted by whoever renders it.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{TypedRef, Uid};
use crate::index::{Index, Looked};
use crate::state::State;
use crate::table::Table;
use crate::{
    binding, configuration, dependency, hook, lease, namespace, repository, retention, schedule,
};
use crate::{outbox, snapshot, storage};

/// Something to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// An object: its status, and the object itself where the operator makes it.
    Object {
        /// What kind of object.
        kind: StreamKind,
        /// Which one.
        uid: Uid,
    },
    /// What triggers a session: a CronJob, or a wake-up.
    Scheduler {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
    },
}

/// All that is published of the state as it is: what a start looks at.
#[must_use]
pub fn all(state: &State) -> Vec<Level> {
    fn objects<T>(kind: StreamKind, map: &Table<T>) -> impl Iterator<Item = Level> {
        map.keys().map(move |uid| Level::Object { kind, uid: *uid })
    }
    let schedulers = state.schedules.iter().flat_map(|(configuration, sessions)| {
        sessions.keys().map(|session| scheduler(*configuration, session))
    });
    objects(StreamKind::Storage, &state.storages)
        .chain(objects(StreamKind::Repository, &state.repositories))
        .chain(objects(StreamKind::Configuration, &state.configurations))
        .chain(objects(StreamKind::Backup, &state.backups))
        .chain(objects(StreamKind::Snapshot, &state.snapshots))
        .chain(objects(StreamKind::Restore, &state.restores))
        .chain(schedulers)
        .collect()
}

/// What has to be looked at again because of an event, given the state with the event applied.
#[must_use]
pub fn changed(state: &State, recorded: &Recorded) -> Vec<Level> {
    concerned(state, &state.index, recorded)
}

/// The same by an index that is being brought up to date.
pub(crate) fn concerned(state: &State, index: &Index, recorded: &Recorded) -> Vec<Level> {
    let mut found = Found { index, levels: BTreeSet::new() };
    match &recorded.event {
        Event::Lease(lease::Event::Configured { .. }) => found.lookers(&Looked::References),
        // What is missing is made again.
        Event::Binding(binding::Event::Missed { made, .. })
            if made.kind == StreamKind::Schedule =>
        {
            found.levels.insert(scheduler(made.uid, &made.part));
        }
        Event::Binding(binding::Event::Missed { made, .. }) => found.add(made.kind, made.uid),
        Event::Binding(binding::Event::Bound { .. }) => {}
        // A restore that has ended keeps its target until its workers have stopped.
        Event::Outbox(
            outbox::Event::EffectDone { subject, .. } | outbox::Event::EffectFailed { subject, .. },
        ) => target_of(state, *subject, &mut found),
        Event::Lease(_) | Event::Outbox(_) | Event::Reaction(_) => {}
        // A namespace's labels decide whom usage policies allow.
        Event::Namespace(
            namespace::Event::Observed { name, .. } | namespace::Event::Gone { name, .. },
        ) => {
            found.lookers(&Looked::Namespace(name.clone()));
        }
        Event::Dependency(
            dependency::Event::Observed { object, .. } | dependency::Event::Gone { object, .. },
        ) => of_dependency(state, object, &mut found),
        Event::Storage(event) => of_storage(state, event, &mut found),
        Event::Retention(
            retention::Event::Declared { key, .. } | retention::Event::Deleted { key, .. },
        ) => found.lookers(&Looked::Retention(key.clone())),
        Event::Hook(hook::Event::Declared { key, .. } | hook::Event::Deleted { key, .. }) => {
            found.lookers(&Looked::Hook(key.clone()));
        }
        Event::Schedule(event) => of_schedule(event, &mut found),
        Event::Configuration(event) => of_configuration(state, event, &mut found),
        Event::Repository(event) => of_repository(state, event, &mut found),
        Event::Backup(event) => found.add(StreamKind::Backup, event.uid()),
        Event::Restore(event) => {
            found.add(StreamKind::Restore, event.uid());
            target_of(state, event.uid(), &mut found);
        }
        Event::Snapshot(event) => of_snapshot(state, event, &mut found),
    }
    found.levels.into_iter().collect()
}

struct Found<'i> {
    index: &'i Index,
    levels: BTreeSet<Level>,
}

impl Found<'_> {
    fn add(&mut self, kind: StreamKind, uid: Uid) {
        self.levels.insert(Level::Object { kind, uid });
    }

    fn lookers(&mut self, at: &Looked) {
        let all = self.index.lookers(at).map(|(kind, uid)| Level::Object { kind, uid });
        self.levels.extend(all);
    }
}

fn scheduler(configuration: Uid, session: &str) -> Level {
    Level::Scheduler { configuration, session: String::from(session) }
}

fn of_dependency(state: &State, object: &TypedRef, found: &mut Found) {
    let at = Looked::Dependency(object.clone());
    found.lookers(&at);
    if object.kind == "Repository" {
        // An annotation on it allows or forbids whoever reads from it.
        found.lookers(&Looked::Source(object.namespace.clone()));
    }
    // Whoever uses a storage sees whether its Secret is there.
    let storages = found.index.lookers(&at).filter(|(kind, _)| *kind == StreamKind::Storage);
    let storages = storages.filter_map(|(_, uid)| state.storages.get(&uid));
    for storage in storages {
        found.lookers(&Looked::Storage(storage.key.clone()));
    }
}

fn of_storage(state: &State, event: &storage::Event, found: &mut Found) {
    let uid = event.uid();
    found.add(StreamKind::Storage, uid);
    let known = state.storages.get(&uid).map(|storage| &storage.key);
    let key = match event {
        storage::Event::Deleted { key, .. } => Some(key),
        _ => known,
    };
    if let Some(key) = key {
        found.lookers(&Looked::Storage(key.clone()));
    }
}

fn of_schedule(event: &schedule::Event, found: &mut Found) {
    found.add(StreamKind::Configuration, event.uid());
    if let schedule::Event::Declared { configuration, session, .. }
    | schedule::Event::Withdrawn { configuration, session } = event
    {
        found.levels.insert(scheduler(*configuration, session));
    }
}

fn of_configuration(state: &State, event: &configuration::Event, found: &mut Found) {
    use configuration::Event;
    let uid = event.uid();
    found.add(StreamKind::Configuration, uid);
    match event {
        Event::PausedByRestore { restore, .. } => found.add(StreamKind::Restore, *restore),
        // Restores that held it list it by its name.
        Event::Declared { .. } | Event::Deleted { .. } => found.lookers(&Looked::Listed(uid)),
        _ => {}
    }
    // Pausing and resuming reaches what triggers the sessions.
    if let Event::Declared { .. }
    | Event::ValidationPassed { .. }
    | Event::PausedByRestore { .. }
    | Event::ResumedAfterRestore { .. } = event
    {
        let sessions = state.schedules.get(&uid).into_iter().flatten();
        found.levels.extend(sessions.map(|(session, _)| scheduler(uid, session)));
    }
}

fn of_repository(state: &State, event: &repository::Event, found: &mut Found) {
    let uid = event.uid();
    found.add(StreamKind::Repository, uid);
    let gone = match event {
        repository::Event::Deleted { key, storage, .. } => Some((key, storage)),
        _ => None,
    };
    let known = state.repositories.get(&uid).map(|known| (&known.key, &known.storage));
    let Some((key, storage)) = gone.or(known) else { return };
    if let Some(storage) = state.uid_of(StreamKind::Storage, storage) {
        found.add(StreamKind::Storage, storage);
    }
    found.lookers(&Looked::Repository(key.clone()));
    found.lookers(&Looked::Source(key.namespace.clone()));
    if gone.is_some() {
        // Sessions that wrote to it have listed it by its name.
        found.lookers(&Looked::Listed(uid));
    }
}

/// A snapshot is listed by its session, counted by its repository, and weighed by its storage.
/// Restores that wait for what this one writes to.
fn target_of(state: &State, restore: Uid, found: &mut Found) {
    let known = state.restores.get(&restore);
    if let Some(target) = known.and_then(|known| known.spec.target.as_ref()) {
        found.lookers(&Looked::Target(target.clone()));
    }
}

fn of_snapshot(state: &State, event: &snapshot::Event, found: &mut Found) {
    let uid = event.uid();
    found.add(StreamKind::Snapshot, uid);
    let known = state.snapshots.get(&uid);
    let repository = match event {
        snapshot::Event::Forgotten { repository, .. } => Some(*repository),
        _ => known.map(|known| known.repository),
    };
    let backup = known.and_then(|known| known.backup);
    if let Some(backup) = backup.filter(|backup| state.backups.contains_key(backup)) {
        found.add(StreamKind::Backup, backup);
    }
    if let Some(known) = repository.and_then(|uid| state.repositories.get(&uid)) {
        found.add(StreamKind::Repository, known.uid);
        if let Some(storage) = state.uid_of(StreamKind::Storage, &known.storage) {
            found.add(StreamKind::Storage, storage);
        }
        found.lookers(&Looked::Source(known.key.namespace.clone()));
    }
    if known.is_none() {
        found.lookers(&Looked::Listed(uid));
    }
}
