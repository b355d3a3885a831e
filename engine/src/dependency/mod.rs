//! Objects that others depend on and that are not ours: Secrets, Addons, Functions, targets.
//!
//! Of a Secret only its name, version and the names of its keys are ever recorded.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{Hash, TypedRef, Uid};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The object was seen; records only a difference in its facts.
    Observe {
        /// The object's uid.
        uid: Uid,
        /// Group, kind, namespace and name.
        object: TypedRef,
        /// Content hash; the object lies in the attachment store under it. Zero for Secrets.
        hash: Hash,
        /// The fields that decisions use.
        facts: Facts,
    },
    /// The object is gone.
    Forget {
        /// The object's uid.
        uid: Uid,
    },
}

/// The fields of a dependency that decisions use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Facts {
    /// A Secret.
    Secret {
        /// `metadata.resourceVersion`, or a hash of the content where there is none.
        version: String,
        /// Names of its keys, sorted.
        keys: Vec<String>,
        /// Annotation `holdfast.dev/allowed-namespaces`, when present (design, D13).
        allowed_namespaces: Option<String>,
    },
    /// An Addon.
    Addon {
        /// Its backup and restore tasks.
        tasks: Vec<Task>,
    },
    /// A Function.
    Function {
        /// Whether this operator can run it in place of its image (design 7, "Whose image runs").
        supported: bool,
    },
    /// A backup or restore target: workload or claim. A pod controller's replicas, where it has them.
    Target {
        /// `spec.replicas`.
        replicas: Option<u32>,
    },
    /// A Repository, observed besides its own stream for the one field that its users set.
    Repository {
        /// Annotation `holdfast.dev/allowed-namespaces`, when present (design, D13).
        allowed_namespaces: Option<String>,
    },
}

/// A task of an Addon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Name in the kebab-case spelling of the catalog.
    pub name: String,
    /// Restore task, else backup task.
    pub restore: bool,
    /// Name of the Function that carries it out.
    pub function: String,
    /// The mover.
    pub driver: Driver,
    /// One worker for all hosts, else one per host.
    pub singleton: bool,
    /// Declared parameters.
    pub parameters: Vec<Parameter>,
}

/// A declared parameter of a task or a hook template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Whether a value must be given.
    pub required: bool,
    /// Value when none is given.
    pub default: Option<String>,
}

/// Who moves the data of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Driver {
    /// The documents' name for file-level backup; carried out by our own executor.
    Restic,
    /// CSI volume snapshots.
    VolumeSnapshotter,
    /// A driver of another product, which this operator does not run.
    Foreign,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Seen for the first time, or with other facts.
    Observed {
        /// The object's uid.
        uid: Uid,
        /// Group, kind, namespace and name.
        object: TypedRef,
        /// Content hash; zero for Secrets.
        hash: Hash,
        /// The fields that decisions use.
        facts: Facts,
    },
    /// No longer there.
    Gone {
        /// The object's uid.
        uid: Uid,
        /// Which one it was.
        object: TypedRef,
    },
}

impl Event {
    /// The object.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Observed { uid, .. } | Self::Gone { uid, .. } => *uid,
        }
    }
}
