//! BackupSession: one run of one session of a configuration.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod phase;
mod plan;
mod session;
pub mod state;
pub(crate) mod words;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::{Key, Uid};
use crate::run;
pub use crate::run::{Component, Frozen, Worker};
use crate::time::{Millis, Timestamp};

/// Why a session exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// The first backup of a new configuration.
    Initial,
    /// A slot of the schedule.
    Slot {
        /// The slot.
        slot: Timestamp,
    },
    /// A failed session is tried again.
    Retry {
        /// The failed one.
        of: Uid,
    },
    /// Somebody asked for it: a BackupSession object, or the command line.
    Manual,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A session is wanted by an object or a person; schedules and retries make theirs inside.
    Create {
        /// Uid of the BackupSession object.
        uid: Uid,
        /// Namespace and name; an empty name is filled by the naming rule.
        key: Key,
        /// Name of the configuration, in the same namespace.
        configuration: String,
        /// Session name.
        session: String,
        /// `spec.retryLeft`.
        retry_left: u32,
        /// `spec.backupTimeout`.
        timeout: Option<Millis>,
        /// The slot, when a CronJob asked; absent: a manual run.
        slot: Option<Timestamp>,
    },
    /// Its retry is due.
    Retry {
        /// The failed session.
        session: Uid,
    },
    /// It waited for another session of its configuration; look again.
    Resume {
        /// The waiting session.
        session: Uid,
    },
    /// The object is to be deleted.
    Delete {
        /// The session.
        session: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session exists.
    Created {
        /// Its uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// Why it exists.
        trigger: Trigger,
        /// Retries left after this one.
        retry_left: u32,
        /// Limit of its duration.
        timeout: Option<Millis>,
    },
    /// It does not run (condition BackupSkipped=True).
    Skipped {
        /// The session.
        uid: Uid,
        /// Why.
        reason: String,
    },
    /// It waits for another session of the configuration.
    Queued {
        /// The session.
        uid: Uid,
        /// For which.
        behind: Uid,
        /// Until when at most; then it is skipped.
        until: Option<Timestamp>,
    },
    /// It runs.
    Started {
        /// The session.
        uid: Uid,
        /// `status.backupDeadline`.
        deadline: Option<Timestamp>,
        /// What it holds fixed.
        frozen: Frozen,
    },
    /// It went on as every run does.
    Run {
        /// What happened.
        event: run::Event,
    },
    /// All snapshots exist (condition SnapshotsEnsured=True).
    SnapshotsEnsured {
        /// The session.
        uid: Uid,
        /// How many.
        total: u32,
    },
    /// Snapshots could not be made (condition SnapshotsEnsured=False).
    SnapshotsNotEnsured {
        /// The session.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// Retention of one repository began (condition RetentionPolicyExecutorEnsured=True).
    RetentionStarted {
        /// The session.
        uid: Uid,
        /// The repository.
        repository: Uid,
        /// The policy.
        policy: Key,
        /// How many snapshots it removes.
        removing: u32,
    },
    /// Retention of one repository is through.
    RetentionApplied {
        /// The session.
        uid: Uid,
        /// The repository.
        repository: Uid,
    },
    /// Retention of one repository failed.
    RetentionFailed {
        /// The session.
        uid: Uid,
        /// The repository.
        repository: Uid,
        /// The policy.
        policy: Key,
        /// Why.
        message: String,
    },
    /// Older sessions beyond the history limit are archived (condition SessionHistoryCleaned=True).
    HistoryCleaned {
        /// The session.
        uid: Uid,
    },
    /// The final step (condition MetricsPushed=True); the phase is terminal from here on.
    MetricsPushed {
        /// The session.
        uid: Uid,
    },
    /// It failed and will be tried again.
    RetryScheduled {
        /// The session.
        uid: Uid,
        /// When.
        at: Timestamp,
    },
    /// The retry exists.
    Retried {
        /// The failed session.
        uid: Uid,
        /// The new one.
        by: Uid,
    },
    /// It left the state; its events stay in the log.
    Archived {
        /// The session.
        uid: Uid,
    },
}

impl Event {
    /// The session.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Run { event } => event.uid(),
            Self::Created { uid, .. }
            | Self::Skipped { uid, .. }
            | Self::Queued { uid, .. }
            | Self::Started { uid, .. }
            | Self::SnapshotsEnsured { uid, .. }
            | Self::SnapshotsNotEnsured { uid, .. }
            | Self::RetentionStarted { uid, .. }
            | Self::RetentionApplied { uid, .. }
            | Self::RetentionFailed { uid, .. }
            | Self::HistoryCleaned { uid }
            | Self::MetricsPushed { uid }
            | Self::RetryScheduled { uid, .. }
            | Self::Retried { uid, .. }
            | Self::Archived { uid } => *uid,
        }
    }
}
