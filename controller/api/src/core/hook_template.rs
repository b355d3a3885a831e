//! HookTemplate: an action that sessions run before or after their work.

use k8s_openapi::api::core::v1::{
    EnvVar, ExecAction, HTTPGetAction, HTTPHeader, TCPSocketAction, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::offshoot::Volume;
use crate::parameter::ParameterDefinition;
use crate::storage::UsagePolicy;

/// An action that sessions run before or after their work.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "core.kubestash.com",
    version = "v1alpha1",
    kind = "HookTemplate",
    plural = "hooktemplates",
    singular = "hooktemplate",
    category = "kubestash",
    category = "appscode",
    category = "all",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "An action that sessions run before or after their work.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Executor", type_ = "string", json_path = ".spec.executor.type"),
    printcolumn(name = "Timeout", type_ = "string", json_path = ".spec.timeout"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct HookTemplateSpec {
    /// Who may use it from another namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_policy: Option<UsagePolicy>,
    /// Parameters that it accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<ParameterDefinition>,
    /// What is done; not needed for Functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<HookAction>,
    /// Who does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<HookExecutor>,
}

/// What a hook does: one of its members.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookAction {
    /// A command in a container; exit code 0 is success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecAction>,
    /// A GET request; 200 to 399 is success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HTTPGetAction>,
    /// A POST request; 200 to 399 is success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_post: Option<HttpPostAction>,
    /// A connection; that it opens is success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TCPSocketAction>,
    /// Container for `exec`, or the one whose named port is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
}

/// A POST request.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpPostAction {
    /// Path of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Number or name of the port.
    pub port: IntOrString,
    /// Host; the pod itself if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `HTTP` or `HTTPS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_headers: Vec<HTTPHeader>,
    /// Body; a template over the summary of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Form to send instead of a body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<FormEntry>,
}

/// A field of a form.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormEntry {
    /// Name of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Values of the field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// Who runs a hook.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookExecutor {
    /// Which of the executors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<HookExecutorType>,
    /// Settings for `Function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionHookExecutor>,
    /// Settings for `Pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodHookExecutor>,
}

/// Who runs a hook.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum HookExecutorType {
    /// A Job made from a Function.
    Function,
    /// A pod that already runs.
    Pod,
    /// The operator itself.
    Operator,
}

/// A Function that runs a hook.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionHookExecutor {
    /// Name of the Function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Environment of its container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Where volumes are mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Volumes of its pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
}

/// Pods that run a hook.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodHookExecutor {
    /// Labels as `key=value` pairs, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Owner that the pods must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerReference>,
    /// Which of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "ExecuteOnOne"))]
    pub strategy: Option<HookExecutionStrategy>,
}

/// Which of the selected pods run a hook.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum HookExecutionStrategy {
    /// One of them.
    ExecuteOnOne,
    /// All of them.
    ExecuteOnAll,
}
