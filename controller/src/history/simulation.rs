//! What a retention policy would make of the snapshots that there are.
//!
//! The verdicts are the engine's own, over the same groups as at the end of a session: one repository
//! and one session name. Here they are only joined with what a reader wants to see beside them.

use std::collections::BTreeSet;

use holdfast_engine::retention::Spec;
use holdfast_engine::retention::period::PeriodError;
use holdfast_engine::retention::select::{Reason, Verdict};
use holdfast_engine::snapshot::phase::phase;
use holdfast_engine::snapshot::state::Snapshot;
use holdfast_engine::view::fold::History;
use holdfast_engine::view::usage;
use holdfast_engine::{State, Timestamp, Uid};

use super::in_force;

/// What would become of all snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Simulation {
    /// One for each repository and session name.
    pub groups: Vec<Group>,
}

/// Snapshots that are judged together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Namespace and name of the repository.
    pub repository: String,
    /// Session name.
    pub session: String,
    /// Newest first.
    pub snapshots: Vec<Judged>,
}

/// A snapshot and what would become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The snapshot.
    pub uid: Uid,
    /// Its name.
    pub name: String,
    /// When it was taken.
    pub taken: Timestamp,
    /// `status.phase`.
    pub phase: &'static str,
    /// Whether it stays.
    pub keep: bool,
    /// Why.
    pub why: String,
    /// Bytes that were new to the repository when it was taken.
    pub uploaded: u64,
}

/// Judges every snapshot by one policy.
///
/// # Errors
/// [`PeriodError`] when the policy's period cannot be read.
pub fn simulate(state: &State, spec: &Spec, at: Timestamp) -> Result<Simulation, PeriodError> {
    judge(state, at, |_, _| Some(spec))
}

/// Judges every snapshot by the policy that is in force for it; without one it stays.
///
/// # Errors
/// [`PeriodError`] when a policy's period cannot be read.
pub fn in_force(state: &State, at: Timestamp) -> Result<Simulation, PeriodError> {
    judge(state, at, |repository, session| in_force::spec(state, repository, session))
}

fn judge<'s>(
    state: &State,
    at: Timestamp,
    spec: impl Fn(Uid, &str) -> Option<&'s Spec>,
) -> Result<Simulation, PeriodError> {
    let mut state = state.clone();
    state.snapshots.retain(|_, snapshot| is_candidate(snapshot));
    let groups: BTreeSet<(Uid, String)> =
        state.snapshots.values().map(|known| (known.repository, known.session.clone())).collect();
    let mut simulation = Simulation::default();
    for (repository, session) in groups {
        let Some(spec) = spec(repository, &session) else { continue };
        let simulated = usage::simulate(&state, repository, spec, at)?;
        let Some(group) = simulated.into_iter().find(|group| group.session == session) else {
            continue;
        };
        let verdicts = group.verdicts.into_iter();
        simulation.groups.push(Group {
            repository: repository_name(&state, repository),
            session,
            snapshots: verdicts.filter_map(|verdict| judged(&state, verdict)).collect(),
        });
    }
    simulation.groups.sort_by(|a, b| (&a.repository, &a.session).cmp(&(&b.repository, &b.session)));
    Ok(simulation)
}

fn judged(state: &State, verdict: Verdict) -> Option<Judged> {
    let snapshot = state.snapshots.get(&verdict.uid)?;
    let reader = (!verdict.keep).then(|| reader(state, verdict.uid)).flatten();
    let why: Vec<&str> = verdict.reasons.iter().map(|reason| word(*reason)).collect();
    Some(Judged {
        uid: verdict.uid,
        name: verdict.name,
        taken: verdict.taken,
        phase: phase(snapshot).as_str(),
        keep: verdict.keep || reader.is_some(),
        why: reader.map_or_else(|| why.join(", "), |name| format!("being restored by {name}")),
        uploaded: usage::moved(snapshot).1,
    })
}

/// A snapshot that is on its way out is not judged again; one whose removal failed is.
fn is_candidate(snapshot: &Snapshot) -> bool {
    snapshot.removal.as_ref().is_none_or(|asked| asked.error.is_some())
}

/// A restore that reads the snapshot: it outlives its policy until that has ended.
fn reader(state: &State, snapshot: Uid) -> Option<String> {
    let mut going = state.restores.values().filter(|restore| restore.is_going());
    going.find(|restore| restore.snapshot == Some(snapshot)).map(|restore| restore.key.to_string())
}

/// Bytes that snapshots removed earlier had uploaded. Until a collection runs they are all still there;
/// what newer snapshots share stays for good, so this is the most that one can reclaim.
#[must_use]
pub fn waiting(history: &History) -> u64 {
    let gone = history.forgotten.keys().filter_map(|uid| history.state.snapshots.get(uid));
    gone.fold(0, |sum, snapshot| sum.saturating_add(usage::moved(snapshot).1))
}

/// Namespace and name of a repository; its uid where it is gone.
fn repository_name(state: &State, repository: Uid) -> String {
    let known = state.repositories.get(&repository);
    known.map_or_else(|| repository.to_string(), |known| known.key.to_string())
}

/// A reason in the words of the policy's fields.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Unfinished => "still being written",
        Reason::NoClass => "within the period",
        Reason::Last => "last",
        Reason::Hourly => "hourly",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
        Reason::Yearly => "yearly",
        Reason::FailedLast => "failedSnapshots.last",
        Reason::Expired => "older than maxRetentionPeriod",
        Reason::NotSelected => "no class asks for it",
        Reason::FailedSurplus => "enough newer failed ones",
    }
}

impl Simulation {
    /// How many would stay, how many would go, and what the latter had uploaded: at most that is freed,
    /// since newer snapshots may share it.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for snapshot in self.groups.iter().flat_map(|group| &group.snapshots) {
            if snapshot.keep {
                totals.kept += 1;
            } else {
                totals.removed += 1;
                totals.freed_at_most = totals.freed_at_most.saturating_add(snapshot.uploaded);
            }
        }
        totals
    }

    /// What would become of a snapshot.
    #[must_use]
    pub fn of(&self, uid: Uid) -> Option<&Judged> {
        self.groups.iter().flat_map(|group| &group.snapshots).find(|judged| judged.uid == uid)
    }
}

/// Sums of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// Snapshots that would stay.
    pub kept: usize,
    /// Snapshots that would go.
    pub removed: usize,
    /// Bytes that those had uploaded.
    pub freed_at_most: u64,
}

#[cfg(test)]
mod tests {
    use holdfast_engine::condition::{Conditions, Type};
    use holdfast_engine::dependency::Driver;
    use holdfast_engine::report::{Grade, PathResult};
    use holdfast_engine::retention::Keep;
    use holdfast_engine::snapshot::state::{Component, Removal};
    use holdfast_engine::storage::DeletionPolicy;
    use holdfast_engine::{Group, Key, Millis, Outcome, TypedRef};

    use super::*;

    const DAY: i64 = 86_400_000;

    fn snapshot(number: u8, uploaded: u64) -> Snapshot {
        let taken = Timestamp(i64::from(number) * DAY);
        let path = PathResult {
            path: "/data".into(),
            size: 1_000,
            uploaded,
            files: 1,
            start: taken,
            end: taken,
        };
        let component = Component {
            name: "dump".into(),
            path: String::new(),
            driver: Driver::Restic,
            outcome: Some(Outcome::Succeeded),
            commit: "c".into(),
            partial: false,
            source_empty: false,
            grade: Grade::ReadBack,
            size: 1_000,
            duration: Millis(1),
            paths: vec![path.clone(), path],
        };
        let mut conditions = Conditions::default();
        conditions.state(taken, Type::SnapshotMetadataUploaded, None);
        Snapshot {
            uid: Uid([number; 16]),
            key: Key::new(Group::KubeStashStorage, "demo", format!("s-{number}")),
            repository: Uid([200; 16]),
            backup: None,
            backup_key: None,
            session: if number.is_multiple_of(2) { "even".into() } else { "odd".into() },
            app: TypedRef::absent(),
            deletion: DeletionPolicy::Delete,
            taken,
            total: 1,
            components: vec![component],
            conditions,
            removal: None,
            updated: taken,
        }
    }

    fn keep_last(last: u32) -> Spec {
        Spec {
            max_period: String::new(),
            successful: Some(Keep { last: Some(last), ..Keep::default() }),
            failed_last: 1,
            usage: None,
            default: false,
            invalid: None,
        }
    }

    fn state(snapshots: impl IntoIterator<Item = Snapshot>) -> State {
        let snapshots = snapshots.into_iter().map(|snapshot| (snapshot.uid, snapshot)).collect();
        let mut state = State { snapshots, ..State::default() };
        state.reindex();
        state
    }

    #[test]
    fn each_session_name_has_its_own_last_one() {
        let state = state((1..=6).map(|number| snapshot(number, 10)));
        let simulation = simulate(&state, &keep_last(1), Timestamp(9 * DAY)).unwrap();
        let kept: Vec<(&str, Vec<&str>)> = simulation
            .groups
            .iter()
            .map(|group| {
                let kept = group.snapshots.iter().filter(|judged| judged.keep);
                (group.session.as_str(), kept.map(|judged| judged.name.as_str()).collect())
            })
            .collect();
        assert_eq!(kept, [("even", vec!["s-6"]), ("odd", vec!["s-5"])]);
        assert_eq!(simulation.totals(), Totals { kept: 2, removed: 4, freed_at_most: 80 });
    }

    #[test]
    fn what_is_going_already_is_not_counted_again() {
        let removal = |error| Some(Removal { by: None, wipe: true, error });
        let going = Snapshot { removal: removal(None), ..snapshot(1, 5) };
        let stuck = Snapshot { removal: removal(Some("denied".into())), ..snapshot(3, 7) };
        let state = state([going, stuck, snapshot(5, 9)]);
        let totals = simulate(&state, &keep_last(1), Timestamp(9 * DAY)).unwrap().totals();
        assert_eq!(totals, Totals { kept: 1, removed: 1, freed_at_most: 14 });
    }

    #[test]
    fn a_period_that_cannot_be_read_judges_nothing() {
        let spec = Spec { max_period: "10".into(), ..keep_last(1) };
        assert!(simulate(&state([snapshot(1, 1)]), &spec, Timestamp(0)).is_err());
    }
}
