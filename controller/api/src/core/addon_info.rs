//! Which tasks of an Addon a session runs, and how.

use k8s_openapi::api::core::v1::PersistentVolumeClaimStatus;
use k8s_openapi::api::core::v1::{EnvVar, PersistentVolumeClaimSpec, VolumeMount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::offshoot::{ContainerRuntimeSettings, PodTemplateSpec, Volume, VolumeSource};

/// The tasks of an Addon to run, and the pod to run them in.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddonInfo {
    /// Name of the Addon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tasks, in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskReference>,
    /// Settings of the executor's container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_runtime_settings: Option<ContainerRuntimeSettings>,
    /// Settings of the executor's pod and Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_template: Option<PodTemplateSpec>,
}

/// A task of an Addon, with values for its parameters.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskReference {
    /// Name of the task in the Addon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Values for variables of the task and its Function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<EnvVar>,
    /// Values for the parameters that the task declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_object")]
    pub params: Option<serde_json::Map<String, serde_json::Value>>,
    /// Volumes of the target to mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_volumes: Option<TargetVolumes>,
    /// Sources that replace those of the Addon's volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addon_volumes: Vec<AddonVolumeInfo>,
}

/// Volumes of the target that the executor mounts.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetVolumes {
    /// The volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Where they are mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Claims to create, one for each component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_claim_templates: Vec<VolumeClaimTemplate>,
}

/// A claim to create. Its name may contain `${POD_ORDINAL}`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeClaimTemplate {
    /// Version of the claim's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind, `PersistentVolumeClaim`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name, labels and annotations of the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ObjectMeta>,
    /// What the claim asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<PersistentVolumeClaimSpec>,
    /// Accepted because claims carry it; not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PersistentVolumeClaimStatus>,
}

/// A source that replaces the one of the Addon's volume of that name.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddonVolumeInfo {
    /// Name of the Addon's volume; may be a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<VolumeSource>,
}
