//! Snapshot: what one session committed to one repository, as the fold over its components.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod phase;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dependency::Driver;
use crate::ids::{Key, TypedRef, Uid};
use crate::outcome::Outcome;
use crate::report::{Grade, PathResult};
use crate::storage::DeletionPolicy;
use crate::time::{Millis, Timestamp};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A snapshot found in a repository that the log does not know.
    Adopt {
        /// Uid for it.
        uid: Uid,
        /// The repository.
        repository: Uid,
        /// Namespace and name.
        key: Key,
        /// Session name.
        session: String,
        /// When it was taken.
        taken: Timestamp,
        /// Components: name, commit object, complete.
        components: Vec<(String, String, bool)>,
    },
    /// The object is to be deleted.
    Delete {
        /// The snapshot.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Made for a session and a repository.
    Created {
        /// Its uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// The repository.
        repository: Uid,
        /// The BackupSession.
        backup: Uid,
        /// Session name.
        session: String,
        /// What is backed up.
        app: TypedRef,
        /// What deletion does to its data.
        deletion: DeletionPolicy,
    },
    /// Found in a repository.
    Adopted {
        /// Its uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// The repository.
        repository: Uid,
        /// Session name.
        session: String,
        /// What was backed up.
        app: TypedRef,
        /// When it was taken.
        taken: Timestamp,
    },
    /// The repository lists it (condition RecentSnapshotListUpdated=True).
    ListUpdated {
        /// The snapshot.
        uid: Uid,
    },
    /// How many components it will have (`status.totalComponents`).
    ComponentsCounted {
        /// The snapshot.
        uid: Uid,
        /// How many.
        total: u32,
    },
    /// A component is being written.
    ComponentStarted {
        /// The snapshot.
        uid: Uid,
        /// Component name.
        component: String,
        /// KubeStash's path string, a label.
        path: String,
        /// Mover.
        driver: Driver,
    },
    /// What one path of a component came to.
    PathRecorded {
        /// The snapshot.
        uid: Uid,
        /// Component name.
        component: String,
        /// What it came to.
        result: PathResult,
    },
    /// A component is committed, or failed.
    ComponentEnded {
        /// The snapshot.
        uid: Uid,
        /// Component name.
        component: String,
        /// What came of it.
        outcome: Outcome,
        /// Name of the commit object; empty: none.
        commit: String,
        /// Committed, but not everything could be read; never chosen by `latest`.
        partial: bool,
        /// The source had no entry at all (condition SourceEmpty).
        source_empty: bool,
        /// How far it is proven.
        grade: Grade,
        /// Bytes of the whole repository afterwards.
        size: u64,
        /// How long it took.
        duration: Millis,
    },
    /// Its worker ended before its components did (condition BackupIncomplete=True).
    Incomplete {
        /// The snapshot.
        uid: Uid,
        /// Which worker and how it ended.
        message: String,
    },
    /// Its description lies beside the data (condition SnapshotMetadataUploaded).
    MetadataUploaded {
        /// The snapshot.
        uid: Uid,
        /// What came of it.
        outcome: Outcome,
    },
    /// It is to be removed: by retention of a session, or by a deletion.
    RemovalRequested {
        /// The snapshot.
        uid: Uid,
        /// The session whose retention asked; absent for a deletion.
        by: Option<Uid>,
        /// Remove its data too, not only the object.
        wipe: bool,
    },
    /// Its removal failed; it stays.
    RemovalFailed {
        /// The snapshot.
        uid: Uid,
        /// Why.
        message: String,
    },
    /// It left the state; its events stay in the log.
    Forgotten {
        /// The snapshot.
        uid: Uid,
        /// The repository that it lay in.
        repository: Uid,
        /// The session whose retention had asked for that.
        by: Option<Uid>,
    },
}

impl Event {
    /// The snapshot.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Created { uid, .. }
            | Self::Adopted { uid, .. }
            | Self::ListUpdated { uid }
            | Self::ComponentsCounted { uid, .. }
            | Self::ComponentStarted { uid, .. }
            | Self::PathRecorded { uid, .. }
            | Self::ComponentEnded { uid, .. }
            | Self::Incomplete { uid, .. }
            | Self::MetadataUploaded { uid, .. }
            | Self::RemovalRequested { uid, .. }
            | Self::RemovalFailed { uid, .. }
            | Self::Forgotten { uid, .. } => *uid,
        }
    }
}
