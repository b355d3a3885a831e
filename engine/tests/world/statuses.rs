//! Statuses of everything, and the law that none of them changes unnamed.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::configuration::phase::phase as configuration_phase;
use holdfast_engine::{Level, Recorded, State, StreamKind, Uid, level, view};

/// What the status of every object says.
pub type Statuses = BTreeMap<(StreamKind, Uid), String>;

/// The status of one object.
pub enum Status {
    Storage(view::storage::StorageStatus),
    Repository(view::repository::RepositoryStatus),
    Configuration(view::configuration::ConfigurationStatus),
    Backup(view::backup::BackupStatus),
    Snapshot(view::snapshot::SnapshotStatus),
    Restore(view::restore::RestoreStatus),
}

impl Status {
    fn text(&self) -> String {
        match self {
            Self::Storage(status) => format!("{status:?}"),
            Self::Repository(status) => format!("{status:?}"),
            Self::Configuration(status) => format!("{status:?}"),
            Self::Backup(status) => format!("{status:?}"),
            Self::Snapshot(status) => format!("{status:?}"),
            Self::Restore(status) => format!("{status:?}"),
        }
    }
}

/// All statuses of a state.
pub fn each(state: &State) -> impl Iterator<Item = ((StreamKind, Uid), Status)> {
    let storages = state.storages.values().map(|known| {
        let status = Status::Storage(view::storage::status(state, known));
        ((StreamKind::Storage, known.uid), status)
    });
    let repositories = state.repositories.values().map(|known| {
        let status = Status::Repository(view::repository::status(state, known));
        ((StreamKind::Repository, known.uid), status)
    });
    let configurations = state.configurations.values().map(|known| {
        let status = Status::Configuration(view::configuration::status(state, known));
        ((StreamKind::Configuration, known.uid), status)
    });
    let backups = state.backups.values().map(|known| {
        let status = Status::Backup(view::backup::status(state, known));
        ((StreamKind::Backup, known.uid), status)
    });
    let snapshots = state.snapshots.values().map(|known| {
        ((StreamKind::Snapshot, known.uid), Status::Snapshot(view::snapshot::status(known)))
    });
    let restores = state.restores.values().map(|known| {
        let status = Status::Restore(view::restore::status(state, known));
        ((StreamKind::Restore, known.uid), status)
    });
    let made = storages.chain(repositories).chain(configurations);
    made.chain(backups).chain(snapshots).chain(restores)
}

/// All statuses of a state, as text.
pub fn all(state: &State) -> Statuses {
    each(state).map(|(object, status)| (object, status.text())).collect()
}

/// What is shown is what is decided by.
pub fn agree_with_decisions(state: &State) {
    for known in state.configurations.values() {
        let shown = view::configuration::status(state, known);
        let decided = configuration_phase(state, known);
        assert_eq!(shown.phase.as_str(), decided.as_str(), "{known:#?}");
    }
}

/// The statuses after an event: one that changed and is not published again is a status that lies.
pub fn follow(before: &Statuses, state: &State, recorded: &Recorded) -> Statuses {
    let now = all(state);
    let named: BTreeSet<Level> = level::changed(state, recorded).into_iter().collect();
    for (object, status) in &now {
        let same = before.get(object) == Some(status);
        let (kind, uid) = *object;
        assert!(
            same || named.contains(&Level::Object { kind, uid }),
            "{object:?} changed unnamed with {:?}\n  was: {:?}\n  is: {status}",
            recorded.event,
            before.get(object),
        );
    }
    now
}
