//! What is known of a backup session.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::backup::phase::Step;
use crate::backup::{Frozen, Trigger};
use crate::condition::Conditions;
use crate::configuration::SessionSpec;
use crate::configuration::state::ChosenBackend;
use crate::hook::run::Progress;
use crate::ids::{Key, TypedRef, Uid};
use crate::run::StopCause;
use crate::snapshot::phase::Phase as SnapshotPhase;
use crate::time::{Millis, Timestamp};
use crate::work::{self, ComponentState};

/// A BackupSession as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// The configuration.
    pub configuration: Uid,
    /// Session name.
    pub session: String,
    /// Why it exists.
    pub trigger: Trigger,
    /// Retries left after this one.
    pub retry_left: u32,
    /// Limit of its duration.
    pub timeout: Option<Millis>,
    /// When it was created; `status.duration` counts from here.
    pub created_at: Timestamp,
    /// Where it stands.
    pub step: Step,
    /// For which session it waits, while queued.
    pub behind: Option<Uid>,
    /// Until when it waits at most, while queued.
    pub until: Option<Timestamp>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// `status.backupDeadline`.
    pub deadline: Option<Timestamp>,
    /// What it holds fixed: content hashes of other objects.
    pub frozen: Frozen,
    /// What it holds fixed of its configuration, from its start.
    pub plan: Option<Plan>,
    /// `status.totalSnapshots`.
    pub total_snapshots: u32,
    /// `status.snapshots[]`: kept when the snapshots themselves are gone.
    pub snapshots: Vec<SnapshotSummary>,
    /// How many components were planned.
    pub total_components: u32,
    /// In order of the plan.
    pub components: Vec<ComponentState>,
    /// Tries of its hooks.
    pub hooks: Progress,
    /// `status.retentionPolicy[]`.
    pub retention: Vec<Retention>,
    /// Facts.
    pub conditions: Conditions,
    /// Why it was stopped, if it was.
    pub cancelled: Option<StopCause>,
    /// When nothing was left to move, whatever came of it.
    pub work_ended_at: Option<Timestamp>,
    /// When its phase became final.
    pub ended_at: Option<Timestamp>,
    /// `status.nextRetry`.
    pub retry_at: Option<Timestamp>,
    /// The retry, once it exists.
    pub retried_by: Option<Uid>,
}

/// What a session takes from its configuration when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Target.
    pub target: Option<TypedRef>,
    /// The session's own part of the spec.
    pub spec: SessionSpec,
    /// Backends with defaults filled in.
    pub backends: Vec<ChosenBackend>,
    /// A partial component is a success.
    pub allow_partial: bool,
}

/// One entry of `status.snapshots[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSummary {
    /// The snapshot.
    pub uid: Uid,
    /// Its namespace and name.
    pub key: Key,
    /// Its repository.
    pub repository: Uid,
    /// What is backed up.
    pub app: TypedRef,
    /// Its phase after its last event.
    pub phase: SnapshotPhase,
}

/// One entry of `status.retentionPolicy[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The repository.
    pub repository: Uid,
    /// The policy.
    pub policy: Key,
    /// How many snapshots it removes.
    pub removing: u32,
    /// Absent while it goes on (`Pending`); then `Applied`, or `FailedToApply` with its error.
    pub result: Option<Result<(), String>>,
}

impl Backup {
    /// The component of this name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&ComponentState> {
        work::find(&self.components, name)
    }

    /// It started, and its phase is not final.
    #[must_use]
    pub fn is_going(&self) -> bool {
        !matches!(self.step, Step::Created | Step::Queued | Step::Skipped | Step::Finished)
    }

    /// Its phase is final.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.step, Step::Skipped | Step::Finished)
    }

    /// It came to a step; the first one at which nothing is left to move is when its work ended.
    pub(crate) fn come_to(&mut self, at: Timestamp, step: Step) {
        self.step = step;
        if self.is_work_over() {
            self.work_ended_at.get_or_insert(at);
        }
    }

    /// Nothing is left to move: every planned component ended, or the work was given up.
    #[must_use]
    pub fn is_work_over(&self) -> bool {
        match self.step {
            Step::Closing | Step::Retaining | Step::Finished => true,
            Step::Working => self.components.iter().all(|c| c.outcome.is_some()),
            _ => false,
        }
    }
}
