//! Why a phase or a condition is what it is: the fewest events that make it so.
//!
//! A *cause* is a set of events such that a fold of only these has the phase, and of fewer of them has
//! not. What has several causes has alternatives, and all of them are listed, by growing size, up to a
//! bound.
//!
//! Events that only describe (that a snapshot exists, how many components it has, which ones were
//! begun) stand or fall together, one unit a snapshot: half of a description says something that was
//! never true. Success speaks of all snapshots, so there all descriptions are one unit; a failure
//! speaks of one.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::Serialize;

use crate::condition::{Condition, Type};
use crate::event::{Event, Recorded};
use crate::ids::Uid;
use crate::limits::{EXPLAIN_CAUSES, EXPLAIN_FOLDS};
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::view::fold::SessionFold;
use crate::{backup, restore, run, snapshot};

/// Why something is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What is explained: a phase, or `type=status` of a condition.
    pub what: String,
    /// The causes, smallest first; each alone is enough.
    pub causes: Vec<Vec<Step>>,
    /// All causes are listed. Otherwise the bound was hit: there may be more, and a cause that is
    /// listed may be one event too long.
    pub complete: bool,
}

/// One event of a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its place in the log.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What it says, for people.
    pub says: String,
}

/// Why a session has its phase; absent when none of the events is of it.
#[must_use]
pub fn phase(events: &[Recorded], session: Uid) -> Option<Explanation> {
    let whole = fold(session, events.iter());
    let phase = whole.phase()?;
    let units = units(whole.events(), phase == "Succeeded");
    let holds = |fold: &SessionFold| fold.phase().unwrap_or("Pending") == phase;
    Some(search(session, &units, phase.into(), &holds))
}

/// Why a session has a condition as it is; absent when it has no such condition.
#[must_use]
pub fn condition(events: &[Recorded], session: Uid, kind: Type) -> Option<Explanation> {
    let whole = fold(session, events.iter());
    let wanted = find(&whole, kind)?.clone();
    let units = units(whole.events(), false);
    let what = format!("{}={}", kind.as_str(), wanted.status.as_str());
    let holds = |fold: &SessionFold| {
        find(fold, kind).is_some_and(|found| {
            (found.status, &found.reason, &found.message)
                == (wanted.status, &wanted.reason, &wanted.message)
        })
    };
    Some(search(session, &units, what, &holds))
}

fn find(fold: &SessionFold, kind: Type) -> Option<&Condition> {
    let facts = match (fold.backup(), fold.restore()) {
        (Some(backup), _) => &backup.conditions,
        (None, Some(restore)) => &restore.conditions,
        (None, None) => return None,
    };
    facts.get(kind)
}

fn fold<'a>(session: Uid, events: impl Iterator<Item = &'a Recorded>) -> SessionFold {
    let mut fold = SessionFold::new(session);
    events.for_each(|recorded| fold.record(recorded));
    fold
}

/// Events that are taken together; in order of the log.
type Unit<'a> = Vec<&'a Recorded>;

/// What an event is to a phase.
enum Weight {
    /// It says something that phases look at.
    Tells,
    /// It describes a snapshot, or the components of a restore.
    Describes(Uid),
    /// No phase and no condition looks at it.
    Nothing,
}

fn weight(event: &Event) -> Weight {
    use backup::Event as B;
    use restore::Event as R;
    use snapshot::Event as S;
    match event {
        Event::Backup(B::Run { event }) => weight_in_backup(event),
        Event::Restore(R::Run { event }) => weight_in_restore(event),
        Event::Backup(
            B::Skipped { .. }
            | B::SnapshotsEnsured { .. }
            | B::SnapshotsNotEnsured { .. }
            | B::RetentionStarted { .. }
            | B::RetentionApplied { .. }
            | B::RetentionFailed { .. }
            | B::HistoryCleaned { .. }
            | B::MetricsPushed { .. },
        )
        | Event::Snapshot(
            S::ComponentEnded { .. } | S::Incomplete { .. } | S::MetadataUploaded { .. },
        )
        | Event::Restore(
            R::ValidationPassed { .. }
            | R::ValidationFailed { .. }
            | R::TargetNotFound { .. }
            | R::Started { .. }
            | R::Incomplete { .. }
            | R::MetricsPushed { .. },
        ) => Weight::Tells,
        Event::Snapshot(
            S::Created { uid, .. }
            | S::Adopted { uid, .. }
            | S::ComponentsCounted { uid, .. }
            | S::ComponentStarted { uid, .. },
        ) => Weight::Describes(*uid),
        _ => Weight::Nothing,
    }
}

/// The phase of a backup looks at its snapshots, and not at its own components.
fn weight_in_backup(event: &run::Event) -> Weight {
    use run::Event as E;
    match event {
        E::HooksFinished { .. }
        | E::QueuedForWorker { .. }
        | E::ExecutorEnsured { .. }
        | E::ExecutorNotEnsured { .. }
        | E::DeadlineExceeded { .. } => Weight::Tells,
        _ => Weight::Nothing,
    }
}

fn weight_in_restore(event: &run::Event) -> Weight {
    use run::Event as E;
    match event {
        E::AttemptStarted { .. } | E::ComponentEnded { .. } => Weight::Tells,
        E::Surveyed { uid, .. } | E::ComponentPlanned { uid, .. } => Weight::Describes(*uid),
        _ => weight_in_backup(event),
    }
}

fn units(events: &[Recorded], together: bool) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit> = Vec::new();
    let mut described: Vec<(Uid, usize)> = Vec::new();
    for recorded in events {
        match weight(&recorded.event) {
            Weight::Nothing => {}
            Weight::Tells => units.push(vec![recorded]),
            Weight::Describes(uid) => {
                let known = described.iter().find(|(other, _)| together || *other == uid);
                match known.map(|(_, index)| *index) {
                    Some(index) => units[index].push(recorded),
                    None => {
                        described.push((uid, units.len()));
                        units.push(vec![recorded]);
                    }
                }
            }
        }
    }
    units
}

/// Tries sets of units by growing size; a set that contains a cause is none.
fn search(
    session: Uid,
    units: &[Unit<'_>],
    what: String,
    holds: &dyn Fn(&SessionFold) -> bool,
) -> Explanation {
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut folds = 0u32;
    let mut complete = true;
    'sizes: for size in 0..=units.len() {
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            if !found.iter().any(|cause| cause.iter().all(|unit| chosen.contains(unit))) {
                if folds == EXPLAIN_FOLDS || found.len() == EXPLAIN_CAUSES {
                    complete = false;
                    break 'sizes;
                }
                folds += 1;
                if holds(&taken(session, units, &chosen)) {
                    found.push(chosen.clone());
                }
            }
            if !advance(&mut chosen, units.len()) {
                break;
            }
        }
    }
    if found.is_empty() {
        found.push(reduced(session, units, holds));
    }
    let causes = found.iter().map(|cause| steps(units, cause)).collect();
    Explanation { what, causes, complete }
}

/// The next set of the same size, in the order of a dictionary; false after the last one.
fn advance(chosen: &mut [usize], of: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|at| chosen[*at] + size < of + *at) else { return false };
    chosen[at] += 1;
    for next in at + 1..size {
        chosen[next] = chosen[next - 1] + 1;
    }
    true
}

fn taken(session: Uid, units: &[Unit<'_>], chosen: &[usize]) -> SessionFold {
    fold(session, in_order(units, chosen).into_iter())
}

fn in_order<'a>(units: &[Unit<'a>], chosen: &[usize]) -> Vec<&'a Recorded> {
    let mut events: Vec<&Recorded> =
        chosen.iter().flat_map(|unit| units[*unit].iter().copied()).collect();
    events.sort_by_key(|recorded| recorded.seq);
    events
}

/// One cause where there are too many sets to try: everything, less what can go one by one.
fn reduced(session: Uid, units: &[Unit<'_>], holds: &dyn Fn(&SessionFold) -> bool) -> Vec<usize> {
    let mut left: Vec<usize> = (0..units.len()).collect();
    loop {
        let before = left.len();
        for unit in (0..units.len()).rev() {
            let without: Vec<usize> = left.iter().copied().filter(|kept| *kept != unit).collect();
            if without.len() < left.len() && holds(&taken(session, units, &without)) {
                left = without;
            }
        }
        if left.len() == before {
            return left;
        }
    }
}

fn steps(units: &[Unit<'_>], cause: &[usize]) -> Vec<Step> {
    let steps = in_order(units, cause).into_iter().map(|recorded| Step {
        seq: recorded.seq,
        at: recorded.at,
        says: says(&recorded.event),
    });
    steps.collect()
}

fn says(event: &Event) -> String {
    use snapshot::Event as S;
    match event {
        Event::Backup(event) => says_backup(event),
        Event::Restore(event) => says_restore(event),
        Event::Snapshot(event) => match event {
            S::Created { key, .. } | S::Adopted { key, .. } => {
                format!("snapshot {} exists", key.name)
            }
            S::ComponentsCounted { total, .. } => format!("it is to have {total} components"),
            S::ComponentStarted { component, .. } => format!("component {component} began"),
            S::ComponentEnded { component, outcome, .. } => ended("component", component, outcome),
            S::Incomplete { message, .. } => format!("it stayed incomplete: {message}"),
            S::MetadataUploaded { outcome, .. } => ended("its description", "", outcome),
            _ => "the snapshot changed".into(),
        },
        _ => "something around it changed".into(),
    }
}

fn says_backup(event: &backup::Event) -> String {
    use backup::Event as E;
    match event {
        E::Run { event } => says_run(event),
        E::Skipped { reason, .. } => format!("it was skipped: {reason}"),
        E::SnapshotsEnsured { total, .. } => format!("its {total} snapshots exist"),
        E::SnapshotsNotEnsured { message, .. } => format!("snapshots could not be made: {message}"),
        E::RetentionStarted { policy, .. } => format!("retention by {policy} began"),
        E::RetentionApplied { .. } => "retention was applied".into(),
        E::RetentionFailed { message, .. } => format!("retention failed: {message}"),
        E::HistoryCleaned { .. } => "older sessions were archived".into(),
        E::MetricsPushed { .. } => "it ended; its result is final".into(),
        _ => "it went on".into(),
    }
}

fn says_restore(event: &restore::Event) -> String {
    use restore::Event as E;
    match event {
        E::Run { event } => says_run(event),
        E::ValidationPassed { .. } => "its checks passed".into(),
        E::ValidationFailed { message, .. } => format!("it is not valid: {message}"),
        E::TargetNotFound { message, .. } => format!("its target is missing: {message}"),
        E::Started { .. } => "it started".into(),
        E::Incomplete { message, .. } => format!("it stayed incomplete: {message}"),
        E::MetricsPushed { .. } => "it ended; its result is final".into(),
        _ => "it went on".into(),
    }
}

fn says_run(event: &run::Event) -> String {
    use run::Event as E;
    match event {
        E::Surveyed { components, .. } => format!("it is to move {components} components"),
        E::ComponentPlanned { asked, .. } => format!("component {asked} is planned"),
        E::HooksFinished { outcome, .. } => ended("its hooks", "", outcome),
        E::QueuedForWorker { lack, limit, .. } => lack.sentence(*limit),
        E::AttemptStarted { component, .. } => format!("component {component} began"),
        E::ExecutorEnsured { .. } => "every component has a worker".into(),
        E::ExecutorNotEnsured { message, .. } => format!("a worker is missing: {message}"),
        E::ComponentEnded { component, outcome, .. } => ended("component", component, outcome),
        E::DeadlineExceeded { .. } => "its deadline passed".into(),
        _ => "it went on".into(),
    }
}

fn ended(what: &str, name: &str, outcome: &Outcome) -> String {
    let subject = if name.is_empty() { what.into() } else { format!("{what} {name}") };
    match outcome {
        Outcome::Succeeded => format!("{subject} succeeded"),
        Outcome::Failed(failure) => format!("{subject} failed: {}", failure.message),
    }
}

#[cfg(test)]
mod tests;
