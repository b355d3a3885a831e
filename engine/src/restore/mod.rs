//! RestoreSession: one run of a restore.

pub(crate) mod apply;
mod bounds;
pub mod check;
pub(crate) mod decide;
pub mod phase;
pub mod source;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::backup::{Component, Frozen, Worker};
use crate::configuration::AddonRef;
use crate::hook::{HookSpec, Run, Stage};
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::outcome::Outcome;
use crate::run::StopCause;
use crate::time::{Millis, Timestamp};

/// `spec` as far as decisions use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Target; absent for manifests and volume snapshots.
    pub target: Option<TypedRef>,
    /// Where the data comes from.
    pub source: Source,
    /// Addon and its tasks.
    pub addon: AddonRef,
    /// `hooks.preRestore`.
    pub pre_hooks: Vec<HookSpec>,
    /// `hooks.postRestore`.
    pub post_hooks: Vec<HookSpec>,
    /// `restoreTimeout`.
    pub timeout: Option<Millis>,
    /// What is wrong with the object itself, found while translating it.
    pub invalid: Option<String>,
}

/// `dataSource`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// Namespace of repository and snapshot.
    pub namespace: String,
    /// Repository; needed for `latest` and for a point in time.
    pub repository: Option<String>,
    /// Snapshot name, or `latest`.
    pub snapshot: Option<String>,
    /// Point in time, and whether a snapshot at exactly that instant is excluded.
    pub point_in_time: Option<(Timestamp, bool)>,
    /// Components to restore, as written; empty: all.
    pub components: Vec<String>,
    /// Encryption Secret.
    pub secret: Option<Key>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The object exists; a RestoreSession runs once, a later spec is ignored once it has started.
    Declare {
        /// The object's uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// `metadata.generation`.
        generation: u64,
        /// Content hash.
        hash: Hash,
        /// The fields that decisions use.
        spec: Spec,
    },
    /// The facts around it may have changed: check again, if it has not started.
    Reconcile {
        /// The restore.
        uid: Uid,
    },
    /// The object is to be deleted.
    Delete {
        /// The restore.
        session: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// First seen, or seen with another spec before its start.
    Declared {
        /// The object's uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// `metadata.generation`.
        generation: u64,
        /// Content hash.
        hash: Hash,
        /// The fields that decisions use.
        spec: Spec,
    },
    /// The checks were passed (condition ValidationPassed=True).
    ValidationPassed {
        /// The restore.
        uid: Uid,
    },
    /// The checks were not passed (condition ValidationPassed=False).
    ValidationFailed {
        /// The restore.
        uid: Uid,
        /// CamelCase reason.
        reason: String,
        /// Which field, and what to do.
        message: String,
    },
    /// The target could not be found (condition RestoreTargetFound=False).
    TargetNotFound {
        /// The restore.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// It runs.
    Started {
        /// The restore.
        uid: Uid,
        /// The chosen snapshot.
        snapshot: Uid,
        /// `status.restoreDeadline`.
        deadline: Option<Timestamp>,
        /// What it holds fixed.
        frozen: Frozen,
    },
    /// The target's hosts are known; one `ComponentPlanned` for each component follows.
    Surveyed {
        /// The restore.
        uid: Uid,
        /// How many components (`status.totalComponents`).
        components: u32,
    },
    /// One component to restore.
    ComponentPlanned {
        /// The restore.
        uid: Uid,
        /// The name that was asked for, echoed in the status.
        asked: String,
        /// The component, by its name in the snapshot.
        component: Component,
    },
    /// A try of a hook began.
    HookStarted {
        /// The restore.
        uid: Uid,
        /// Which try of which hook.
        run: Run,
    },
    /// A try of a hook ended.
    HookEnded {
        /// The restore.
        uid: Uid,
        /// Which try of which hook.
        run: Run,
        /// What came of it.
        outcome: Outcome,
    },
    /// All hooks of a stage are through (conditions Pre/PostRestoreHooksExecutionSucceeded).
    HooksFinished {
        /// The restore.
        uid: Uid,
        /// Which stage.
        stage: Stage,
        /// The first failure, if any.
        outcome: Outcome,
    },
    /// An attempt at a component began.
    AttemptStarted {
        /// The restore.
        uid: Uid,
        /// Component name.
        component: String,
        /// Starts at 1.
        number: u32,
    },
    /// The attempt has a worker.
    WorkerObserved {
        /// The restore.
        uid: Uid,
        /// Component name.
        component: String,
        /// The attempt's number.
        number: u32,
        /// Which worker.
        worker: Worker,
    },
    /// Every component has a worker (condition RestoreExecutorEnsured=True).
    ExecutorEnsured {
        /// The restore.
        uid: Uid,
    },
    /// Some component has none (condition RestoreExecutorEnsured=False).
    ExecutorNotEnsured {
        /// The restore.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// A component ended.
    ComponentEnded {
        /// The restore.
        uid: Uid,
        /// Component name.
        component: String,
        /// The attempt's number.
        number: u32,
        /// What came of it.
        outcome: Outcome,
        /// How long it took.
        duration: Millis,
    },
    /// A worker ended before its component did (condition RestoreIncomplete=True).
    Incomplete {
        /// The restore.
        uid: Uid,
        /// Which worker and how it ended.
        message: String,
    },
    /// Its deadline passed (condition DeadlineExceeded=True).
    DeadlineExceeded {
        /// The restore.
        uid: Uid,
    },
    /// It was stopped.
    Cancelled {
        /// The restore.
        uid: Uid,
        /// Why.
        cause: StopCause,
    },
    /// The final step (condition MetricsPushed=True); the phase is terminal from here on.
    MetricsPushed {
        /// The restore.
        uid: Uid,
    },
    /// It left the state; its events stay in the log.
    Archived {
        /// The restore.
        uid: Uid,
    },
}

impl Event {
    /// The restore.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { uid, .. }
            | Self::ValidationPassed { uid }
            | Self::ValidationFailed { uid, .. }
            | Self::TargetNotFound { uid, .. }
            | Self::Started { uid, .. }
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
            | Self::Incomplete { uid, .. }
            | Self::DeadlineExceeded { uid }
            | Self::Cancelled { uid, .. }
            | Self::MetricsPushed { uid }
            | Self::Archived { uid } => *uid,
        }
    }
}
