//! BackupSession: one run of one session of a configuration.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod phase;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dependency::Driver;
use crate::hook::{Run, Stage};
use crate::ids::{Hash, Key, Uid};
use crate::outcome::Outcome;
use crate::run::StopCause;
use crate::survey::Volume;
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

/// A component as planned: what one worker moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// `pod-N`, `dump`, `dump-<node>`, `manifest`.
    pub name: String,
    /// Mover.
    pub driver: Driver,
    /// Name of the task.
    pub task: String,
    /// The task's parameters with defaults and variables resolved.
    pub params: Vec<(String, String)>,
    /// Pod whose volumes are used; empty: none.
    pub pod: String,
    /// Node to run on; empty: any.
    pub node: String,
    /// Volumes to mount.
    pub volumes: Vec<Volume>,
}

/// What a session holds fixed from its start (design 4.1 f): content hashes of other objects.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Frozen {
    /// The configuration or the restore itself.
    pub invoker: Hash,
    /// The Addon.
    pub addon: Hash,
    /// Functions by name.
    pub functions: Vec<(String, Hash)>,
    /// Hook templates by key.
    pub hooks: Vec<(Key, Hash)>,
}

/// Where a worker runs: fences its reports together with the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Worker {
    /// Uid of the Job (of the child process in local mode).
    pub job: Uid,
    /// Uid of the pod; equal to the Job's in local mode.
    pub pod: Uid,
}

impl Worker {
    /// Whether a report comes from the worker that was recorded. A pod that was not known yet when the
    /// worker was recorded is taken from the report.
    #[must_use]
    pub fn is(self, given: Self) -> bool {
        self.job == given.job && (self.pod == Uid::default() || self.pod == given.pod)
    }
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
    /// The target's hosts are known; one `ComponentPlanned` for each component follows.
    Surveyed {
        /// The session.
        uid: Uid,
        /// How many components.
        components: u32,
    },
    /// One component to move.
    ComponentPlanned {
        /// The session.
        uid: Uid,
        /// The component.
        component: Component,
    },
    /// A try of a hook began.
    HookStarted {
        /// The session.
        uid: Uid,
        /// Which try of which hook.
        run: Run,
    },
    /// A try of a hook ended.
    HookEnded {
        /// The session.
        uid: Uid,
        /// Which try of which hook.
        run: Run,
        /// What came of it.
        outcome: Outcome,
    },
    /// All hooks of a stage are through (conditions Pre/PostBackupHooksExecutionSucceeded).
    HooksFinished {
        /// The session.
        uid: Uid,
        /// Which stage.
        stage: Stage,
        /// The first failure, if any.
        outcome: Outcome,
    },
    /// An attempt at a component began.
    AttemptStarted {
        /// The session.
        uid: Uid,
        /// Component name.
        component: String,
        /// Starts at 1.
        number: u32,
    },
    /// The attempt has a worker.
    WorkerObserved {
        /// The session.
        uid: Uid,
        /// Component name.
        component: String,
        /// The attempt's number.
        number: u32,
        /// Which worker.
        worker: Worker,
    },
    /// Every component has a worker (condition BackupExecutorEnsured=True).
    ExecutorEnsured {
        /// The session.
        uid: Uid,
    },
    /// Some component has none (condition BackupExecutorEnsured=False).
    ExecutorNotEnsured {
        /// The session.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// A component ended; what was committed stands in the snapshots' streams.
    ComponentEnded {
        /// The session.
        uid: Uid,
        /// Component name.
        component: String,
        /// The attempt's number.
        number: u32,
        /// What came of it.
        outcome: Outcome,
        /// How long it worked.
        duration: Millis,
    },
    /// Its deadline passed (condition DeadlineExceeded=True).
    DeadlineExceeded {
        /// The session.
        uid: Uid,
    },
    /// It was stopped.
    Cancelled {
        /// The session.
        uid: Uid,
        /// Why.
        cause: StopCause,
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
            Self::Created { uid, .. }
            | Self::Skipped { uid, .. }
            | Self::Queued { uid, .. }
            | Self::Started { uid, .. }
            | Self::SnapshotsEnsured { uid, .. }
            | Self::SnapshotsNotEnsured { uid, .. }
            | Self::Surveyed { uid, .. }
            | Self::ComponentPlanned { uid, .. }
            | Self::HookStarted { uid, .. }
            | Self::HookEnded { uid, .. }
            | Self::HooksFinished { uid, .. }
            | Self::AttemptStarted { uid, .. }
            | Self::WorkerObserved { uid, .. }
            | Self::ExecutorEnsured { uid }
            | Self::ExecutorNotEnsured { uid, .. }
            | Self::ComponentEnded { uid, .. }
            | Self::DeadlineExceeded { uid }
            | Self::Cancelled { uid, .. }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world::{named, worker};

    #[test]
    fn a_pod_that_was_not_seen_is_whoever_reports_from_the_job() {
        let known = worker();
        let unseen = Worker { pod: Uid::default(), ..known };
        let other_pod = Worker { pod: named("other"), ..known };
        let other_job = Worker { job: named("other"), ..known };
        for (recorded, given, same) in [
            (known, known, true),
            (known, other_pod, false),
            (known, other_job, false),
            (known, unseen, false),
            (unseen, known, true),
            (unseen, other_pod, true),
            (unseen, other_job, false),
        ] {
            assert_eq!(recorded.is(given), same, "{recorded:?} {given:?}");
        }
    }
}
