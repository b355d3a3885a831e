//! BackupSession: one run of a backup.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::core::HookStatus;
use crate::references::{LocalTypedReference, ObjectReference, TypedReference};
use crate::storage::SnapshotPhase;

/// One run of a backup. Its spec never changes.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "BackupSession",
    plural = "backupsessions",
    singular = "backupsession",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    status = "BackupSessionStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "One run of a backup. Its spec never changes.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Invoker-Type", type_ = "string", json_path = ".spec.invoker.kind"),
    printcolumn(name = "Invoker-Name", type_ = "string", json_path = ".spec.invoker.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupSessionSpec {
    /// The configuration that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoker: Option<LocalTypedReference>,
    /// Name of the configuration's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How often it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_left: Option<i32>,
    /// Time limit, as a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_timeout: Option<String>,
}

/// How a run of a backup goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupSessionStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<BackupSessionPhase>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// When it must have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_deadline: Option<Time>,
    /// Snapshots that it will make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_snapshots: Option<i32>,
    /// Snapshots that it makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotStatusEntry>,
    /// How its hooks went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<HookStatus>,
    /// How old snapshots were cleaned up; a list in spite of its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retention_policy: Vec<RetentionPolicyApplyStatus>,
    /// Whether it was tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry: Option<Time>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a BackupSession is.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum BackupSessionPhase {
    /// It has not started.
    Pending,
    /// It runs.
    Running,
    /// Everything was backed up.
    Succeeded,
    /// Something was not backed up.
    Failed,
    /// It was not run.
    Skipped,
}

/// A snapshot of a BackupSession.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatusEntry {
    /// Name of the Snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
    /// What it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_ref: Option<TypedReference>,
    /// Repository that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// How old snapshots of a repository were cleaned up.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicyApplyStatus {
    /// The RetentionPolicy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<ObjectReference>,
    /// The Repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// How it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RetentionPhase>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How cleaning up went.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum RetentionPhase {
    /// It has not ended.
    Pending,
    /// It was done.
    Applied,
    /// It failed.
    FailedToApply,
}
