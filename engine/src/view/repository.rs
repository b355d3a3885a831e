//! `status` of a Repository: a join over its snapshots.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::phases::Readiness;
use super::snapshot::{integrity, size};
use crate::condition::Condition;
use crate::ids::Uid;
use crate::repository::state::Repository;
use crate::snapshot::phase::{Phase, phase};
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::time::Timestamp;
use crate::units::format_size;

/// `recentSnapshots` lists at most so many (behaviour reference, section 13).
const RECENT_SNAPSHOTS: usize = 5;

/// `status` of a Repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryStatus {
    /// `phase`.
    pub phase: Readiness,
    /// `lastBackupTime`: of the last Succeeded snapshot.
    pub last_backup_time: Option<Timestamp>,
    /// `integrity` of the newest snapshot that knows it.
    pub integrity: Option<bool>,
    /// `snapshotCount`, of all phases.
    pub snapshot_count: u32,
    /// `size`; empty while unknown.
    pub size: String,
    /// `recentSnapshots`, oldest first.
    pub recent: Vec<RecentSnapshot>,
    /// `componentPaths`, sorted.
    pub component_paths: Vec<String>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `recentSnapshots`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentSnapshot {
    /// `name`.
    pub name: String,
    /// `phase`.
    pub phase: Phase,
    /// `session`.
    pub session: String,
    /// `size`; empty while unknown.
    pub size: String,
    /// `snapshotTime`.
    pub taken: Timestamp,
}

/// The snapshots of a repository, oldest first.
#[must_use]
pub fn snapshots(state: &State, repository: Uid) -> Vec<&Snapshot> {
    let mut mine: Vec<&Snapshot> =
        state.snapshots.values().filter(|snapshot| snapshot.repository == repository).collect();
    mine.sort_by(|a, b| (a.taken, &a.key).cmp(&(b.taken, &b.key)));
    mine
}

/// Bytes of the repository, as its newest snapshot that knows it says.
#[must_use]
pub fn bytes(state: &State, repository: Uid) -> Option<u64> {
    snapshots(state, repository).into_iter().rev().find_map(size)
}

/// The status of a repository.
#[must_use]
pub fn status(state: &State, repository: &Repository) -> RepositoryStatus {
    let mine = snapshots(state, repository.uid);
    let succeeded = |snapshot: &&&Snapshot| phase(snapshot) == Phase::Succeeded;
    let paths = mine.iter().flat_map(|snapshot| &snapshot.components).map(|c| c.path.clone());
    let paths: BTreeSet<String> = paths.filter(|path| !path.is_empty()).collect();
    let recent = mine.iter().skip(mine.len().saturating_sub(RECENT_SNAPSHOTS));
    RepositoryStatus {
        phase: Readiness::from(repository.is_ready()),
        last_backup_time: mine.iter().rev().find(succeeded).map(|snapshot| snapshot.taken),
        integrity: mine.iter().rev().find_map(|snapshot| integrity(snapshot)),
        snapshot_count: u32::try_from(mine.len()).unwrap_or(u32::MAX),
        size: bytes(state, repository.uid).map(format_size).unwrap_or_default(),
        recent: recent.map(|snapshot| recent_snapshot(snapshot)).collect(),
        component_paths: paths.into_iter().collect(),
        conditions: super::conditions(&repository.conditions),
    }
}

fn recent_snapshot(snapshot: &Snapshot) -> RecentSnapshot {
    RecentSnapshot {
        name: snapshot.key.name.clone(),
        phase: phase(snapshot),
        session: snapshot.session.clone(),
        size: size(snapshot).map(format_size).unwrap_or_default(),
        taken: snapshot.taken,
    }
}
