//! RetentionPolicy: which snapshots are kept.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::UsagePolicy;

/// Which snapshots are kept.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "storage.kubestash.com",
    version = "v1alpha1",
    kind = "RetentionPolicy",
    plural = "retentionpolicies",
    singular = "retentionpolicy",
    category = "kubestash",
    category = "appscode",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "Which snapshots are kept.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(
        name = "Max-Retention-Period",
        type_ = "string",
        json_path = ".spec.maxRetentionPeriod"
    ),
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicySpec {
    /// Snapshots older than this go, such as `1y2mo3w4d5h6m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retention_period: Option<String>,
    /// Who may use it from another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_policy: Option<UsagePolicy>,
    /// How many succeeded snapshots are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successful_snapshots: Option<SuccessfulSnapshots>,
    /// How many failed snapshots are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_snapshots: Option<FailedSnapshots>,
    /// Whether it is used where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// How many succeeded snapshots are kept; a snapshot stays if any of the rules keeps it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuccessfulSnapshots {
    /// The newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i32>,
    /// The newest of an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hourly: Option<i32>,
    /// The newest of a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily: Option<i32>,
    /// The newest of a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<i32>,
    /// The newest of a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly: Option<i32>,
    /// The newest of a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yearly: Option<i32>,
}

/// How many failed snapshots are kept.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedSnapshots {
    /// The newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 1))]
    pub last: Option<i32>,
}
