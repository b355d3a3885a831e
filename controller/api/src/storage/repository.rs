//! Repository: the snapshots of one target in one storage.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::references::{ObjectReference, TypedReference};
use crate::storage::{DeletionPolicy, SnapshotPhase};

/// The snapshots of one target in one storage.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "storage.kubestash.com",
    version = "v1alpha1",
    kind = "Repository",
    plural = "repositories",
    singular = "repository",
    shortname = "repo",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    status = "RepositoryStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "The snapshots of one target in one storage.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Integrity", type_ = "boolean", json_path = ".status.integrity"),
    printcolumn(name = "Snapshot-Count", type_ = "integer", json_path = ".status.snapshotCount"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Last-Successful-Backup",
        type_ = "date",
        json_path = ".status.lastBackupTime",
        format = "date-time"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RepositorySpec {
    /// The target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_ref: Option<TypedReference>,
    /// The BackupStorage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_ref: Option<ObjectReference>,
    /// Path inside the storage; never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What deleting it does to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Delete"))]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Secret with the key that encrypts the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_secret: Option<ObjectReference>,
    /// Whether events are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// What is known about a Repository.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// Whether it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RepositoryPhase>,
    /// When the last backup succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_backup_time: Option<Time>,
    /// Whether its data passed the last check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<bool>,
    /// How many snapshots it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_count: Option<i32>,
    /// Size of its data, with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Its newest snapshots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_snapshots: Vec<RecentSnapshot>,
    /// Paths of its components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub component_paths: Vec<String>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Whether a Repository can be used.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum RepositoryPhase {
    /// It is not initialised.
    NotReady,
    /// It can be used.
    Ready,
}

/// One of the newest snapshots.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentSnapshot {
    /// Name of the Snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
    /// Session that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Size of its data, with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<Time>,
}
