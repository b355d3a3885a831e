//! Statuses of everything, and the law that none of them changes unnamed.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::configuration::phase::phase as configuration_phase;
use holdfast_engine::{Level, Recorded, State, StreamKind, Uid, level, view};

/// What the status of every object says.
pub type Statuses = BTreeMap<(StreamKind, Uid), String>;

/// All statuses of a state.
pub fn all(state: &State) -> Statuses {
    let storages = state.storages.values().map(|known| {
        let status = view::storage::status(state, known);
        ((StreamKind::Storage, known.uid), format!("{status:?}"))
    });
    let repositories = state.repositories.values().map(|known| {
        let status = view::repository::status(state, known);
        ((StreamKind::Repository, known.uid), format!("{status:?}"))
    });
    let configurations = state.configurations.values().map(|known| {
        let status = view::configuration::status(state, known);
        ((StreamKind::Configuration, known.uid), format!("{status:?}"))
    });
    let backups = state.backups.values().map(|known| {
        let status = view::backup::status(state, known);
        ((StreamKind::Backup, known.uid), format!("{status:?}"))
    });
    let snapshots = state.snapshots.values().map(|known| {
        let status = view::snapshot::status(known);
        ((StreamKind::Snapshot, known.uid), format!("{status:?}"))
    });
    let restores = state.restores.values().map(|known| {
        let status = view::restore::status(state, known);
        ((StreamKind::Restore, known.uid), format!("{status:?}"))
    });
    storages
        .chain(repositories)
        .chain(configurations)
        .chain(backups)
        .chain(snapshots)
        .chain(restores)
        .collect()
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
