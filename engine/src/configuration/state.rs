//! What is known of a configuration.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::condition::Conditions;
use crate::configuration::{Backend, SessionSpec};
use crate::event::StreamKind;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::time::Timestamp;
use crate::usage::home;

/// A BackupConfiguration as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The object's uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// Content hash.
    pub hash: Hash,
    /// Target; absent for a backup of manifests.
    pub target: Option<TypedRef>,
    /// Backends as written.
    pub backends: Vec<Backend>,
    /// What was chosen for backends that name none.
    pub defaults: Vec<ChosenBackend>,
    /// `spec.paused`.
    pub paused: bool,
    /// Annotation `holdfast.dev/allow-partial`.
    pub allow_partial: bool,
    /// Sessions, in the order of the spec.
    pub sessions: Vec<Session>,
    /// Sessions of the spec before, until the new ones are all there.
    pub former: Vec<Session>,
    /// How many sessions the spec has.
    pub session_count: u32,
    /// `ValidationPassed`.
    pub conditions: Conditions,
    /// Restores that hold this configuration.
    pub paused_by: BTreeSet<Uid>,
    /// When it last became free again; slots before that are not caught up.
    pub resumed_at: Option<Timestamp>,
    /// Deletion began.
    pub deleting: bool,
    /// When it was first declared.
    pub created_at: Timestamp,
}

/// One session of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// As declared.
    pub spec: SessionSpec,
    /// `SchedulerEnsured` and `InitialBackupTriggered`.
    pub conditions: Conditions,
    /// The first BackupSession.
    pub initial: Option<Uid>,
}

/// A backend with its references resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenBackend {
    /// Name; empty for the unnamed one.
    pub name: String,
    /// BackupStorage.
    pub storage: Key,
    /// RetentionPolicy.
    pub retention: Key,
}

impl Configuration {
    /// Paused by its user or by a restore of the same target.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused || !self.paused_by.is_empty()
    }

    /// Whether some session writes to the repository of this name.
    #[must_use]
    pub fn writes_to(&self, repository: &Key) -> bool {
        let mut wanted = self.sessions.iter().flat_map(|session| &session.spec.repositories);
        wanted.any(|wanted| self.key.sibling(StreamKind::Repository, &*wanted.name) == *repository)
    }

    /// Whether it refers to what has to allow it: a Secret or a target in another namespace.
    #[must_use]
    pub fn refers_abroad(&self) -> bool {
        let own = self.key.namespace.as_str();
        let repositories = self.sessions.iter().flat_map(|session| &session.spec.repositories);
        let secrets = repositories.filter_map(|wanted| wanted.secret.as_ref());
        let secrets = secrets.map(|key| key.namespace.as_str());
        secrets.chain(self.target.as_ref().map(home)).any(|namespace| namespace != own)
    }

    /// The session of this name.
    #[must_use]
    pub fn session(&self, name: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.spec.name == name)
    }

    /// Backends with defaults filled in, in the order of the spec; one without a storage or a policy
    /// is left out.
    #[must_use]
    pub fn resolved_backends(&self) -> Vec<ChosenBackend> {
        if self.backends.is_empty() {
            return self.defaults.clone();
        }
        self.backends
            .iter()
            .filter_map(|backend| match (&backend.storage, &backend.retention) {
                (Some(storage), Some(retention)) => Some(ChosenBackend {
                    name: backend.name.clone(),
                    storage: storage.clone(),
                    retention: retention.clone(),
                }),
                _ => self.defaults.iter().find(|chosen| chosen.name == backend.name).cloned(),
            })
            .collect()
    }

    /// The resolved backend of this name.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<ChosenBackend> {
        self.resolved_backends().into_iter().find(|backend| backend.name == name)
    }
}
