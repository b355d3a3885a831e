//! What repositories hold over time, and what a policy would do to it.
//!
//! Ratios are parts per thousand: the engine has no floating point, so that every machine agrees.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::repository::snapshots;
use super::snapshot::size;
use crate::ids::Uid;
use crate::retention::Spec;
use crate::retention::period::PeriodError;
use crate::retention::select::{Candidate, Standing, Verdict, judge};
use crate::snapshot::phase::{Phase, phase};
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::time::Timestamp;

/// A repository when one snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The snapshot.
    pub snapshot: Uid,
    /// When.
    pub taken: Timestamp,
    /// Bytes that the session processed.
    pub processed: u64,
    /// Bytes of them that were new.
    pub uploaded: u64,
    /// Bytes of the repository afterwards, while known.
    pub size: Option<u64>,
    /// Bytes of everything processed so far per thousand bytes of the repository, while known.
    pub dedup_permille: Option<u64>,
}

/// The history of a repository, oldest first; from a history it includes what is gone.
#[must_use]
pub fn over_time(state: &State, repository: Uid) -> Vec<Point> {
    let mut logical = 0u64;
    let points = snapshots(state, repository).into_iter().map(|snapshot| {
        let (processed, uploaded) = moved(snapshot);
        logical = logical.saturating_add(processed);
        let size = size(snapshot);
        let ratio = size.filter(|size| *size > 0).map(|size| {
            let permille = u128::from(logical) * 1_000 / u128::from(size);
            u64::try_from(permille).unwrap_or(u64::MAX)
        });
        let (snapshot, taken) = (snapshot.uid, snapshot.taken);
        Point { snapshot, taken, processed, uploaded, size, dedup_permille: ratio }
    });
    points.collect()
}

/// Bytes processed and bytes that were new.
#[must_use]
pub fn moved(snapshot: &Snapshot) -> (u64, u64) {
    let paths = snapshot.components.iter().flat_map(|component| &component.paths);
    paths.fold((0u64, 0u64), |(processed, uploaded), path| {
        (processed.saturating_add(path.size), uploaded.saturating_add(path.uploaded))
    })
}

/// A snapshot as retention sees it.
#[must_use]
pub fn candidate(snapshot: &Snapshot) -> Candidate {
    let standing = match phase(snapshot) {
        Phase::Succeeded => Standing::Succeeded,
        Phase::Failed => Standing::Failed,
        Phase::Pending | Phase::Running => Standing::Unfinished,
    };
    let (uid, name, taken) = (snapshot.uid, snapshot.key.name.clone(), snapshot.taken);
    Candidate { uid, name, taken, standing }
}

/// What a policy would do to one session's snapshots in one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulation {
    /// The session name.
    pub session: alloc::string::String,
    /// One for each snapshot, newest first.
    pub verdicts: Vec<Verdict>,
    /// Bytes that the removed snapshots uploaded: the most that their removal can free, since others
    /// may share them.
    pub freed_at_most: u64,
}

/// What a policy would do to a repository, session by session.
///
/// # Errors
/// [`PeriodError`] when its period cannot be read.
pub fn simulate(
    state: &State,
    repository: Uid,
    spec: &Spec,
    now: Timestamp,
) -> Result<Vec<Simulation>, PeriodError> {
    let mut by_session: BTreeMap<&str, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots(state, repository) {
        by_session.entry(&snapshot.session).or_default().push(snapshot);
    }
    let simulated = by_session.into_iter().map(|(session, mine)| {
        let candidates: Vec<Candidate> = mine.iter().map(|known| candidate(known)).collect();
        let verdicts = judge(spec, now, &candidates)?;
        let gone = |uid: Uid| verdicts.iter().any(|verdict| verdict.uid == uid && !verdict.keep);
        let freed = mine.iter().filter(|snapshot| gone(snapshot.uid));
        let freed_at_most = freed.fold(0u64, |sum, known| sum.saturating_add(moved(known).1));
        Ok(Simulation { session: session.into(), verdicts, freed_at_most })
    });
    simulated.collect()
}

/// One day of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Year, month, day in UTC.
    pub date: (i64, u8, u8),
    /// What becomes of the day's snapshots, newest first.
    pub verdicts: Vec<Verdict>,
}

/// Days that have snapshots, oldest first, with what a policy would remove.
#[must_use]
pub fn calendar(verdicts: &[Verdict]) -> Vec<Day> {
    let mut days: BTreeMap<(i64, u8, u8), Vec<Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        let at = verdict.taken.civil();
        days.entry((at.year, at.month, at.day)).or_default().push(verdict.clone());
    }
    days.into_iter().map(|(date, verdicts)| Day { date, verdicts }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given;
    use crate::testing::world::{DAY, World, named};

    /// Three nights, each of which processes 100 bytes; 10 of them are new.
    fn nights() -> World {
        let mut world = World::ready();
        world.declare_retention("keep", given::retention(9));
        for _ in 0..3 {
            world.succeed();
            world.pass(DAY);
        }
        world
    }

    #[test]
    fn a_repository_over_time_counts_what_was_processed_so_far() {
        let world = nights();
        let points = over_time(&world.state, world.repository("one"));
        let seen: Vec<_> =
            points.iter().map(|p| (p.processed, p.uploaded, p.size, p.dedup_permille)).collect();
        assert_eq!(
            seen,
            [
                (100, 10, Some(1_000), Some(100)),
                (100, 10, Some(1_000), Some(200)),
                (100, 10, Some(1_000), Some(300)),
            ]
        );
        assert!(points.is_sorted_by_key(|point| point.taken));
        assert_eq!(over_time(&world.state, named("elsewhere")), []);
    }

    #[test]
    fn sums_stop_at_the_end_of_numbers() {
        let mut world = nights();
        let all: Vec<Uid> = world.state.snapshots.keys().copied().collect();
        for uid in all {
            let snapshot = world.state.snapshots.get_mut(&uid).unwrap();
            snapshot.components[0].paths[0].size = u64::MAX;
            snapshot.components[0].size = 1;
        }
        let points = over_time(&world.state, world.repository("one"));
        assert_eq!(points[2].dedup_permille, Some(u64::MAX));
    }

    #[test]
    fn a_policy_is_tried_without_removing_anything() {
        let world = nights();
        let repository = world.repository("one");
        let simulated =
            simulate(&world.state, repository, &given::retention(1), world.now).unwrap();
        assert_eq!(simulated.len(), 1);
        assert_eq!(simulated[0].session, "nightly");
        let kept: Vec<bool> = simulated[0].verdicts.iter().map(|verdict| verdict.keep).collect();
        assert_eq!(kept, [true, false, false], "newest first");
        assert_eq!(simulated[0].freed_at_most, 20);
        assert_eq!(world.state.snapshots.len(), 3);
        let odd = Spec { max_period: "soon".into(), ..given::retention(1) };
        assert!(simulate(&world.state, repository, &odd, world.now).is_err());
    }

    #[test]
    fn the_calendar_has_the_days_that_have_snapshots() {
        let world = nights();
        let simulated =
            simulate(&world.state, world.repository("one"), &given::retention(1), world.now);
        let days = calendar(&simulated.unwrap()[0].verdicts);
        let seen: Vec<_> = days.iter().map(|day| (day.date, day.verdicts[0].keep)).collect();
        assert_eq!(
            seen,
            [((2023, 11, 20), false), ((2023, 11, 21), false), ((2023, 11, 22), true)]
        );
    }
}
