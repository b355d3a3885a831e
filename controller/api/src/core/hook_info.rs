//! A hook of a session, and how it went.

use k8s_openapi::api::core::v1::{EnvVar, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::offshoot::{RuntimeSettings, Volume};
use crate::references::ObjectReference;

/// A HookTemplate to run, with values for its parameters.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookInfo {
    /// Name of the hook, as the status shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The HookTemplate; in another namespace if its usage policy allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_template: Option<ObjectReference>,
    /// Values for the parameters that the template declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_object")]
    pub params: Option<serde_json::Map<String, serde_json::Value>>,
    /// How often a failed hook is tried again; not if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_retry: Option<i32>,
    /// Time limit of one try, as a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// When a post hook runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Always"))]
    pub execution_policy: Option<HookExecutionPolicy>,
    /// Values for variables of the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<EnvVar>,
    /// Volumes to mount; for Functions only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Where they are mounted; for Functions only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Settings of the pod; for Functions only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
}

/// When a post hook runs.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum HookExecutionPolicy {
    /// In any case.
    Always,
    /// If the session succeeded so far.
    OnSuccess,
    /// If the session failed.
    OnFailure,
}

/// How the hooks of a session went.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookStatus {
    /// Hooks before the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_hooks: Vec<HookExecutionStatus>,
    /// Hooks after the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_hooks: Vec<HookExecutionStatus>,
}

/// How one hook went.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookExecutionStatus {
    /// Name of the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<HookPhase>,
}

/// How a hook went.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum HookPhase {
    /// It ran and succeeded.
    Succeeded,
    /// It failed, and no try is left.
    Failed,
    /// It has not ended.
    Pending,
}
