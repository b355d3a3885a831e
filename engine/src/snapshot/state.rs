//! What is known of a snapshot.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::condition::{Conditions, Type};
use crate::dependency::Driver;
use crate::ids::{Key, TypedRef, Uid};
use crate::outcome::Outcome;
use crate::report::{Grade, PathResult};
use crate::storage::DeletionPolicy;
use crate::time::{Millis, Timestamp};

/// A Snapshot as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// The repository.
    pub repository: Uid,
    /// The BackupSession; absent when it was found in a repository.
    pub backup: Option<Uid>,
    /// Namespace and name of that session, which it outlives.
    pub backup_key: Option<Key>,
    /// Session name.
    pub session: String,
    /// What was backed up.
    pub app: TypedRef,
    /// What deletion does to its data.
    pub deletion: DeletionPolicy,
    /// `status.snapshotTime`.
    pub taken: Timestamp,
    /// `status.totalComponents`.
    pub total: u32,
    /// In order of appearance.
    pub components: Vec<Component>,
    /// Facts.
    pub conditions: Conditions,
    /// It is to be removed.
    pub removal: Option<Removal>,
    /// Time of its last event.
    pub updated: Timestamp,
}

/// A component of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Component name.
    pub name: String,
    /// KubeStash's path string, a label.
    pub path: String,
    /// Mover.
    pub driver: Driver,
    /// What came of it; absent while it is being written.
    pub outcome: Option<Outcome>,
    /// Name of the commit object; empty: none.
    pub commit: String,
    /// Committed, but not everything could be read.
    pub partial: bool,
    /// The source had no entry at all.
    pub source_empty: bool,
    /// How far it is proven.
    pub grade: Grade,
    /// Bytes of the whole repository afterwards.
    pub size: u64,
    /// How long it took.
    pub duration: Millis,
    /// One entry for each path, in order.
    pub paths: Vec<PathResult>,
}

/// A removal that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The session whose retention asked; absent for a deletion.
    pub by: Option<Uid>,
    /// Remove its data too.
    pub wipe: bool,
    /// Why it failed, once it did.
    pub error: Option<String>,
}

impl Snapshot {
    /// The component of this name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }

    /// Some component is committed but not whole; such a snapshot is never chosen by `latest`.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.components.iter().any(|component| component.partial)
    }

    /// Nothing more will be written: every component ended, or its workers are gone.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.conditions.is_true(Type::BackupIncomplete)
            || (self.total > 0
                && self.components.iter().filter(|c| c.outcome.is_some()).count()
                    == usize::try_from(self.total).unwrap_or(usize::MAX))
    }
}
