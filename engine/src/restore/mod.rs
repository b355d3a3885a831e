//! RestoreSession: one run of a restore.

pub(crate) mod apply;
mod bounds;
pub mod check;
pub(crate) mod decide;
pub mod phase;
mod session;
pub mod source;
pub mod state;
pub(crate) mod words;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::configuration::AddonRef;
use crate::declared::Declared;
use crate::hook::HookSpec;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::run::{self, Frozen};
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
    Declare(Declared<Spec>),
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
    /// It went on as every run does.
    Run {
        /// What happened.
        event: run::Event,
    },
    /// A worker ended before its component did (condition RestoreIncomplete=True).
    Incomplete {
        /// The restore.
        uid: Uid,
        /// Which worker and how it ended.
        message: String,
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

impl From<Declared<Spec>> for Event {
    fn from(Declared { uid, key, generation, hash, spec }: Declared<Spec>) -> Self {
        Self::Declared { uid, key, generation, hash, spec }
    }
}

impl Event {
    /// The restore.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Run { event } => event.uid(),
            Self::Declared { uid, .. }
            | Self::ValidationPassed { uid }
            | Self::ValidationFailed { uid, .. }
            | Self::TargetNotFound { uid, .. }
            | Self::Started { uid, .. }
            | Self::Incomplete { uid, .. }
            | Self::MetricsPushed { uid }
            | Self::Archived { uid } => *uid,
        }
    }
}
