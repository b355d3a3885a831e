//! What has to be looked at again because of an event: statuses, mirrored objects, triggers.
//!
//! These are recomputed from the state, have no key, and are published again at every start. Views join, so
//! an event of one object changes statuses of others. Naming too much costs a comparison, naming too little
//! leaves a status that lies; an object that is not in the state any more is retracted by whoever renders it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::configuration::state::Configuration;
use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{Key, TypedRef, Uid};
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::state::State;
use crate::{configuration, dependency, namespace, repository, restore, retention, schedule};
use crate::{hook, snapshot, storage};

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
    fn objects<T>(kind: StreamKind, map: &BTreeMap<Uid, T>) -> impl Iterator<Item = Level> {
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
    let mut found = Found::default();
    match &recorded.event {
        Event::Lease(_) | Event::Outbox(_) => {}
        Event::Namespace(event) => of_namespace(state, event, &mut found),
        Event::Dependency(event) => of_dependency(state, event, &mut found),
        Event::Storage(event) => of_storage(state, event, &mut found),
        Event::Retention(event) => of_retention(state, event, &mut found),
        Event::Hook(event) => of_hook(state, event, &mut found),
        Event::Schedule(event) => of_schedule(event, &mut found),
        Event::Configuration(event) => of_configuration(state, event, &mut found),
        Event::Repository(event) => of_repository(state, event, &mut found),
        Event::Backup(event) => found.add(StreamKind::Backup, event.uid()),
        Event::Restore(event) => found.add(StreamKind::Restore, event.uid()),
        Event::Snapshot(event) => of_snapshot(state, event, &mut found),
    }
    found.0.into_iter().collect()
}

#[derive(Default)]
struct Found(BTreeSet<Level>);

impl Found {
    fn add(&mut self, kind: StreamKind, uid: Uid) {
        self.0.insert(Level::Object { kind, uid });
    }

    fn configurations(&mut self, state: &State, fits: impl Fn(&Configuration) -> bool) {
        let mine = state.configurations.values().filter(|known| fits(known));
        mine.for_each(|known| self.add(StreamKind::Configuration, known.uid));
    }

    /// Restores that have not started say for what they wait.
    fn waiting(&mut self, state: &State, fits: impl Fn(&Restore) -> bool) {
        let waiting = state.restores.values().filter(|known| known.step == Step::Created);
        let mine = waiting.filter(|known| fits(known));
        mine.for_each(|known| self.add(StreamKind::Restore, known.uid));
    }
}

fn scheduler(configuration: Uid, session: &str) -> Level {
    Level::Scheduler { configuration, session: String::from(session) }
}

/// A namespace's labels decide whom usage policies allow.
fn of_namespace(state: &State, event: &namespace::Event, found: &mut Found) {
    let known = state.namespaces.get(&event.uid()).map(|known| &known.name);
    let name = match event {
        namespace::Event::Gone { name, .. } => Some(name),
        namespace::Event::Observed { .. } => known,
    };
    found.configurations(state, |configuration| Some(&configuration.key.namespace) == name);
    found.waiting(state, |restore| Some(&restore.key.namespace) == name);
}

fn of_dependency(state: &State, event: &dependency::Event, found: &mut Found) {
    let (dependency::Event::Observed { object, .. } | dependency::Event::Gone { object, .. }) =
        event;
    let key = object.key();
    let mut storages: BTreeSet<&Key> = BTreeSet::new();
    if object.kind == "Secret" {
        let mine = state.storages.values().filter(|s| s.spec.secret.as_ref() == Some(&key));
        for storage in mine {
            storages.insert(&storage.key);
            found.add(StreamKind::Storage, storage.uid);
        }
    }
    found.configurations(state, |configuration| {
        needs(state, configuration, object)
            || (!storages.is_empty()
                && configuration.resolved_backends().iter().any(|b| storages.contains(&b.storage)))
    });
    found.waiting(state, |restore| restore::check::needs(state, restore, object));
}

/// Whether a configuration names an object, itself or through its Addon.
fn needs(state: &State, configuration: &Configuration, object: &TypedRef) -> bool {
    let mut sessions = configuration.sessions.iter().map(|session| &session.spec);
    match object.kind.as_str() {
        _ if configuration.target.as_ref() == Some(object) => true,
        "Addon" => sessions.any(|session| session.addon.name == object.name),
        "Function" => sessions.any(|session| {
            let addon = dependency::state::addon(&session.addon.name);
            match state.facts(&addon) {
                Some(dependency::Facts::Addon { tasks }) => {
                    tasks.iter().any(|task| !task.restore && task.function == object.name)
                }
                _ => false,
            }
        }),
        "Secret" => {
            let key = object.key();
            sessions.any(|session| {
                session.repositories.iter().any(|named| named.secret.as_ref() == Some(&key))
            })
        }
        _ => false,
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
    let Some(key) = key else { return };
    found.configurations(state, |configuration| {
        configuration.resolved_backends().iter().any(|backend| backend.storage == *key)
    });
}

fn of_retention(state: &State, event: &retention::Event, found: &mut Found) {
    let (retention::Event::Declared { key, .. } | retention::Event::Deleted { key, .. }) = event;
    found.configurations(state, |configuration| {
        configuration.resolved_backends().iter().any(|backend| backend.retention == *key)
    });
}

fn of_hook(state: &State, event: &hook::Event, found: &mut Found) {
    let (hook::Event::Declared { key, .. } | hook::Event::Deleted { key, .. }) = event;
    found.waiting(state, |restore| {
        let mut hooks = restore.spec.pre_hooks.iter().chain(&restore.spec.post_hooks);
        hooks.any(|hook| hook.template == *key)
    });
}

fn of_schedule(event: &schedule::Event, found: &mut Found) {
    found.add(StreamKind::Configuration, event.uid());
    if let schedule::Event::Declared { configuration, session, .. }
    | schedule::Event::Withdrawn { configuration, session } = event
    {
        found.0.insert(scheduler(*configuration, session));
    }
}

fn of_configuration(state: &State, event: &configuration::Event, found: &mut Found) {
    use configuration::Event;
    let uid = event.uid();
    found.add(StreamKind::Configuration, uid);
    match event {
        Event::PausedByRestore { restore, .. } => found.add(StreamKind::Restore, *restore),
        Event::Declared { .. } | Event::Deleted { .. } => {
            // Restores that held it list it by its name.
            let held = state.restores.values().filter(|restore| restore.paused.contains(&uid));
            held.for_each(|restore| found.add(StreamKind::Restore, restore.uid));
        }
        _ => {}
    }
    // Pausing and resuming reaches what triggers the sessions.
    if let Event::Declared { .. }
    | Event::ValidationPassed { .. }
    | Event::PausedByRestore { .. }
    | Event::ResumedAfterRestore { .. } = event
    {
        let sessions = state.schedules.get(&uid).into_iter().flatten();
        found.0.extend(sessions.map(|(session, _)| scheduler(uid, session)));
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
    found.configurations(state, |configuration| {
        let mut wanted = configuration.sessions.iter().flat_map(|s| &s.spec.repositories);
        configuration.key.namespace == key.namespace && wanted.any(|w| w.name == key.name)
    });
    if gone.is_some() {
        // Sessions that wrote to it have listed it by its name.
        let wrote = state.backups.values().filter(|backup| {
            let listed = backup.snapshots.iter().map(|snapshot| snapshot.repository);
            listed.chain(backup.retention.iter().map(|entry| entry.repository)).any(|r| r == uid)
        });
        wrote.for_each(|backup| found.add(StreamKind::Backup, backup.uid));
    }
    found.waiting(state, |restore| restore::check::reads_from(restore, &key.namespace));
}

/// A snapshot is listed by its session, counted by its repository, and weighed by its storage.
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
        found.waiting(state, |restore| restore::check::reads_from(restore, &known.key.namespace));
    }
    if known.is_none() {
        let read = state.restores.values().filter(|restore| restore.snapshot == Some(uid));
        read.for_each(|restore| found.add(StreamKind::Restore, restore.uid));
    }
}
