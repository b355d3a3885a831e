//! BackupBlueprint: a pattern of BackupConfigurations.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{BackendReference, Session};
use crate::storage::UsagePolicy;

/// A pattern from which BackupConfigurations are made for targets that ask for it.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "BackupBlueprint",
    plural = "backupblueprints",
    singular = "backupblueprint",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "A pattern from which BackupConfigurations are made for targets that ask for it.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupBlueprintSpec {
    /// Who may ask for it from another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_policy: Option<UsagePolicy>,
    /// Kinds of targets that are watched for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<BlueprintSubject>,
    /// What is made for each target; its texts may contain `${variable}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_configuration_template: Option<BackupConfigurationTemplate>,
}

/// A kind of targets.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintSubject {
    /// Group and version of the kind, such as `apps/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Name of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The BackupConfiguration that is made for a target.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupConfigurationTemplate {
    /// Namespace that it is made in; the one of the blueprint if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where the data goes; the default storage if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendReference>,
    /// When and how the target is backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// What happens to it when the blueprint is deleted; it stays if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<BlueprintDeletionPolicy>,
}

/// What happens to what was made when the blueprint is deleted.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum BlueprintDeletionPolicy {
    /// It is deleted as well.
    OnDelete,
}
