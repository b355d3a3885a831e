//! Phases of what is no session, and the error text of a session (behaviour reference, section 2).
//!
//! The tables of sessions and snapshots stand with their aggregates: `backup::phase`,
//! `restore::phase`, `snapshot::phase`. Here are 2.4 to 2.6 and the summaries of 2.1 and 2.2.

use alloc::format;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use crate::backup::state::Backup;
use crate::condition::{Conditions, Status, Type};
use crate::outcome::Outcome;
use crate::restore::state::Restore;
use crate::snapshot::phase::Phase as SnapshotPhase;

/// Phase of a BackupStorage or a Repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Readiness {
    NotReady,
    Ready,
}

impl Readiness {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "NotReady",
            Self::Ready => "Ready",
        }
    }
}

impl From<bool> for Readiness {
    fn from(ready: bool) -> Self {
        if ready { Self::Ready } else { Self::NotReady }
    }
}

/// Phase of a BackupConfiguration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum InvokerPhase {
    NotReady,
    Ready,
    Invalid,
}

impl InvokerPhase {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "NotReady",
            Self::Ready => "Ready",
            Self::Invalid => "Invalid",
        }
    }
}

/// What the phase of a configuration looks at (section 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvokerFacts {
    /// ValidationPassed is False.
    pub invalid: bool,
    /// `status.targetFound`.
    pub target_found: bool,
    /// Entries of `spec.backends`, of `status.backends`, and of those the ready ones.
    pub backends: (usize, usize, usize),
    /// Entries of `spec.sessions`, of `status.sessions`, and of those with SchedulerEnsured=True.
    pub sessions: (usize, usize, usize),
}

/// The phase of a configuration. Repository phases and dependencies are not consulted.
#[must_use]
pub fn invoker(facts: InvokerFacts) -> InvokerPhase {
    let all = |(spec, listed, good): (usize, usize, usize)| spec == listed && listed == good;
    if facts.invalid {
        InvokerPhase::Invalid
    } else if facts.target_found && all(facts.backends) && all(facts.sessions) {
        InvokerPhase::Ready
    } else {
        InvokerPhase::NotReady
    }
}

/// The phase of a storage; `secret_found` is absent when it names no Secret (section 2.6).
#[must_use]
pub fn storage(initialized: bool, secret_found: Option<bool>) -> Readiness {
    Readiness::from(initialized && secret_found.unwrap_or(true))
}

/// Phase of a BackupVerificationSession; there is no Pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum VerificationPhase {
    Running,
    Succeeded,
    Failed,
    Skipped,
}

/// What the phase of a verification looks at; absent facts are absent conditions (section 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerificationFacts {
    /// VerificationSessionHistoryCleaned, the final step.
    pub history_cleaned: Option<bool>,
    /// VerificationSkipped.
    pub skipped: Option<bool>,
    /// RestoreSucceeded.
    pub restored: Option<bool>,
    /// BackupVerified.
    pub verified: Option<bool>,
}

/// The phase of a verification.
#[must_use]
pub fn verification(facts: VerificationFacts) -> VerificationPhase {
    match facts {
        VerificationFacts { history_cleaned: Some(false), .. } => VerificationPhase::Failed,
        VerificationFacts { skipped: Some(true), .. } => VerificationPhase::Skipped,
        VerificationFacts { history_cleaned: None, .. } => VerificationPhase::Running,
        VerificationFacts { restored: Some(false), .. }
        | VerificationFacts { verified: Some(false), .. } => VerificationPhase::Failed,
        _ => VerificationPhase::Succeeded,
    }
}

/// Why a backup failed, in one sentence for hooks and metrics; absent when nothing is wrong.
///
/// Besides the documents' scan it sees the conditions that are bad when True, which that misses.
#[must_use]
pub fn backup_error(backup: &Backup) -> Option<String> {
    let failed = |phase: SnapshotPhase| phase == SnapshotPhase::Failed;
    first_problem(&backup.conditions)
        .or_else(|| {
            let snapshot = backup.snapshots.iter().find(|snapshot| failed(snapshot.phase))?;
            let name = &snapshot.key.name;
            let of =
                |component: &&crate::run::component::ComponentState| failure(&component.outcome);
            match backup.components.iter().find_map(|c| of(&c).map(|m| (c, m))) {
                Some((c, why)) => Some(format!("component {}: {why}", c.component.name)),
                None => Some(format!("snapshot {name} failed")),
            }
        })
        .or_else(|| {
            let failed = backup.retention.iter().find_map(|entry| match &entry.result {
                Some(Err(error)) => Some((entry, error)),
                _ => None,
            });
            failed.map(|(entry, error)| format!("retention policy {}: {error}", entry.policy))
        })
}

/// Why a restore failed, in one sentence; absent when nothing is wrong.
#[must_use]
pub fn restore_error(restore: &Restore) -> Option<String> {
    first_problem(&restore.conditions).or_else(|| {
        let failed = restore.components.iter().find_map(|c| Some((c, failure(&c.outcome)?)));
        failed.map(|(c, why)| format!("component {}: {why}", c.asked))
    })
}

fn first_problem(facts: &Conditions) -> Option<String> {
    const BAD_WHEN_TRUE: [Type; 5] = [
        Type::BackupSkipped,
        Type::SnapshotCleanupIncomplete,
        Type::DeadlineExceeded,
        Type::BackupIncomplete,
        Type::RestoreIncomplete,
    ];
    let bad = facts.iter().find(|fact| {
        fact.status == Status::False
            || (fact.status == Status::True && BAD_WHEN_TRUE.contains(&fact.kind))
    });
    bad.map(|fact| fact.message.to_string())
}

fn failure(outcome: &Option<Outcome>) -> Option<String> {
    match outcome {
        Some(Outcome::Failed(failure)) => Some(failure.message.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::state::Retention;
    use crate::testing::given;
    use crate::testing::world::{World, broken};

    #[test]
    fn configurations_row_by_row() {
        let good = InvokerFacts {
            invalid: false,
            target_found: true,
            backends: (1, 1, 1),
            sessions: (2, 2, 2),
        };
        for (facts, expected) in [
            (good, InvokerPhase::Ready),
            (InvokerFacts { invalid: true, ..good }, InvokerPhase::Invalid),
            (InvokerFacts { target_found: false, ..good }, InvokerPhase::NotReady),
            (InvokerFacts { backends: (1, 1, 0), ..good }, InvokerPhase::NotReady),
            (InvokerFacts { backends: (2, 1, 1), ..good }, InvokerPhase::NotReady),
            (InvokerFacts { sessions: (2, 2, 1), ..good }, InvokerPhase::NotReady),
            (InvokerFacts { sessions: (2, 1, 1), ..good }, InvokerPhase::NotReady),
        ] {
            assert_eq!(invoker(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn storages_row_by_row() {
        for (initialized, secret, expected) in [
            (true, None, Readiness::Ready),
            (true, Some(true), Readiness::Ready),
            (true, Some(false), Readiness::NotReady),
            (false, None, Readiness::NotReady),
            (false, Some(true), Readiness::NotReady),
        ] {
            assert_eq!(storage(initialized, secret), expected);
        }
    }

    #[test]
    fn the_error_of_a_backup_is_its_first_bad_condition_then_its_snapshots_then_retention() {
        let mut world = World::ready();
        let session = world.working(1);
        let mut backup = world.backup(session).clone();
        assert_eq!(backup_error(&backup), None);
        backup.retention.push(Retention {
            repository: session,
            policy: given::stored("keep"),
            removing: 0,
            result: Some(Err("locked".into())),
        });
        let said = |backup: &Backup| backup_error(backup).unwrap();
        assert_eq!(said(&backup), "retention policy demo/keep: locked");
        backup.snapshots[0].phase = SnapshotPhase::Failed;
        assert_eq!(said(&backup), "snapshot one-app-nightly-1700438400 failed");
        backup.run.components[0].outcome = Some(broken("Evicted"));
        assert_eq!(said(&backup), "component pod-0: it went wrong");
        backup.run.conditions.raise(world.now, Type::DeadlineExceeded, "late");
        assert_eq!(said(&backup), "late", "bad when True is seen as well");
        backup.run.conditions.state(world.now, Type::SnapshotsEnsured, Some("no repository"));
        assert_eq!(said(&backup), "no repository", "it stood before the deadline");
    }

    #[test]
    fn the_error_of_a_restore_is_its_first_bad_condition_then_its_components() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["host-0"]));
        let mut restore = world.back().clone();
        assert_eq!(restore_error(&restore), None);
        restore.run.components[0].outcome = Some(broken("Evicted"));
        assert_eq!(restore_error(&restore).unwrap(), "component host-0: it went wrong");
        restore.run.conditions.raise(world.now, Type::RestoreIncomplete, "the pod was evicted");
        assert_eq!(restore_error(&restore).unwrap(), "the pod was evicted");
    }

    #[test]
    fn a_skipped_backup_says_why() {
        let mut world = World::ready();
        world.create("nightly");
        let (skipped, _) = world.create("nightly");
        let said = backup_error(world.backup(skipped)).unwrap();
        assert_eq!(said, "session demo/app-nightly-1700438400 has not ended");
    }

    #[test]
    fn words_of_the_statuses() {
        let readiness = [Readiness::NotReady, Readiness::Ready].map(Readiness::as_str);
        assert_eq!(readiness, ["NotReady", "Ready"]);
        let all = [InvokerPhase::NotReady, InvokerPhase::Ready, InvokerPhase::Invalid];
        assert_eq!(all.map(InvokerPhase::as_str), ["NotReady", "Ready", "Invalid"]);
    }

    #[test]
    fn verifications_row_by_row() {
        let none = VerificationFacts::default();
        let done = VerificationFacts { history_cleaned: Some(true), ..none };
        for (facts, expected) in [
            (none, VerificationPhase::Running),
            (
                VerificationFacts { history_cleaned: Some(false), skipped: Some(true), ..none },
                VerificationPhase::Failed,
            ),
            (VerificationFacts { skipped: Some(true), ..none }, VerificationPhase::Skipped),
            (VerificationFacts { restored: Some(false), ..none }, VerificationPhase::Running),
            (VerificationFacts { restored: Some(false), ..done }, VerificationPhase::Failed),
            (VerificationFacts { verified: Some(false), ..done }, VerificationPhase::Failed),
            (done, VerificationPhase::Succeeded),
        ] {
            assert_eq!(verification(facts), expected, "{facts:?}");
        }
    }
}
