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
    let mut mine: Vec<&Snapshot> = state.snapshots_in(repository).collect();
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::outcome::Outcome;
    use crate::report::Grade;
    use crate::snapshot::state::Component;
    use crate::testing;
    use crate::testing::world::{World, broken, named};

    /// `one` holds a snapshot for each letter, a second apart: `S`ucceeded, `F`ailed, else running.
    fn holding(letters: &str) -> World {
        let mut world = World::ready();
        let repository = world.repository("one");
        for (second, letter) in (1..).zip(letters.chars()) {
            let mut snapshot = testing::snapshot();
            snapshot.uid = named(&second.to_string());
            snapshot.key.name = alloc::format!("snap-{second}");
            snapshot.repository = repository;
            snapshot.taken = Timestamp(second * 1_000);
            snapshot.total = 1;
            snapshot.components = vec![Component {
                path: alloc::format!("repository/v1/nightly/pod-{}", second % 2),
                outcome: match letter {
                    'S' => Some(Outcome::Succeeded),
                    'F' => Some(broken("Broken")),
                    _ => None,
                },
                grade: Grade::ReadBack,
                size: u64::try_from(second).unwrap() * 2_048,
                ..testing::snapshot_component("pod")
            }];
            if letter != 'R' {
                let kind = crate::condition::Type::SnapshotMetadataUploaded;
                snapshot.conditions.state(snapshot.taken, kind, None);
            }
            world.state.snapshots.insert(snapshot.uid, snapshot);
        }
        world
    }

    fn of(world: &World) -> RepositoryStatus {
        let mut state = world.state.clone();
        state.reindex();
        status(&state, &state.repositories[&world.repository("one")])
    }

    #[test]
    fn the_newest_five_are_listed_oldest_first_failed_ones_among_them() {
        let shown = of(&holding("SSSFSFR"));
        let recent: Vec<(&str, &str)> =
            shown.recent.iter().map(|s| (s.name.as_str(), s.phase.as_str())).collect();
        assert_eq!(
            recent,
            [
                ("snap-3", "Succeeded"),
                ("snap-4", "Failed"),
                ("snap-5", "Succeeded"),
                ("snap-6", "Failed"),
                ("snap-7", "Running"),
            ]
        );
        assert_eq!(shown.snapshot_count, 7, "of all phases");
        assert_eq!(shown.last_backup_time, Some(Timestamp(5_000)), "of the last Succeeded one");
        assert_eq!(shown.size, "14.000 KiB", "as the newest says, not their sum");
        assert_eq!(
            shown.component_paths,
            ["repository/v1/nightly/pod-0", "repository/v1/nightly/pod-1"]
        );
        assert_eq!(shown.integrity, Some(true));
    }

    #[test]
    fn an_empty_one_says_nothing_that_is_not_known() {
        let shown = of(&World::ready());
        assert_eq!(
            (shown.snapshot_count, shown.size.as_str(), shown.last_backup_time, shown.integrity),
            (0, "", None, None)
        );
        assert!(shown.recent.is_empty() && shown.component_paths.is_empty());
        assert_eq!(shown.phase, Readiness::Ready);
    }

    #[test]
    fn what_the_newest_does_not_know_the_one_before_it_may() {
        let mut world = holding("SS");
        let newest = world.state.snapshots.get_mut(&named("2")).unwrap();
        newest.components[0].size = 0;
        newest.components[0].grade = Grade::Written;
        let shown = of(&world);
        assert_eq!((shown.size.as_str(), shown.integrity), ("2.000 KiB", Some(true)));
        assert_eq!(shown.recent[1].size, "");
    }

    #[test]
    fn only_its_own_snapshots_count() {
        let mut world = holding("SS");
        world.state.snapshots.get_mut(&named("1")).unwrap().repository = named("elsewhere");
        let shown = of(&world);
        assert_eq!((shown.snapshot_count, shown.recent.len()), (1, 1));
    }

    #[test]
    fn one_that_does_not_open_is_not_ready() {
        let mut world = World::ready();
        let uid = world.repository("one");
        let failure = testing::failure("WrongPassphrase");
        world.record(crate::repository::Event::InitializationFailed {
            uid,
            failure,
            retry_at: None,
        });
        let shown = of(&world);
        assert_eq!(shown.phase, Readiness::NotReady);
        assert_eq!(shown.conditions[0].reason, "WrongPassphrase");
    }
}
