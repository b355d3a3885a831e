//! RestoreSession: one run of a restore.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::core::{AddonInfo, HookInfo, HookStatus, ManifestRestoreOptions};
use crate::references::{ObjectReference, ResourceFoundStatus, TypedReference};

/// Restores a snapshot into a target.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "RestoreSession",
    plural = "restoresessions",
    singular = "restoresession",
    shortname = "restore",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    status = "RestoreSessionStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "Restores a snapshot into a target.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Repository", type_ = "string", json_path = ".spec.dataSource.repository"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RestoreSessionSpec {
    /// What is restored into; absent where the snapshot says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TypedReference>,
    /// What is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_source: Option<RestoreDataSource>,
    /// The tasks that do the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addon: Option<AddonInfo>,
    /// What runs before and after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<RestoreHooks>,
    /// Time limit, as a Go duration; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_timeout: Option<String>,
    /// What of the manifests is restored, and under which names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_options: Option<ManifestRestoreOptions>,
}

/// What is restored.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreDataSource {
    /// Namespace of Repository and Snapshot; that of the RestoreSession if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The Repository; needed for `latest` and for a point in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Name of the Snapshot, or `latest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The point in time to restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pitr: Option<PointInTimeRecovery>,
    /// Components to restore; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Secret with the key that the data was encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_secret: Option<ObjectReference>,
}

/// A point in time to restore.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointInTimeRecovery {
    /// The time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_time: Option<Time>,
    /// Whether a snapshot made exactly then is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<bool>,
}

/// Hooks of a restore.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreHooks {
    /// Before the restore, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_restore: Vec<HookInfo>,
    /// After the restore, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_restore: Vec<HookInfo>,
}

/// How a restore goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreSessionStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RestorePhase>,
    /// Whether the target exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_found: Option<bool>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// When it must have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_deadline: Option<Time>,
    /// Components that will be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_components: Option<i32>,
    /// The components by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "granular"))]
    pub components: BTreeMap<String, RestoreComponentStatus>,
    /// How its hooks went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<HookStatus>,
    /// Other objects that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ResourceFoundStatus>,
    /// Configurations whose backups wait for its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused_backups: Vec<TypedReference>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a restore is.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum RestorePhase {
    /// It has not started.
    Pending,
    /// It runs.
    Running,
    /// Something was not restored.
    Failed,
    /// Everything was restored.
    Succeeded,
    /// Its spec was refused.
    Invalid,
    /// What happened is not known.
    Unknown,
}

/// How the restore of a component goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreComponentStatus {
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RestorePhase>,
    /// How much is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<RestoreProgress>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How much of a component is restored.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreProgress {
    /// Time since the start, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_elapsed: Option<i64>,
    /// Share that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_done: Option<String>,
    /// Files in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_files: Option<i64>,
    /// Files that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_done: Option<i64>,
    /// Bytes that are done, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_done: Option<String>,
    /// Bytes in all, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Bytes a second, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
}
