//! What is to be done outside, once each. Effects are data; places carry them out.

use serde::{Deserialize, Serialize};

use crate::hook::Run;
use crate::ids::{Attempt, Uid};

/// Effects with an outcome that somebody waits for; each is answered by [`crate::outbox::Answer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Once {
    /// Check a storage's backend and write its description. Answer: `Done`.
    InitializeBackend {
        /// The storage.
        storage: Uid,
    },
    /// Open or initialise a repository. Answer: `Repository`.
    InitializeRepository {
        /// The repository.
        repository: Uid,
    },
    /// Remove everything below a repository's path. Answer: `Done`.
    WipeRepository {
        /// The repository.
        repository: Uid,
    },
    /// Remove a storage's own description. Answer: `Done`.
    WipeBackend {
        /// The storage.
        storage: Uid,
    },
    /// Ask for the target's hosts. Answer: `Hosts`.
    Survey {
        /// A backup's or a restore's uid.
        session: Uid,
    },
    /// Run one try of a hook. Answer: `Done`.
    RunHook {
        /// A backup's or a restore's uid.
        session: Uid,
        /// Which try of which hook.
        run: Run,
    },
    /// Start a worker. Answer: `Worker`.
    StartWorker {
        /// The attempt.
        attempt: Attempt,
    },
    /// Stop a worker and see that it is gone. Answer: `Done`.
    StopWorker {
        /// The attempt.
        attempt: Attempt,
    },
    /// Store a snapshot's description beside the data. Answer: `Done`.
    UploadMetadata {
        /// The snapshot.
        snapshot: Uid,
    },
    /// Remove a snapshot's commits from its repository. Answer: `Done`, which goes to the session that
    /// asked, or to the snapshot.
    RemoveSnapshot {
        /// The snapshot.
        snapshot: Uid,
        /// The session whose retention asked.
        by: Option<Uid>,
    },
}

impl Once {
    /// The object that it is about: its requests and their outcomes are one stream of the log.
    #[must_use]
    pub fn subject(&self) -> Uid {
        match self {
            Self::InitializeBackend { storage: uid }
            | Self::WipeBackend { storage: uid }
            | Self::InitializeRepository { repository: uid }
            | Self::WipeRepository { repository: uid }
            | Self::Survey { session: uid }
            | Self::RunHook { session: uid, .. }
            | Self::UploadMetadata { snapshot: uid }
            | Self::RemoveSnapshot { snapshot: uid, .. } => *uid,
            Self::StartWorker { attempt } | Self::StopWorker { attempt } => attempt.session,
        }
    }

    /// It stops a worker of this session.
    #[must_use]
    pub fn stops(&self, session: Uid) -> bool {
        matches!(self, Self::StopWorker { attempt } if attempt.session == session)
    }

    /// Its name, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InitializeBackend { .. } => "InitializeBackend",
            Self::InitializeRepository { .. } => "InitializeRepository",
            Self::WipeRepository { .. } => "WipeRepository",
            Self::WipeBackend { .. } => "WipeBackend",
            Self::Survey { .. } => "Survey",
            Self::RunHook { .. } => "RunHook",
            Self::StartWorker { .. } => "StartWorker",
            Self::StopWorker { .. } => "StopWorker",
            Self::UploadMetadata { .. } => "UploadMetadata",
            Self::RemoveSnapshot { .. } => "RemoveSnapshot",
        }
    }
}
