//! Facts for one session, asked when it needs them: pods of the target, their nodes and volumes.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A pod of the target, or a claim that stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What distinguishes it from its siblings.
    pub role: Role,
    /// Pod name; empty for a claim that nobody mounts.
    pub pod: String,
    /// Node name; empty when unknown.
    pub node: String,
    /// Ready, for the choice among a Deployment's pods.
    pub ready: bool,
    /// When the pod was created, milliseconds since 1970; the oldest Ready one is chosen.
    pub created_ms: i64,
    /// Volumes that can be read or written.
    pub volumes: Vec<Volume>,
}

/// What distinguishes a host from its siblings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// The ordinal of a StatefulSet's pod.
    Ordinal(u32),
    /// The node of a DaemonSet's pod.
    Node(String),
    /// A pod of a Deployment, or a claim.
    Single,
}

/// A volume of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Volume {
    /// Name in the pod; the claim's name for a claim that stands alone.
    pub name: String,
    /// PersistentVolumeClaim behind it, if any.
    pub claim: Option<String>,
    /// Where the pod mounts it; the Addon's mount path for a claim.
    pub mount_path: String,
}
