//! What is known of a restore.

use alloc::collections::BTreeSet;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::ids::{Hash, Key, Uid};
use crate::restore::Spec;
use crate::run::queue::Waiter;
use crate::run::state::Run;
use crate::time::Timestamp;

/// A RestoreSession as its events left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The object's uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// Content hash.
    pub hash: Hash,
    /// The fields that decisions use; fixed from the start on.
    pub spec: Spec,
    /// When it was first declared; `status.duration` counts from here.
    pub created_at: Timestamp,
    /// What it has in common with every run; read as its own.
    pub run: Run,
    /// The chosen snapshot.
    pub snapshot: Option<Uid>,
    /// Configurations that it paused, also after they went on (`status.pausedBackups`).
    pub paused: BTreeSet<Uid>,
}

impl Deref for Restore {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

impl Restore {
    /// How it stands in the queue of workers.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let (uid, namespace) = (self.uid, self.key.namespace.as_str());
        let freezes = !self.spec.pre_hooks.is_empty();
        Waiter { uid, namespace, due_at: self.created_at, freezes, run: &self.run }
    }
}
