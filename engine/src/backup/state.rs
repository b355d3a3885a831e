//! What is known of a backup session.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::backup::Trigger;
use crate::configuration::SessionSpec;
use crate::configuration::state::ChosenBackend;
use crate::ids::{Key, TypedRef, Uid};
use crate::run::queue::Waiter;
use crate::run::state::Run;
use crate::snapshot::phase::Phase as SnapshotPhase;
use crate::time::{Millis, Timestamp};

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
    /// What it has in common with every run; read as its own.
    pub run: Run,
    /// For which session it waits, while queued.
    pub behind: Option<Uid>,
    /// Until when it waits at most, while queued.
    pub until: Option<Timestamp>,
    /// What it holds fixed of its configuration, from its start.
    pub plan: Option<Plan>,
    /// `status.totalSnapshots`.
    pub total_snapshots: u32,
    /// `status.snapshots[]`: kept when the snapshots themselves are gone.
    pub snapshots: Vec<SnapshotSummary>,
    /// `status.retentionPolicy[]`.
    pub retention: Vec<Retention>,
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
    /// How it stands in the queue of workers.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let due_at = match self.trigger {
            Trigger::Slot { slot } => slot,
            _ => self.created_at,
        };
        let (uid, namespace) = (self.uid, self.key.namespace.as_str());
        let freezes = self.plan.as_ref().is_some_and(|plan| !plan.spec.pre_hooks.is_empty());
        Waiter { uid, namespace, due_at, freezes, run: &self.run }
    }
}

impl Deref for Backup {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}
