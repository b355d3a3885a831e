//! BackupStorage: where repositories live.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod state;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::ids::{Hash, Key, Uid};
use crate::time::Timestamp;
use crate::usage::UsagePolicy;

/// `spec` as far as decisions use it; the whole object lies in the attachment store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// `spec.storage.provider`.
    pub provider: Provider,
    /// What makes two storages the same directory (behaviour reference, section 11); empty: never.
    pub identity: String,
    /// Credential Secret, in the storage's namespace.
    pub secret: Option<Key>,
    /// Who may use it.
    pub usage: Option<UsagePolicy>,
    /// `spec.default`.
    pub default: bool,
    /// `spec.deletionPolicy`.
    pub deletion: DeletionPolicy,
    /// Why this storage can be used from its own namespace only, when that is so (a claim).
    pub own_namespace_only: bool,
    /// What is wrong with the object itself, found while translating it.
    pub invalid: Option<String>,
}

/// Kinds of backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Provider {
    Local,
    S3,
    Gcs,
    Azure,
}

/// What deletion does to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// Objects go, data stays.
    Delete,
    /// Data goes too.
    WipeOut,
    /// The objects stay as well (only as a configuration's wish for its repositories).
    Retain,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The object exists with this spec.
    Declare(Declared<Spec>),
    /// What failed is due to be tried again.
    Retry {
        /// The storage.
        uid: Uid,
    },
    /// The object is to be deleted.
    Delete {
        /// The storage.
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
    /// The backend is checked again.
    InitializationRequested {
        /// The storage.
        uid: Uid,
    },
    /// The backend can be used (condition BackendInitialized=True).
    BackendInitialized {
        /// The storage.
        uid: Uid,
    },
    /// The backend cannot be used (condition BackendInitialized=False).
    BackendInitializationFailed {
        /// The storage.
        uid: Uid,
        /// Why, and what to do.
        message: String,
        /// When it is tried again; absent: not by itself.
        retry_at: Option<Timestamp>,
    },
    /// Deletion began; its repositories and snapshots go first.
    DeletionRequested {
        /// The storage.
        uid: Uid,
    },
    /// The storage is gone from the state.
    Deleted {
        /// The storage.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// Whether data was wiped.
        wiped: bool,
    },
}

impl From<Declared<Spec>> for Event {
    fn from(Declared { uid, key, generation, hash, spec }: Declared<Spec>) -> Self {
        Self::Declared { uid, key, generation, hash, spec }
    }
}

impl Event {
    /// The storage.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { uid, .. }
            | Self::InitializationRequested { uid }
            | Self::BackendInitialized { uid }
            | Self::BackendInitializationFailed { uid, .. }
            | Self::DeletionRequested { uid }
            | Self::Deleted { uid, .. } => *uid,
        }
    }
}
