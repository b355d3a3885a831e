//! Trying again after a failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a failed session is tried again. Without the object it is not.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryConfig {
    /// How often, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 1), range(min = 1))]
    pub max_retry: Option<i32>,
    /// Wait before each try, as a Go duration; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}
