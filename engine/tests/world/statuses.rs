//! Statuses of everything, and the law that none of them changes unnamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use holdfast_engine::configuration::phase::phase as configuration_phase;
use holdfast_engine::{Level, Recorded, State, StreamKind, Uid, level, view};
use serde::Serialize;

/// What the status of every object says.
pub type Statuses = BTreeMap<(StreamKind, Uid), String>;

/// Takes the status of one object after the other.
pub trait Shown {
    fn take<T: Debug + Serialize>(&mut self, kind: StreamKind, uid: Uid, status: &T);
}

/// All statuses of a state.
pub fn show(state: &State, to: &mut impl Shown) {
    for known in state.storages.values() {
        to.take(StreamKind::Storage, known.uid, &view::storage::status(state, known));
    }
    for known in state.repositories.values() {
        to.take(StreamKind::Repository, known.uid, &view::repository::status(state, known));
    }
    for known in state.configurations.values() {
        to.take(StreamKind::Configuration, known.uid, &view::configuration::status(state, known));
    }
    for known in state.backups.values() {
        to.take(StreamKind::Backup, known.uid, &view::backup::status(state, known));
    }
    for known in state.snapshots.values() {
        to.take(StreamKind::Snapshot, known.uid, &view::snapshot::status(known));
    }
    for known in state.restores.values() {
        to.take(StreamKind::Restore, known.uid, &view::restore::status(state, known));
    }
}

impl Shown for Statuses {
    fn take<T: Debug + Serialize>(&mut self, kind: StreamKind, uid: Uid, status: &T) {
        self.insert((kind, uid), format!("{status:?}"));
    }
}

/// All statuses of a state, as text.
pub fn all(state: &State) -> Statuses {
    let mut all = Statuses::new();
    show(state, &mut all);
    all
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
