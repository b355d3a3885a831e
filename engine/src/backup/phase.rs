//! Where a session stands, and the phase that its users see.
//!
//! Steps change only here. The phase is not a step: it is a pure function of the conditions and of the
//! snapshots, row by row as in the behaviour reference, section 2.1.

use serde::{Deserialize, Serialize};

use crate::backup::Event;
use crate::backup::state::{Backup, SnapshotSummary};
use crate::condition::{Conditions, Type};
use crate::hook::{Run, Stage};
use crate::outcome::Outcome;
use crate::snapshot::phase::Phase as SnapshotPhase;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// It exists; the same command says what becomes of it.
    Created,
    /// It waits for another session of its configuration.
    Queued,
    /// It started; its snapshots are being made by the same command.
    Preparing,
    /// The target's hosts are asked for.
    Surveying,
    /// Its components are known; hooks before the work run.
    Planning,
    /// Workers move components.
    Working,
    /// Nothing is left to move; hooks after the work run, descriptions are stored.
    Closing,
    /// Retention removes snapshots.
    Retaining,
    /// It did not run.
    Skipped,
    /// It ran, and its phase is final.
    Finished,
}

/// An event that cannot happen at this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a session that is {step:?}")]
pub struct IllegalStep {
    /// Where the session stands.
    pub step: Step,
    /// What was to happen.
    pub event: &'static str,
}

/// The step after an event.
///
/// # Errors
/// [`IllegalStep`] when the event cannot happen here.
pub fn next(step: Step, event: &Event) -> Result<Step, IllegalStep> {
    use Event as E;
    let going = !matches!(step, Step::Created | Step::Queued | Step::Skipped | Step::Finished);
    match (step, event) {
        (Step::Created | Step::Queued, E::Skipped { .. }) => Ok(Step::Skipped),
        (Step::Created | Step::Queued, E::Queued { .. }) => Ok(Step::Queued),
        (Step::Created | Step::Queued, E::Started { .. }) => Ok(Step::Preparing),

        (Step::Preparing, E::SnapshotsEnsured { .. }) => Ok(Step::Surveying),
        (Step::Preparing, E::SnapshotsNotEnsured { .. }) => Ok(Step::Closing),

        (Step::Surveying, E::Surveyed { .. }) => Ok(Step::Planning),
        (Step::Surveying | Step::Planning, E::ExecutorNotEnsured { .. }) => Ok(Step::Closing),
        (Step::Planning, E::ComponentPlanned { .. }) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HookStarted { run: Run { stage: Stage::Pre, .. }, .. }
            | E::HookEnded { run: Run { stage: Stage::Pre, .. }, .. }
            | E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Succeeded, .. },
        ) => Ok(Step::Planning),
        (
            Step::Planning,
            E::HooksFinished { stage: Stage::Pre, outcome: Outcome::Failed(_), .. },
        ) => Ok(Step::Closing),

        (Step::Planning | Step::Working, E::AttemptStarted { .. }) => Ok(Step::Working),
        (
            Step::Working,
            E::WorkerObserved { .. }
            | E::ExecutorEnsured { .. }
            | E::ExecutorNotEnsured { .. }
            | E::ComponentEnded { .. },
        ) => Ok(Step::Working),

        // What was under way when the session was given up still has to be ended on record.
        (
            Step::Closing,
            E::ComponentEnded { .. } | E::ExecutorNotEnsured { .. } | E::HookEnded { .. },
        ) => Ok(Step::Closing),
        (Step::Closing, E::HooksFinished { .. }) => Ok(Step::Closing),
        (
            Step::Working | Step::Closing,
            E::HookStarted { run: Run { stage: Stage::Post, .. }, .. },
        ) => Ok(Step::Closing),
        (
            Step::Working | Step::Closing | Step::Retaining,
            E::RetentionStarted { .. } | E::RetentionFailed { .. } | E::HistoryCleaned { .. },
        ) => Ok(Step::Retaining),
        (Step::Retaining, E::RetentionApplied { .. }) => Ok(Step::Retaining),

        (Step::Retaining, E::DeadlineExceeded { .. }) => Ok(Step::Retaining),
        (_, E::DeadlineExceeded { .. } | E::Cancelled { .. }) if going => Ok(Step::Closing),
        (Step::Retaining, E::MetricsPushed { .. }) => Ok(Step::Finished),
        (Step::Finished, E::RetryScheduled { .. } | E::Retried { .. }) => Ok(Step::Finished),
        (Step::Finished | Step::Skipped, E::Archived { .. }) => Ok(step),
        _ => Err(IllegalStep { step, event: name(event) }),
    }
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    Skipped,
}

impl Phase {
    /// Succeeded, Failed or Skipped.
    #[must_use]
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

/// The phase of a session: the first row that fits.
#[must_use]
pub fn phase(backup: &Backup) -> Phase {
    let retention_failed = backup.retention.iter().any(|r| matches!(r.result, Some(Err(_))));
    of_facts(&backup.conditions, retention_failed, &backup.snapshots)
}

fn of_facts(facts: &Conditions, retention_failed: bool, snapshots: &[SnapshotSummary]) -> Phase {
    const BAD_WHEN_FALSE: [Type; 5] = [
        Type::BackupExecutorEnsured,
        Type::SnapshotsEnsured,
        Type::PreBackupHooksExecutionSucceeded,
        Type::PostBackupHooksExecutionSucceeded,
        Type::SessionHistoryCleaned,
    ];
    if facts.is_false(Type::MetricsPushed) {
        return Phase::Failed;
    }
    if facts.is_true(Type::BackupSkipped) {
        return Phase::Skipped;
    }
    if facts.is_true(Type::MetricsPushed)
        && (BAD_WHEN_FALSE.iter().any(|kind| facts.is_false(*kind))
            || retention_failed
            || facts.is_true(Type::SnapshotCleanupIncomplete))
    {
        return Phase::Failed;
    }
    match aggregate(snapshots) {
        Phase::Pending => Phase::Pending,
        snapshots if facts.has(Type::MetricsPushed) => snapshots,
        _ => Phase::Running,
    }
}

/// What the snapshots came to.
fn aggregate(snapshots: &[SnapshotSummary]) -> Phase {
    if snapshots.iter().all(|s| s.phase == SnapshotPhase::Pending) {
        Phase::Pending
    } else if snapshots.iter().any(|s| !s.phase.is_completed()) {
        Phase::Running
    } else if snapshots.iter().any(|s| s.phase == SnapshotPhase::Failed) {
        Phase::Failed
    } else {
        Phase::Succeeded
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Created { .. } => "Created",
        Event::Skipped { .. } => "Skipped",
        Event::Queued { .. } => "Queued",
        Event::Started { .. } => "Started",
        Event::SnapshotsEnsured { .. } => "SnapshotsEnsured",
        Event::SnapshotsNotEnsured { .. } => "SnapshotsNotEnsured",
        Event::Surveyed { .. } => "Surveyed",
        Event::ComponentPlanned { .. } => "ComponentPlanned",
        Event::HookStarted { .. } => "HookStarted",
        Event::HookEnded { .. } => "HookEnded",
        Event::HooksFinished { .. } => "HooksFinished",
        Event::AttemptStarted { .. } => "AttemptStarted",
        Event::WorkerObserved { .. } => "WorkerObserved",
        Event::ExecutorEnsured { .. } => "ExecutorEnsured",
        Event::ExecutorNotEnsured { .. } => "ExecutorNotEnsured",
        Event::ComponentEnded { .. } => "ComponentEnded",
        Event::DeadlineExceeded { .. } => "DeadlineExceeded",
        Event::Cancelled { .. } => "Cancelled",
        Event::RetentionStarted { .. } => "RetentionStarted",
        Event::RetentionApplied { .. } => "RetentionApplied",
        Event::RetentionFailed { .. } => "RetentionFailed",
        Event::HistoryCleaned { .. } => "HistoryCleaned",
        Event::MetricsPushed { .. } => "MetricsPushed",
        Event::RetryScheduled { .. } => "RetryScheduled",
        Event::Retried { .. } => "Retried",
        Event::Archived { .. } => "Archived",
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::ids::{Key, TypedRef, Uid};
    use crate::time::Timestamp;

    fn snapshots(letters: &str) -> Vec<SnapshotSummary> {
        letters
            .chars()
            .map(|letter| SnapshotSummary {
                uid: Uid::default(),
                key: Key::default(),
                repository: Uid::default(),
                app: TypedRef::absent(),
                phase: match letter {
                    'P' => SnapshotPhase::Pending,
                    'R' => SnapshotPhase::Running,
                    'S' => SnapshotPhase::Succeeded,
                    _ => SnapshotPhase::Failed,
                },
            })
            .collect()
    }

    fn facts(list: &[(Type, bool)]) -> Conditions {
        let mut facts = Conditions::default();
        for (kind, holds) in list {
            facts.state(Timestamp(1), *kind, (!holds).then_some("problem"));
        }
        facts
    }

    #[test]
    fn test_vectors_of_the_documents() {
        use Type::{MetricsPushed, SnapshotsEnsured};
        let end: &[(Type, bool)] = &[(MetricsPushed, true)];
        type Case<'a> = (&'a str, &'a [(Type, bool)], Phase);
        let cases: &[Case] = &[
            ("PPP", &[], Phase::Pending),
            ("PRFS", &[], Phase::Running),
            ("PSFS", &[], Phase::Running),
            ("SSFS", &[], Phase::Running),
            ("SSF", end, Phase::Failed),
            ("FFF", end, Phase::Failed),
            ("SSS", end, Phase::Succeeded),
            ("", &[(SnapshotsEnsured, false), (MetricsPushed, true)], Phase::Failed),
            ("SSS", &[(MetricsPushed, false)], Phase::Failed),
        ];
        for (letters, conditions, expected) in cases {
            assert_eq!(
                of_facts(&facts(conditions), false, &snapshots(letters)),
                *expected,
                "{letters} {conditions:?}"
            );
        }
    }

    #[test]
    fn every_bad_fact_makes_the_final_phase_failed_and_none_before_the_end() {
        for kind in [
            Type::BackupExecutorEnsured,
            Type::SnapshotsEnsured,
            Type::PreBackupHooksExecutionSucceeded,
            Type::PostBackupHooksExecutionSucceeded,
            Type::SessionHistoryCleaned,
        ] {
            let open = facts(&[(kind, false)]);
            assert_eq!(of_facts(&open, false, &snapshots("SS")), Phase::Running, "{kind:?}");
            let closed = facts(&[(kind, false), (Type::MetricsPushed, true)]);
            assert_eq!(of_facts(&closed, false, &snapshots("SS")), Phase::Failed, "{kind:?}");
        }
        let end = facts(&[(Type::MetricsPushed, true)]);
        assert_eq!(of_facts(&end, true, &snapshots("SS")), Phase::Failed, "retention");
    }

    #[test]
    fn skipped_wins_over_everything_but_a_failed_push() {
        let mut skipped = Conditions::default();
        skipped.raise(Timestamp(1), Type::BackupSkipped, "another one is going");
        assert_eq!(of_facts(&skipped, false, &[]), Phase::Skipped);
        skipped.state(Timestamp(2), Type::MetricsPushed, Some("no"));
        assert_eq!(of_facts(&skipped, false, &[]), Phase::Failed);
    }

    #[test]
    fn a_finished_session_takes_no_work() {
        let uid = Uid::default();
        let event = Event::AttemptStarted { uid, component: "dump".into(), number: 2 };
        let refused = next(Step::Finished, &event).unwrap_err();
        assert_eq!(refused, IllegalStep { step: Step::Finished, event: "AttemptStarted" });
        assert!(next(Step::Skipped, &Event::MetricsPushed { uid }).is_err());
        assert!(next(Step::Queued, &Event::Archived { uid }).is_err());
    }
}
