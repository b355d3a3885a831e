//! Repository: one encrypted store of snapshots, below one path of one storage.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod state;
pub(crate) mod wanted;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::ids::{Key, TypedRef, Uid};
use crate::outcome::Failure;
use crate::storage::DeletionPolicy;
use crate::time::Timestamp;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Try again what failed before (its Secret or storage changed).
    Reconcile {
        /// The repository.
        uid: Uid,
    },
    /// The object is to be deleted.
    Delete {
        /// The repository.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Made for a configuration.
    Created {
        /// Its uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// The configuration.
        configuration: Uid,
        /// What is backed up.
        app: TypedRef,
        /// The storage.
        storage: Key,
        /// Path inside the storage.
        path: String,
        /// Encryption Secret.
        secret: Option<Key>,
        /// What deletion does to its data.
        deletion: DeletionPolicy,
    },
    /// Secret or deletion policy changed; path and storage cannot.
    Updated {
        /// The repository.
        uid: Uid,
        /// Encryption Secret.
        secret: Option<Key>,
        /// What deletion does to its data.
        deletion: DeletionPolicy,
    },
    /// It can be used (condition RepositoryInitialized=True).
    Initialized {
        /// The repository.
        uid: Uid,
        /// Identity written in the repository itself.
        id: Uid,
    },
    /// It cannot be used (condition RepositoryInitialized=False).
    InitializationFailed {
        /// The repository.
        uid: Uid,
        /// What failed.
        failure: Failure,
        /// When it is tried again; absent: not by itself.
        retry_at: Option<Timestamp>,
    },
    /// It is opened, or made: for the first time, after a failure, or because what opens it changed.
    InitializationRequested {
        /// The repository.
        uid: Uid,
    },
    /// Deletion began.
    DeletionRequested {
        /// The repository.
        uid: Uid,
    },
    /// The repository is gone from the state; its snapshots follow.
    Deleted {
        /// The repository.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// The storage that it lay in.
        storage: Key,
        /// Whether its data was wiped.
        wiped: bool,
        /// The configuration that it was made for.
        configuration: Uid,
    },
}

impl Event {
    /// The repository.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Created { uid, .. }
            | Self::Updated { uid, .. }
            | Self::Initialized { uid, .. }
            | Self::InitializationFailed { uid, .. }
            | Self::InitializationRequested { uid }
            | Self::DeletionRequested { uid }
            | Self::Deleted { uid, .. } => *uid,
        }
    }
}
