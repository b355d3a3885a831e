//! Where a session stands, and the phase that its users see.
//!
//! Steps change only here. The phase is not a step: it is a pure function of the conditions and of the
//! snapshots, row by row as in the behaviour reference, section 2.1.

use serde::{Deserialize, Serialize};

use crate::backup::Event;
use crate::backup::state::{Backup, SnapshotSummary};
use crate::condition::{Conditions, Type};
use crate::run;
pub use crate::run::phase::{IllegalStep, Step};
use crate::snapshot::phase::Phase as SnapshotPhase;

/// The step after an event.
///
/// # Errors
/// [`IllegalStep`] when the event cannot happen here.
pub fn next(step: Step, event: &Event) -> Result<Step, IllegalStep> {
    use Event as E;
    match (step, event) {
        (_, E::Run { event }) => run::phase::next(step, event),
        (Step::Created | Step::Queued, E::Skipped { .. }) => Ok(Step::Skipped),
        (Step::Created | Step::Queued, E::Queued { .. }) => Ok(Step::Queued),
        (Step::Created | Step::Queued, E::Started { .. }) => Ok(Step::Preparing),

        (Step::Preparing, E::SnapshotsEnsured { .. }) => Ok(Step::Surveying),
        (Step::Preparing, E::SnapshotsNotEnsured { .. }) => Ok(Step::Closing),

        (
            Step::Working | Step::Closing | Step::Retaining,
            E::RetentionStarted { .. } | E::RetentionFailed { .. } | E::HistoryCleaned { .. },
        ) => Ok(Step::Retaining),
        (Step::Retaining, E::RetentionApplied { .. }) => Ok(Step::Retaining),
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
        Event::Run { .. } => "Run",
        Event::Created { .. } => "Created",
        Event::Skipped { .. } => "Skipped",
        Event::Queued { .. } => "Queued",
        Event::Started { .. } => "Started",
        Event::SnapshotsEnsured { .. } => "SnapshotsEnsured",
        Event::SnapshotsNotEnsured { .. } => "SnapshotsNotEnsured",
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
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::backup::{Frozen, Trigger};
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
            // Nothing is final before the final step, however the snapshots ended.
            ("SSS", &[], Phase::Running),
            ("FFF", &[], Phase::Running),
            // An executor that failed before the final step shows what the snapshots show.
            ("PPP", &[(Type::BackupExecutorEnsured, false)], Phase::Pending),
            // No snapshot and nothing bad: Pending is final.
            ("", end, Phase::Pending),
            ("PPP", end, Phase::Pending),
            ("SR", end, Phase::Running),
            // The retention's own executor and lost deadlines are no row of the table.
            (
                "S",
                &[(Type::RetentionPolicyExecutorEnsured, false), (MetricsPushed, true)],
                Phase::Succeeded,
            ),
            ("S", &[(Type::DeadlineExceeded, true), (MetricsPushed, true)], Phase::Succeeded),
            ("S", &[(Type::SnapshotCleanupIncomplete, true), (MetricsPushed, true)], Phase::Failed),
            ("S", &[(Type::SnapshotCleanupIncomplete, true)], Phase::Running),
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
    fn words_of_the_status() {
        for (phase, word, completed) in [
            (Phase::Pending, "Pending", false),
            (Phase::Running, "Running", false),
            (Phase::Succeeded, "Succeeded", true),
            (Phase::Failed, "Failed", true),
            (Phase::Skipped, "Skipped", true),
        ] {
            assert_eq!((phase.as_str(), phase.is_completed()), (word, completed));
        }
    }

    const STEPS: [(Step, char); 10] = [
        (Step::Created, 'c'),
        (Step::Queued, 'q'),
        (Step::Preparing, 'p'),
        (Step::Surveying, 's'),
        (Step::Planning, 'l'),
        (Step::Working, 'w'),
        (Step::Closing, 'o'),
        (Step::Retaining, 'r'),
        (Step::Skipped, 'k'),
        (Step::Finished, 'f'),
    ];

    /// Every event of its own. Behind it the steps that it leads to from those of [`STEPS`], in their
    /// order; a dot is illegal.
    fn table() -> Vec<(Event, &'static str)> {
        let uid = Uid::default();
        let text = || String::from("x");
        let (repository, policy) = (uid, Key::default());
        vec![
            (
                Event::Created {
                    uid,
                    key: Key::default(),
                    configuration: uid,
                    session: text(),
                    trigger: Trigger::Manual,
                    retry_left: 0,
                    timeout: None,
                },
                "..........",
            ),
            (Event::Skipped { uid, reason: text() }, "kk........"),
            (Event::Queued { uid, behind: uid, until: None }, "qq........"),
            (Event::Started { uid, deadline: None, frozen: Frozen::default() }, "pp........"),
            (Event::SnapshotsEnsured { uid, total: 1 }, "..s......."),
            (Event::SnapshotsNotEnsured { uid, message: text() }, "..o......."),
            (
                Event::RetentionStarted { uid, repository, policy: policy.clone(), removing: 0 },
                ".....rrr..",
            ),
            (Event::RetentionApplied { uid, repository }, ".......r.."),
            (Event::RetentionFailed { uid, repository, policy, message: text() }, ".....rrr.."),
            (Event::HistoryCleaned { uid }, ".....rrr.."),
            (Event::MetricsPushed { uid }, ".......f.."),
            (Event::RetryScheduled { uid, at: Timestamp(0) }, ".........f"),
            (Event::Retried { uid, by: uid }, ".........f"),
            (Event::Archived { uid }, "........kf"),
        ]
    }

    #[test]
    fn every_event_at_every_step() {
        for (event, expected) in table() {
            let found: String = STEPS
                .iter()
                .map(|(step, _)| match next(*step, &event) {
                    Ok(after) => STEPS.iter().find(|(known, _)| *known == after).unwrap().1,
                    Err(illegal) => {
                        assert_eq!(illegal, IllegalStep { step: *step, event: name(&event) });
                        '.'
                    }
                })
                .collect();
            assert_eq!(found, expected, "{event:?}");
        }
    }
}
