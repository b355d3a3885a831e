//! Parameters that an Addon's task or a HookTemplate declares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A parameter that a task or hook accepts.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParameterDefinition {
    /// Name, as `${name}` refers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it does, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Whether a value must be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Value if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}
