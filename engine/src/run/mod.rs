//! The run of a session, the same for a backup and a restore: what workers say, and what ends it.

pub(crate) mod decide;

use alloc::string::String;

use serde::{Deserialize, Serialize};

pub use crate::backup::{Component, Frozen, Worker};
use crate::ids::{Attempt, Uid};
use crate::outcome::Failure;
use crate::report::{BackupReport, RestoreReport};

/// What can be asked. The session's uid says whether it is a backup or a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The worker's own report.
    WorkerReported {
        /// The attempt; a superseded one is a conflict.
        attempt: Attempt,
        /// Which worker.
        worker: Worker,
        /// What it did.
        report: Report,
    },
    /// The worker ended without a report, or is gone.
    WorkerVanished {
        /// The attempt.
        attempt: Attempt,
        /// Why, as far as known: container, exit code, reason.
        failure: Failure,
    },
    /// Stop it.
    Cancel {
        /// The session.
        session: Uid,
        /// Why.
        cause: StopCause,
    },
    /// Its deadline may have passed; a no-op rejection when not.
    Expire {
        /// The session.
        session: Uid,
    },
}

/// What a worker did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// At a component of a backup.
    Backup(BackupReport),
    /// At a component of a restore.
    Restore(RestoreReport),
}

/// Why a session is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// Somebody asked for it, in these words.
    Asked(String),
    /// Its object is being deleted; it is archived as soon as it has ended.
    Deleted,
    /// Its configuration is being deleted.
    ConfigurationDeleted,
    /// A later session takes its place.
    Replaced {
        /// Name of the later one.
        by: String,
    },
}

impl StopCause {
    /// The cause in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Asked(words) => words.clone(),
            Self::Deleted => "its object is being deleted".into(),
            Self::ConfigurationDeleted => "its configuration is being deleted".into(),
            Self::Replaced { by } => alloc::format!("replaced by {by}"),
        }
    }
}

impl From<&str> for StopCause {
    fn from(words: &str) -> Self {
        Self::Asked(words.into())
    }
}
