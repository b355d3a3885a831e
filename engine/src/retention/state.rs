//! What is known of a retention policy.

use serde::{Deserialize, Serialize};

use crate::ids::{Hash, Key, Uid};
use crate::retention::Spec;

/// A RetentionPolicy as last declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
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
}
