//! BackupVerificationSession: one check of a snapshot.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::references::LocalTypedReference;

/// One check of a snapshot. Its spec never changes.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "BackupVerificationSession",
    plural = "backupverificationsession",
    singular = "backupverificationsession",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    status = "BackupVerificationSessionStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "One check of a snapshot. Its spec never changes.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupVerificationSessionSpec {
    /// The configuration whose snapshot is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoker: Option<LocalTypedReference>,
    /// Name of the configuration's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Name of the Repository that the snapshot is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Name of the Snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// How often it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_left: Option<i32>,
}

/// How a check of a snapshot goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupVerificationSessionStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<VerificationSessionPhase>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Whether it was tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a BackupVerificationSession is.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum VerificationSessionPhase {
    /// It runs.
    Running,
    /// The snapshot passed.
    Succeeded,
    /// The snapshot did not pass, or could not be checked.
    Failed,
    /// It was not run, for the snapshot had been checked before.
    Skipped,
}
