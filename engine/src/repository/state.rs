//! What is known of a repository.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::condition::{Conditions, Type};
use crate::ids::{Key, TypedRef, Uid};
use crate::outcome::Failure;
use crate::storage::DeletionPolicy;
use crate::time::Timestamp;

/// A Repository as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// The configuration that it was made for.
    pub configuration: Uid,
    /// What is backed up.
    pub app: TypedRef,
    /// The storage.
    pub storage: Key,
    /// Path inside the storage.
    pub path: String,
    /// Encryption Secret.
    pub secret: Option<Key>,
    /// What deletion does to its data.
    pub deletion: DeletionPolicy,
    /// Identity written in the repository itself, once seen; another one is `RepositoryReplaced`.
    pub id: Option<Uid>,
    /// Why it cannot be used.
    pub failure: Option<Failure>,
    /// An initialisation is under way.
    pub initializing: bool,
    /// `RepositoryInitialized`.
    pub conditions: Conditions,
    /// Deletion began.
    pub deleting: bool,
    /// When what failed is tried again.
    pub retry_at: Option<Timestamp>,
    /// Failures in a row, without a change in between.
    pub failures: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Repository {
    /// Ready iff RepositoryInitialized is True (behaviour reference, section 2.6).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.is_true(Type::RepositoryInitialized)
    }
}
