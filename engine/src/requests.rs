//! Which event asks for which once-effect.
//!
//! | Event | asks for |
//! |---|---|
//! | storage Declared, InitializationRequested | InitializeBackend |
//! | storage DeletionRequested, once its repositories are gone and data is to go | WipeBackend |
//! | repository InitializationRequested | InitializeRepository |
//! | repository DeletionRequested, if its data is to go | WipeRepository |
//! | backup SnapshotsEnsured; restore Started, if a task works on hosts | Survey |
//! | HookStarted | RunHook |
//! | AttemptStarted | StartWorker |
//! | DeadlineExceeded, Cancelled | StopWorker, for every attempt under way |
//! | an answer that a worker could not be started | StopWorker, by `run/decide/worker.rs` |
//! | snapshot ComponentEnded or Incomplete that ends its writing | UploadMetadata |
//! | snapshot RemovalRequested, if its data is to go | RemoveSnapshot |
//!
//! Only a decision asks here: what it records beside its events as `Requested` is all that a replay looks
//! at, so a later release may change this table and still reads every log as it was meant.

use alloc::vec;
use alloc::vec::Vec;

use crate::condition::Type;
use crate::effect::Once;
use crate::event::Event;
use crate::ids::{Attempt, Uid};
use crate::run::component::stops;
use crate::run::{self, state::Run};
use crate::state::State;
use crate::storage::DeletionPolicy;
use crate::{backup, component, repository, restore, snapshot, storage};

/// The once-effects that an event asks for, given the state with the event applied.
pub(crate) fn of(state: &State, event: &Event) -> Vec<Once> {
    match event {
        Event::Storage(event) => of_storage(state, event).into_iter().collect(),
        Event::Repository(event) => of_repository(state, event).into_iter().collect(),
        Event::Backup(event) => of_backup(state, event),
        Event::Snapshot(event) => of_snapshot(state, event).into_iter().collect(),
        Event::Restore(event) => of_restore(state, event),
        _ => Vec::new(),
    }
}

fn of_storage(state: &State, event: &storage::Event) -> Option<Once> {
    let storage = state.storages.get(&event.uid())?;
    match event {
        storage::Event::Declared { uid, .. } | storage::Event::InitializationRequested { uid } => {
            Some(Once::InitializeBackend { storage: *uid })
        }
        storage::Event::DeletionRequested { uid }
            if storage.wiping && storage.spec.deletion == DeletionPolicy::WipeOut =>
        {
            Some(Once::WipeBackend { storage: *uid })
        }
        _ => None,
    }
}

fn of_repository(state: &State, event: &repository::Event) -> Option<Once> {
    match event {
        repository::Event::InitializationRequested { uid } => {
            Some(Once::InitializeRepository { repository: *uid })
        }
        repository::Event::DeletionRequested { uid } => state
            .repositories
            .get(uid)
            .filter(|repository| repository.deletion == DeletionPolicy::WipeOut)
            .map(|_| Once::WipeRepository { repository: *uid }),
        _ => None,
    }
}

fn of_backup(state: &State, event: &backup::Event) -> Vec<Once> {
    match event {
        backup::Event::SnapshotsEnsured { uid, .. } => vec![Once::Survey { session: *uid }],
        backup::Event::Run { event } => {
            of_run(state.backups.get(&event.uid()).map(|known| &known.run), event)
        }
        _ => Vec::new(),
    }
}

fn of_restore(state: &State, event: &restore::Event) -> Vec<Once> {
    match event {
        restore::Event::Started { uid, .. } => match state.restores.get(uid) {
            Some(restore) if needs_survey(restore) => vec![Once::Survey { session: *uid }],
            _ => Vec::new(),
        },
        restore::Event::Run { event } => {
            of_run(state.restores.get(&event.uid()).map(|known| &known.run), event)
        }
        _ => Vec::new(),
    }
}

fn of_run(run: Option<&Run>, event: &run::Event) -> Vec<Once> {
    use run::Event;
    let session = event.uid();
    match event {
        Event::HookStarted { run, .. } => vec![Once::RunHook { session, run: *run }],
        Event::AttemptStarted { component, number, .. } => start(session, component, *number),
        Event::DeadlineExceeded { .. } | Event::Cancelled { .. } => {
            run.map(|known| stops(session, &known.components)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn start(session: Uid, component: &str, number: u32) -> Vec<Once> {
    vec![Once::StartWorker { attempt: Attempt { session, component: component.into(), number } }]
}

/// Some task of a restore works on the hosts of a target; manifests need none.
pub(crate) fn needs_survey(restore: &restore::state::Restore) -> bool {
    let manifests = |name: &str| name.starts_with(component::MANIFEST_TASKS);
    restore.spec.target.is_some()
        && restore.spec.addon.tasks.iter().any(|task| !manifests(&task.name))
}

fn of_snapshot(state: &State, event: &snapshot::Event) -> Option<Once> {
    use snapshot::Event;
    let snapshot = state.snapshots.get(&event.uid())?;
    let described = snapshot.conditions.has(Type::SnapshotMetadataUploaded);
    match event {
        // Its description is stored once nothing more will be written to it.
        Event::ComponentEnded { uid, .. } | Event::Incomplete { uid, .. }
            if snapshot.is_written() && !described =>
        {
            Some(Once::UploadMetadata { snapshot: *uid })
        }
        Event::RemovalRequested { uid, by, wipe: true } => {
            Some(Once::RemoveSnapshot { snapshot: *uid, by: *by })
        }
        _ => None,
    }
}
