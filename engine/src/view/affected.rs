//! Which statuses an event may have changed.
//!
//! Views join, so an event of one object changes statuses of others. What is named here is published
//! again; naming too much costs a comparison, naming too little leaves a status that lies.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::configuration;
use crate::event::{Event, Recorded, StreamKind};
use crate::ids::{Key, TypedRef, Uid};
use crate::snapshot;
use crate::state::State;

/// The objects whose status an event may have changed, given the state with the event applied.
#[must_use]
pub fn affected(state: &State, recorded: &Recorded) -> Vec<(StreamKind, Uid)> {
    let mut found = BTreeSet::new();
    let stream = recorded.event.stream();
    match &recorded.event {
        Event::Lease(_) | Event::Outbox(_) => {}
        // A namespace's labels decide whom usage policies allow.
        Event::Namespace(_) => configurations(state, &mut found, |_| true),
        Event::Dependency(event) => dependents(state, event, &mut found),
        Event::Hook(_) => restores_that_wait(state, &mut found),
        Event::Retention(_) => configurations(state, &mut found, |_| true),
        Event::Storage(_) => {
            found.insert((stream.kind, stream.uid));
            let key = state.storages.get(&stream.uid).map(|storage| storage.key.clone());
            // A storage that is gone leaves no name: look at all of them.
            configurations(state, &mut found, |configuration| {
                key.as_ref().is_none_or(|key| {
                    configuration.resolved_backends().iter().any(|backend| backend.storage == *key)
                })
            });
        }
        Event::Schedule(event) => {
            found.insert((StreamKind::Configuration, event.uid()));
        }
        Event::Configuration(event) => {
            found.insert((stream.kind, stream.uid));
            if let configuration::Event::PausedByRestore { restore, .. } = event {
                found.insert((StreamKind::Restore, *restore));
            }
            if let configuration::Event::Declared { uid, .. }
            | configuration::Event::Deleted { uid } = event
            {
                // Restores that held it list it by its name.
                let held = state.restores.values().filter(|restore| restore.paused.contains(uid));
                found.extend(held.map(|restore| (StreamKind::Restore, restore.uid)));
            }
        }
        Event::Repository(_) => repository(state, stream.uid, &mut found),
        Event::Backup(_) | Event::Restore(_) => {
            found.insert((stream.kind, stream.uid));
        }
        Event::Snapshot(event) => of_snapshot(state, event, &mut found),
    }
    found.into_iter().collect()
}

type Found = BTreeSet<(StreamKind, Uid)>;

fn configurations(
    state: &State,
    found: &mut Found,
    fits: impl Fn(&configuration::state::Configuration) -> bool,
) {
    let mine = state.configurations.values().filter(|configuration| fits(configuration));
    found.extend(mine.map(|configuration| (StreamKind::Configuration, configuration.uid)));
}

fn restores_that_wait(state: &State, found: &mut Found) {
    let waiting = state.restores.values().filter(|restore| restore.started_at.is_none());
    found.extend(waiting.map(|restore| (StreamKind::Restore, restore.uid)));
}

fn dependents(state: &State, event: &crate::dependency::Event, found: &mut Found) {
    let object = match event {
        crate::dependency::Event::Observed { object, .. } => Some(object),
        crate::dependency::Event::Gone { .. } => None,
    };
    let is = |kind: &str| object.is_none_or(|object| object.kind == kind);
    if is("Secret") {
        let mine = state.storages.values().filter(|storage| match (&storage.spec.secret, object) {
            (Some(key), Some(object)) => *key == key_of(object),
            (secret, _) => secret.is_some(),
        });
        found.extend(mine.map(|storage| (StreamKind::Storage, storage.uid)));
    }
    configurations(state, found, |_| true);
    restores_that_wait(state, found);
}

fn key_of(object: &TypedRef) -> Key {
    object.key()
}

fn repository(state: &State, uid: Uid, found: &mut Found) {
    found.insert((StreamKind::Repository, uid));
    match state.repositories.get(&uid) {
        Some(known) => {
            found.insert((StreamKind::Configuration, known.configuration));
            if let Some(storage) = state.uid_of(StreamKind::Storage, &known.storage) {
                found.insert((StreamKind::Storage, storage));
            }
        }
        None => {
            found.extend(state.storages.keys().map(|storage| (StreamKind::Storage, *storage)));
            configurations(state, found, |_| true);
            // Sessions that wrote to it have listed it by its name.
            let wrote = state.backups.values().filter(|backup| {
                let listed = backup.snapshots.iter().map(|snapshot| snapshot.repository);
                listed
                    .chain(backup.retention.iter().map(|entry| entry.repository))
                    .any(|r| r == uid)
            });
            found.extend(wrote.map(|backup| (StreamKind::Backup, backup.uid)));
        }
    }
    restores_that_wait(state, found);
}

fn of_snapshot(state: &State, event: &snapshot::Event, found: &mut Found) {
    let uid = event.uid();
    found.insert((StreamKind::Snapshot, uid));
    match state.snapshots.get(&uid) {
        Some(known) => {
            if let Some(backup) = known.backup.filter(|backup| state.backups.contains_key(backup)) {
                found.insert((StreamKind::Backup, backup));
            }
            repository(state, known.repository, found);
        }
        // It is gone; every repository that could have listed it is looked at.
        None => {
            let all = state.repositories.keys().copied();
            all.for_each(|uid| repository(state, uid, found));
            let read = state.restores.values().filter(|restore| restore.snapshot == Some(uid));
            found.extend(read.map(|restore| (StreamKind::Restore, restore.uid)));
        }
    }
}
