//! RetentionPolicy, and which snapshots it keeps.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod period;
pub mod select;
pub mod state;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::ids::{Hash, Key, Uid};
use crate::usage::UsagePolicy;

/// `spec` as far as decisions use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// `maxRetentionPeriod` as written, in the period grammar; empty: no limit.
    pub max_period: String,
    /// `successfulSnapshots`; absent: only the period applies.
    pub successful: Option<Keep>,
    /// `failedSnapshots.last`.
    pub failed_last: u32,
    /// Who may use it.
    pub usage: Option<UsagePolicy>,
    /// `spec.default`.
    pub default: bool,
    /// What is wrong with the object itself, found while translating it.
    pub invalid: Option<String>,
}

/// How many to keep in each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub struct Keep {
    pub last: Option<u32>,
    pub hourly: Option<u32>,
    pub daily: Option<u32>,
    pub weekly: Option<u32>,
    pub monthly: Option<u32>,
    pub yearly: Option<u32>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The object exists with this spec.
    Declare(Declared<Spec>),
    /// The object is gone.
    Delete {
        /// The policy.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// First seen, or seen with another spec.
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
    /// No longer there.
    Deleted {
        /// The policy.
        uid: Uid,
        /// Namespace and name.
        key: Key,
    },
}

impl From<Declared<Spec>> for Event {
    fn from(Declared { uid, key, generation, hash, spec }: Declared<Spec>) -> Self {
        Self::Declared { uid, key, generation, hash, spec }
    }
}

impl Event {
    /// The policy.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { uid, .. } | Self::Deleted { uid, .. } => *uid,
        }
    }
}
