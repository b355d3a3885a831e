//! The phase of a snapshot, as a pure function of its facts (behaviour reference, section 2.3).
//!
//! | # | if | phase |
//! |---|---|---|
//! | 1 | SnapshotMetadataUploaded or RecentSnapshotListUpdated is False, or BackupIncomplete is True | Failed |
//! | 2 | no component yet | Pending |
//! | 3 | SnapshotMetadataUploaded is present | what the components came to |
//! | 4 | otherwise | Running |

use serde::{Deserialize, Serialize};

use crate::condition::Type;
use crate::outcome::Outcome;
use crate::snapshot::state::Snapshot;

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    /// Succeeded or Failed.
    #[must_use]
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// The phase of a snapshot.
#[must_use]
pub fn phase(snapshot: &Snapshot) -> Phase {
    let facts = &snapshot.conditions;
    if facts.is_false(Type::SnapshotMetadataUploaded)
        || facts.is_false(Type::RecentSnapshotListUpdated)
        || facts.is_true(Type::BackupIncomplete)
    {
        return Phase::Failed;
    }
    match aggregate(snapshot) {
        Phase::Pending => Phase::Pending,
        components if facts.has(Type::SnapshotMetadataUploaded) => components,
        _ => Phase::Running,
    }
}

/// What the components came to; an empty list is Pending.
fn aggregate(snapshot: &Snapshot) -> Phase {
    let count = |wanted: fn(&Outcome) -> bool| {
        let found = snapshot.components.iter().filter(|c| c.outcome.as_ref().is_some_and(wanted));
        u32::try_from(found.count()).unwrap_or(u32::MAX)
    };
    let succeeded = count(|outcome| *outcome == Outcome::Succeeded);
    let failed = count(|outcome| *outcome != Outcome::Succeeded);
    if snapshot.components.is_empty() {
        Phase::Pending
    } else if succeeded == snapshot.total {
        Phase::Succeeded
    } else if failed > 0 {
        Phase::Failed
    } else {
        Phase::Running
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::outcome::Failure;
    use crate::snapshot::state::Component;
    use crate::testing;
    use crate::time::Timestamp;

    /// `S`ucceeded, `F`ailed, anything else still running.
    fn snapshot(total: u32, components: &str, facts: &[(Type, bool)]) -> Snapshot {
        let mut snapshot = testing::snapshot();
        snapshot.total = total;
        snapshot.components = components
            .chars()
            .map(|letter| Component {
                outcome: match letter {
                    'S' => Some(Outcome::Succeeded),
                    'F' => Some(Outcome::Failed(Failure {
                        reason: "Broken".into(),
                        message: "it broke".into(),
                        permanent: false,
                    })),
                    _ => None,
                },
                ..testing::snapshot_component("dump")
            })
            .collect::<Vec<_>>();
        for (kind, holds) in facts {
            snapshot.conditions.state(Timestamp(1), *kind, (!holds).then_some("problem"));
        }
        snapshot
    }

    #[test]
    fn table_of_phases() {
        use Type::{RecentSnapshotListUpdated as Listed, SnapshotMetadataUploaded as Uploaded};
        type Case<'a> = (u32, &'a str, &'a [(Type, bool)], Phase);
        let cases: &[Case] = &[
            (0, "", &[], Phase::Pending),
            (0, "", &[(Uploaded, true)], Phase::Pending),
            (2, "SS", &[], Phase::Running),
            (2, "SS", &[(Uploaded, true)], Phase::Succeeded),
            (2, "SF", &[(Uploaded, true)], Phase::Failed),
            (2, "S.", &[(Uploaded, true)], Phase::Running),
            (3, "F.", &[(Uploaded, true)], Phase::Failed),
            (2, "SS", &[(Uploaded, false)], Phase::Failed),
            (2, "SS", &[(Listed, false), (Uploaded, true)], Phase::Failed),
            // Components that have not begun do not make it Pending; only none at all does.
            (2, "..", &[], Phase::Running),
            (2, "..", &[(Uploaded, true)], Phase::Running),
            (2, "FF", &[(Uploaded, true)], Phase::Failed),
            (2, "FF", &[], Phase::Running),
            (0, "", &[(Uploaded, false)], Phase::Failed),
            (0, ".", &[(Uploaded, true)], Phase::Succeeded),
            (2, "SS", &[(Listed, true)], Phase::Running),
        ];
        for (total, components, facts, expected) in cases {
            assert_eq!(
                phase(&snapshot(*total, components, facts)),
                *expected,
                "{components}/{total} {facts:?}"
            );
        }
    }

    #[test]
    fn a_dead_worker_makes_the_snapshot_failed_while_its_component_runs() {
        let mut dead = snapshot(1, ".", &[]);
        dead.conditions.raise(Timestamp(2), Type::BackupIncomplete, "the pod was evicted");
        assert_eq!(phase(&dead), Phase::Failed);
    }

    #[test]
    fn words_of_the_status() {
        for (phase, word, completed) in [
            (Phase::Pending, "Pending", false),
            (Phase::Running, "Running", false),
            (Phase::Succeeded, "Succeeded", true),
            (Phase::Failed, "Failed", true),
        ] {
            assert_eq!((phase.as_str(), phase.is_completed()), (word, completed));
        }
    }
}
