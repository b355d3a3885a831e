//! One fact about an object, as every status carries it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fact about an object.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the fact is about; one entry a type.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// When status, reason or message last changed.
    pub last_transition_time: Time,
    /// Generation of the object that the fact was derived from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How bad a `False` is; empty means error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// One word for the cause, for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
