//! The run of a session, the same for a backup and a restore: survey, hooks, components, attempts, and
//! what ends it.
//!
//! What differs (how hosts become components, what a report means, what closing waits for, names of
//! conditions) is [`session::Session`], which both implement. A run has no stream of its own: its events
//! stand in its session's.

pub(crate) mod apply;
pub mod component;
pub(crate) mod decide;
pub(crate) mod expiry;
pub mod limit;
pub mod phase;
pub(crate) mod queue;
pub(crate) mod session;
pub mod state;
pub(crate) mod words;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dependency::Driver;
use crate::hook::{Run as Try, Stage};
use crate::ids::{Attempt, Hash, Key, Uid};
use crate::outcome::{Failure, Outcome};
use crate::report::{BackupReport, RestoreReport};
use crate::run::limit::Lack;
use crate::survey::{Surroundings, Volume};
use crate::time::Millis;

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
    /// What the worker's pod copies from its host; of a task without a host nothing.
    pub surroundings: Surroundings,
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

/// What can be asked. The session's uid says whether it is a backup or a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The worker's own report.
    WorkerReported {
        /// The attempt; a superseded one is a conflict.
        attempt: Attempt,
        /// Which worker.
        worker: Worker,
        /// What it did.
        report: Report,
    },
    /// The worker ended without a report, or is gone.
    WorkerVanished {
        /// The attempt.
        attempt: Attempt,
        /// Why, as far as known: container, exit code, reason.
        failure: Failure,
    },
    /// Stop it.
    Cancel {
        /// The session.
        session: Uid,
        /// Why.
        cause: StopCause,
    },
    /// Its deadline may have passed; a no-op rejection when not.
    Expire {
        /// The session.
        session: Uid,
    },
    /// Places are free that somebody waits for; a no-op rejection when not.
    BeginWaiting,
}

/// What a worker did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// At a component of a backup.
    Backup(BackupReport),
    /// At a component of a restore.
    Restore(RestoreReport),
}

/// Why a session is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// Somebody asked for it, in these words.
    Asked(String),
    /// Its object is being deleted; it is archived as soon as it has ended.
    Deleted,
    /// Its configuration is being deleted.
    ConfigurationDeleted,
    /// A later session takes its place.
    Replaced {
        /// Name of the later one.
        by: String,
    },
    /// No place for a worker became free in time.
    NoWorker,
}

impl StopCause {
    /// The cause in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Asked(words) => words.clone(),
            Self::Deleted => "its object is being deleted".into(),
            Self::ConfigurationDeleted => "its configuration is being deleted".into(),
            Self::Replaced { by } => alloc::format!("replaced by {by}"),
            Self::NoWorker => "no place for a worker became free within a day".into(),
        }
    }
}

impl From<&str> for StopCause {
    fn from(words: &str) -> Self {
        Self::Asked(words.into())
    }
}

/// What happened to a run, whichever session it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The target's hosts are known; one `ComponentPlanned` for each component follows.
    Surveyed {
        /// The session.
        uid: Uid,
        /// How many components.
        components: u32,
        /// The storages that each of their workers has to do with.
        storages: Vec<Key>,
    },
    /// One component to move.
    ComponentPlanned {
        /// The session.
        uid: Uid,
        /// The name that was asked for, echoed in a restore's status; a backup's is the component's own.
        asked: String,
        /// The component; a restore's by its name in the snapshot.
        component: Component,
    },
    /// A try of a hook began.
    HookStarted {
        /// The session.
        uid: Uid,
        /// Which try of which hook.
        run: Try,
    },
    /// A try of a hook ended.
    HookEnded {
        /// The session.
        uid: Uid,
        /// Which try of which hook.
        run: Try,
        /// What came of it.
        outcome: Outcome,
    },
    /// All hooks of a stage are through (conditions `Pre…` and `Post…HooksExecutionSucceeded`).
    HooksFinished {
        /// The session.
        uid: Uid,
        /// Which stage.
        stage: Stage,
        /// The first failure, if any.
        outcome: Outcome,
    },
    /// What is left to begin waits for a worker (condition Queued=True).
    QueuedForWorker {
        /// The session.
        uid: Uid,
        /// Which limit was reached.
        lack: Lack,
        /// How high it is.
        limit: u32,
        /// What is left of its time; counts on from the moment at which something begins.
        left: Option<Millis>,
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
    /// Every component has a worker (condition `…ExecutorEnsured`=True).
    ExecutorEnsured {
        /// The session.
        uid: Uid,
    },
    /// Some component has none (condition `…ExecutorEnsured`=False).
    ExecutorNotEnsured {
        /// The session.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// A component ended; what a backup committed stands in the snapshots' streams.
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
        /// Its worker said so; otherwise it stayed unfinished.
        reported: bool,
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
}

impl Event {
    /// The session.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Surveyed { uid, .. }
            | Self::ComponentPlanned { uid, .. }
            | Self::HookStarted { uid, .. }
            | Self::HookEnded { uid, .. }
            | Self::HooksFinished { uid, .. }
            | Self::QueuedForWorker { uid, .. }
            | Self::AttemptStarted { uid, .. }
            | Self::WorkerObserved { uid, .. }
            | Self::ExecutorEnsured { uid }
            | Self::ExecutorNotEnsured { uid, .. }
            | Self::ComponentEnded { uid, .. }
            | Self::DeadlineExceeded { uid }
            | Self::Cancelled { uid, .. } => *uid,
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
