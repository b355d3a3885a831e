//! What is known of a storage.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::condition::{Conditions, Type};
use crate::ids::{Hash, Key, Uid};
use crate::storage::Spec;
use crate::time::Timestamp;

/// A BackupStorage as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The object's uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// Content hash.
    pub hash: Hash,
    /// The fields that decisions use.
    pub spec: Spec,
    /// `BackendInitialized`.
    pub conditions: Conditions,
    /// Deletion began.
    pub deleting: bool,
    /// Its repositories are gone, and its own data goes now.
    pub wiping: bool,
    /// Why a wipe did not succeed, when one was tried.
    pub wipe_error: Option<String>,
    /// When what failed is tried again.
    pub retry_at: Option<Timestamp>,
    /// Failures in a row, without a change in between.
    pub failures: u32,
    /// When it was first declared.
    pub created_at: Timestamp,
}

impl Storage {
    /// The backend was initialised with the spec as it is (views join the Secret's presence).
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.conditions.is_true(Type::BackendInitialized)
    }

    /// Why its backend cannot be used where it cannot, for messages of those who use it.
    #[must_use]
    pub fn why_unusable(&self) -> String {
        match self.conditions.get(Type::BackendInitialized) {
            Some(condition) => condition.message.clone().into_owned(),
            None => "its backend has not been checked yet".into(),
        }
    }
}
