//! What is to be done outside. Effects are data; handlers carry them out.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::StreamKind;
use crate::hook::Run;
use crate::ids::{Attempt, EffectId, Uid};

/// Something to be done outside (design, section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Recomputed from state and published again at every start; has no key.
    Level(Level),
    /// Carried out once; stays in the outbox until its outcome is an event.
    Once {
        /// Its key in the outbox.
        id: EffectId,
        /// What to do.
        once: Once,
    },
}

/// Effects that follow from the state as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Publish the object's status (and the object itself where the operator makes it).
    Publish {
        /// What kind of object.
        kind: StreamKind,
        /// Which one.
        uid: Uid,
    },
    /// Set up what triggers a session: a CronJob, or a wake-up.
    EnsureScheduler {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
    },
    /// Remove a published object.
    Retract {
        /// What kind of object.
        kind: StreamKind,
        /// Which one.
        uid: Uid,
    },
}

/// Effects with an outcome that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Once {
    /// Check a storage's backend and write its description. Answer: `storage::BackendReported`.
    InitializeBackend {
        /// The storage.
        storage: Uid,
    },
    /// Open or initialise a repository. Answer: `repository::InitializationReported`.
    InitializeRepository {
        /// The repository.
        repository: Uid,
    },
    /// Remove everything below a repository's path. Answer: `repository::WipeReported`.
    WipeRepository {
        /// The repository.
        repository: Uid,
    },
    /// Remove a storage's own description. Answer: `storage::WipeReported`.
    WipeBackend {
        /// The storage.
        storage: Uid,
    },
    /// Ask for the target's hosts. Answer: `Surveyed` of the session.
    Survey {
        /// A backup's or a restore's uid.
        session: Uid,
    },
    /// Run one try of a hook. Answer: `HookReported` of the session.
    RunHook {
        /// A backup's or a restore's uid.
        session: Uid,
        /// Which try of which hook.
        run: Run,
    },
    /// Start a worker. Answer: `WorkerStarted` or `WorkerNotStarted`.
    StartWorker {
        /// The attempt.
        attempt: Attempt,
    },
    /// Stop a worker and see that it is gone. Answer: `outbox::Done`.
    StopWorker {
        /// The attempt.
        attempt: Attempt,
    },
    /// Store a snapshot's description beside the data. Answer: `snapshot::MetadataReported`.
    UploadMetadata {
        /// The snapshot.
        snapshot: Uid,
    },
    /// Remove a snapshot's commits from its repository. Answer: `RemovalReported` of the session
    /// that asked, or of the snapshot.
    RemoveSnapshot {
        /// The snapshot.
        snapshot: Uid,
        /// The session whose retention asked.
        by: Option<Uid>,
    },
}
