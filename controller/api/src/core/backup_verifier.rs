//! BackupVerifier: how snapshots are checked.

use k8s_openapi::api::core::v1::VolumeMount;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{AddonInfo, RetryConfig, SchedulerSpec};
use crate::offshoot::{RuntimeSettings, Volume};
use crate::references::TypedReference;

/// How snapshots are checked: restored somewhere, and looked at there.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "BackupVerifier",
    plural = "backupverifier",
    singular = "backupverifier",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "How snapshots are checked: restored somewhere, and looked at there.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupVerifierSpec {
    /// How and where the snapshot is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_option: Option<RestoreOption>,
    /// When snapshots are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<SchedulerSpec>,
    /// Name of the Function that looks at what was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Volumes to mount into its pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Where they are mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// What a check consists of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<VerificationType>,
    /// What to ask the restored database, for `Query`; its fields are those of the Function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_object")]
    pub query: Option<serde_json::Map<String, serde_json::Value>>,
    /// What to run, for `Script`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<VerificationScript>,
    /// Whether a failed check is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<RetryConfig>,
    /// Finished BackupVerificationSessions to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 1))]
    pub session_history_limit: Option<i32>,
    /// Settings of the pod and its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
}

/// How and where a snapshot is restored to be checked.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreOption {
    /// What it is restored into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TypedReference>,
    /// The tasks that restore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addon_info: Option<AddonInfo>,
}

/// What a check consists of.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum VerificationType {
    /// Restoring is all.
    RestoreOnly,
    /// The restored database is asked something.
    Query,
    /// A script looks at what was restored.
    Script,
}

/// A script that looks at what was restored.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationScript {
    /// Path of the script in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Arguments of the script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}
