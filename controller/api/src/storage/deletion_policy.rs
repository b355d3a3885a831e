//! What deleting an object does to the data behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What deleting the object does to the data behind it.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum DeletionPolicy {
    /// The objects go, the data stays.
    Delete,
    /// The data goes as well.
    WipeOut,
}

/// What deleting a BackupConfiguration does to a Repository made for it.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum RepositoryDeletionPolicy {
    /// The Repository goes, its data stays.
    Delete,
    /// The Repository and its data go.
    WipeOut,
    /// The Repository stays.
    Retain,
}
