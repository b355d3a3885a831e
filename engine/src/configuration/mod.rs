//! BackupConfiguration: what is backed up, where to, when, and how.

pub(crate) mod apply;
pub(crate) mod bounds;
pub(crate) mod decide;
mod default;
pub(crate) mod leaving;
pub mod phase;
pub mod state;
pub mod validate;
pub(crate) mod watch;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::group::Group;
use crate::hook::HookSpec;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::outcome::Outcome;
use crate::storage::DeletionPolicy;
use crate::time::{Millis, Timestamp};

/// `spec` as far as decisions use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Target; absent for a backup of manifests of a cluster or namespace.
    pub target: Option<TypedRef>,
    /// Backends; empty: the defaults are looked up.
    pub backends: Vec<Backend>,
    /// Sessions.
    pub sessions: Vec<SessionSpec>,
    /// `spec.paused`.
    pub paused: bool,
    /// Annotation `holdfast.dev/allow-partial` (design, D12).
    pub allow_partial: bool,
    /// What is wrong with the object itself, found while translating it.
    pub invalid: Option<String>,
}

/// One entry of `spec.backends`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Name; empty for the default backend.
    pub name: String,
    /// BackupStorage; absent: the default one.
    pub storage: Option<Key>,
    /// RetentionPolicy; absent: the default one.
    pub retention: Option<Key>,
}

/// One entry of `spec.sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Name, unique in the configuration.
    pub name: String,
    /// When.
    pub scheduler: Option<Scheduler>,
    /// `hooks.preBackup`.
    pub pre_hooks: Vec<HookSpec>,
    /// `hooks.postBackup`.
    pub post_hooks: Vec<HookSpec>,
    /// `retryConfig`; absent: no retry.
    pub retry: Option<Retry>,
    /// `backupTimeout`.
    pub timeout: Option<Millis>,
    /// `sessionHistoryLimit`.
    pub history_limit: u32,
    /// Addon and its tasks.
    pub addon: AddonRef,
    /// Where the data goes.
    pub repositories: Vec<RepositoryRef>,
}

/// `scheduler` of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    /// Cron expression as written.
    pub schedule: String,
    /// `startingDeadlineSeconds`.
    pub starting_deadline: Option<Millis>,
    /// `concurrencyPolicy`.
    pub concurrency: Concurrency,
    /// `suspend`.
    pub suspend: bool,
}

/// What a slot does while an earlier session is going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Concurrency {
    #[default]
    Allow,
    Forbid,
    Replace,
}

/// `retryConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// `maxRetry`.
    pub max: u32,
    /// `delay`; zero: at once.
    pub delay: Millis,
}

/// `addon` of a session or a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonRef {
    /// API group that the Addon and its Functions are of.
    pub group: Group,
    /// Name of the Addon.
    pub name: String,
    /// Tasks, in order.
    pub tasks: Vec<TaskRef>,
    /// What the user's own template brings into the worker's pod.
    pub pod: PodParts,
}

/// What a `jobTemplate`, or volumes that a task names itself, bring into a worker's pod. In the namespace of a
/// target that is not the user's they need its leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodParts {
    /// `initContainers`.
    pub init_containers: bool,
    /// `serviceAccountName`.
    pub service_account: bool,
    /// Volumes with sources of their own.
    pub volumes: bool,
}

impl PodParts {
    /// The first of them, as it is spelled.
    #[must_use]
    pub fn first(self) -> Option<&'static str> {
        let all = [
            (self.init_containers, "initContainers"),
            (self.service_account, "serviceAccountName"),
            (self.volumes, "volumes"),
        ];
        all.into_iter().find(|(there, _)| *there).map(|(_, name)| name)
    }
}

/// One task reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// Name, in the catalog's kebab-case spelling whatever was written.
    pub name: String,
    /// Parameters, sorted by name.
    pub params: Vec<(String, String)>,
    /// Volumes of the target to use: name and mount path; empty: all of them.
    pub mounts: Vec<Mount>,
}

/// A volume and where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    /// Name of the volume in the pod.
    pub volume: String,
    /// Mount path.
    pub path: String,
}

/// One entry of `repositories`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRef {
    /// Name of the Repository, in the configuration's namespace.
    pub name: String,
    /// Name of one of the backends; empty: the unnamed one.
    pub backend: String,
    /// Path inside the backend, without slashes at its ends.
    pub directory: String,
    /// Encryption Secret.
    pub secret: Option<Key>,
    /// What becomes of it when the configuration is deleted.
    pub deletion: Option<DeletionPolicy>,
}

/// What the calendar says about one session's schedule, evaluated outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleEvaluation {
    /// Session name.
    pub session: String,
    /// The next slots, ascending; empty when the expression never fires.
    pub next: Vec<Timestamp>,
    /// Why the expression cannot be used.
    pub error: Option<String>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The object exists with this spec.
    Declare {
        /// The object.
        declared: Declared<Spec>,
        /// One entry for each session with a scheduler.
        schedules: Vec<ScheduleEvaluation>,
    },
    /// The facts around it may have changed (storage, Secret, Addon, target): check again.
    Reconcile {
        /// The configuration.
        uid: Uid,
    },
    /// The trigger of a session (CronJob or wake-up) was set up, or could not be.
    SchedulerReported {
        /// The configuration.
        uid: Uid,
        /// Session name.
        session: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// The object is to be deleted.
    Delete {
        /// The configuration.
        uid: Uid,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// First seen, or seen with another spec; one `SessionDeclared` for each session follows.
    Declared {
        /// The object's uid.
        uid: Uid,
        /// Namespace and name.
        key: Key,
        /// `metadata.generation`.
        generation: u64,
        /// Content hash.
        hash: Hash,
        /// Target.
        target: Option<TypedRef>,
        /// Backends as written.
        backends: Vec<Backend>,
        /// `spec.paused`.
        paused: bool,
        /// Annotation `holdfast.dev/allow-partial`.
        allow_partial: bool,
        /// How many `SessionDeclared` follow; earlier ones are replaced.
        sessions: u32,
    },
    /// One session of the spec.
    SessionDeclared {
        /// The configuration.
        uid: Uid,
        /// The session.
        session: SessionSpec,
    },
    /// A default was chosen for a backend that names none.
    BackendDefaulted {
        /// The configuration.
        uid: Uid,
        /// Backend name; empty for the unnamed one.
        backend: String,
        /// The chosen storage.
        storage: Key,
        /// The chosen policy.
        retention: Key,
    },
    /// The checks were passed (condition ValidationPassed=True).
    ValidationPassed {
        /// The configuration.
        uid: Uid,
    },
    /// The checks were not passed (condition ValidationPassed=False).
    ValidationFailed {
        /// The configuration.
        uid: Uid,
        /// CamelCase reason: `ResourceValidationFailed`, or a more telling one.
        reason: String,
        /// Which field, and what to do.
        message: String,
    },
    /// A session will be triggered on time (condition SchedulerEnsured=True).
    SchedulerEnsured {
        /// The configuration.
        uid: Uid,
        /// Session name.
        session: String,
    },
    /// A session cannot be triggered (condition SchedulerEnsured=False).
    SchedulerNotEnsured {
        /// The configuration.
        uid: Uid,
        /// Session name.
        session: String,
        /// Why.
        message: String,
    },
    /// The first backup of a session was started (condition InitialBackupTriggered=True).
    InitialBackupTriggered {
        /// The configuration.
        uid: Uid,
        /// Session name.
        session: String,
        /// The BackupSession.
        backup: Uid,
    },
    /// A restore of the same target holds this configuration.
    PausedByRestore {
        /// The configuration.
        uid: Uid,
        /// The RestoreSession.
        restore: Uid,
    },
    /// That restore ended.
    ResumedAfterRestore {
        /// The configuration.
        uid: Uid,
        /// The RestoreSession.
        restore: Uid,
    },
    /// Deletion began; running sessions end and repositories follow their policies.
    DeletionRequested {
        /// The configuration.
        uid: Uid,
    },
    /// The configuration is gone from the state.
    Deleted {
        /// The configuration.
        uid: Uid,
    },
}

impl Event {
    /// The configuration.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { uid, .. }
            | Self::SessionDeclared { uid, .. }
            | Self::BackendDefaulted { uid, .. }
            | Self::ValidationPassed { uid }
            | Self::ValidationFailed { uid, .. }
            | Self::SchedulerEnsured { uid, .. }
            | Self::SchedulerNotEnsured { uid, .. }
            | Self::InitialBackupTriggered { uid, .. }
            | Self::PausedByRestore { uid, .. }
            | Self::ResumedAfterRestore { uid, .. }
            | Self::DeletionRequested { uid }
            | Self::Deleted { uid } => *uid,
        }
    }
}
