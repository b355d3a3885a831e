//! What is known of a hook template.

use serde::{Deserialize, Serialize};

use crate::hook::Spec;
use crate::ids::{Hash, Key, Uid};

/// A HookTemplate as last declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookTemplate {
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
