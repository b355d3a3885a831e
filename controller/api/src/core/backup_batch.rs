//! BackupBatch: several targets that are backed up together.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::core::{
    AddonInfo, BackendReference, BackendStatus, BackupHooks, InvokerPhase, RepositoryInfo,
    RepositoryStatusEntry, RetryConfig, SchedulerSpec, SessionStatus,
};
use crate::references::{ResourceFoundStatus, TypedReference};

/// Backs up several targets together, on one schedule.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "BackupBatch",
    plural = "backupbatches",
    singular = "backupbatch",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    status = "BackupBatchStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "Backs up several targets together, on one schedule.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupBatchSpec {
    /// Where the data goes; the default storage if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendReference>,
    /// What is backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<BatchTarget>,
    /// When and how it is backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<BatchSession>,
    /// Whether starts are suspended and events ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// A target of the batch, under a name of its own.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchTarget {
    /// Name by which sessions refer to it, unique in the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The object that is backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_ref: Option<TypedReference>,
}

/// One way of backing the targets up: a schedule and hooks for all of them, tasks for each.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchSession {
    /// Name of the session, unique in the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<SchedulerSpec>,
    /// What runs before the first target and after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<BackupHooks>,
    /// Whether a failed run is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<RetryConfig>,
    /// Time limit of a run, as a Go duration; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_timeout: Option<String>,
    /// Finished BackupSessions to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 1))]
    pub session_history_limit: Option<i32>,
    /// The targets of this session, and how each is backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<BatchSessionTarget>,
}

/// How a session backs up one of the targets.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchSessionTarget {
    /// Name of one of the targets of the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tasks that do the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addon: Option<AddonInfo>,
    /// Where the data of this target goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryInfo>,
}

/// What is known about a BackupBatch.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupBatchStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// The storages and policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendStatus>,
    /// The repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryStatusEntry>,
    /// Other objects that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ResourceFoundStatus>,
    /// The sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionStatus>,
    /// Whether backups can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<InvokerPhase>,
    /// The targets, and whether they exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ResourceFoundStatus>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
