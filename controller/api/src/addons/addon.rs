//! Addon: the tasks that can back up and restore a kind of application.

use k8s_openapi::api::core::v1::VolumeMount;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::Driver;
use crate::offshoot::VolumeSource;
use crate::parameter::ParameterDefinition;

/// The tasks that can back up and restore a kind of application.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "addons.kubestash.com",
    version = "v1alpha1",
    kind = "Addon",
    plural = "addons",
    singular = "addon",
    category = "kubestash",
    category = "appscode",
    category = "all",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "The tasks that can back up and restore a kind of application.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AddonSpec {
    /// Tasks of backups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_tasks: Vec<Task>,
    /// Tasks of restores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restore_tasks: Vec<Task>,
}

/// One way of moving data.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Name of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Function that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// What moves the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<TaskExecutor>,
    /// Whether one Job serves all components, instead of one each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub singleton: Option<bool>,
    /// Parameters that it accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterDefinition>,
    /// Volumes that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_template: Vec<VolumeTemplate>,
    /// Where they are mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
}

/// Where a task runs.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum TaskExecutor {
    /// In a Job.
    Job,
    /// In a sidecar of the target.
    Sidecar,
    /// In an ephemeral container of the target.
    EphemeralContainer,
    /// In a Job that starts others.
    MultiLevelJob,
}

/// A volume that a task needs.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeTemplate {
    /// Name of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Its source, unless it is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<VolumeSource>,
}
