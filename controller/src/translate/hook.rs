//! A HookTemplate with the values of one session becomes an action that can be carried out.

use std::collections::BTreeMap;

use holdfast_api::core::{HookExecutionStrategy, HookExecutorType, HookTemplate};
use holdfast_engine::Failure;
use holdfast_engine::variables;
use k8s_openapi::api::core::v1::HTTPHeader;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::gotemplate;

/// What to do, and who does it.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What to do.
    pub action: Action,
    /// Who does it.
    pub executor: Executor,
    /// The container that a command runs in and that a port's name is looked up in.
    pub container: Option<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run a command.
    Exec(Vec<String>),
    /// Ask over HTTP.
    Http(Request),
    /// Open a connection.
    Tcp {
        /// Where to; absent: the pod.
        host: Option<String>,
        /// Which port.
        port: IntOrString,
    },
}

/// A question over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `http` or `https`.
    pub scheme: String,
    /// Where to; absent: the pod.
    pub host: Option<String>,
    /// Which port.
    pub port: IntOrString,
    /// Path with its leading slash.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Absent: GET; else POST.
    pub body: Option<Body>,
}

/// What a POST carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A text as it is.
    Text(String),
    /// Fields of a form.
    Form(Vec<(String, String)>),
}

/// Who carries an action out.
#[derive(Clone, Debug, PartialEq)]
pub enum Executor {
    /// The operator.
    Operator,
    /// Pods with these labels: all of them, or the first.
    Pods {
        /// Labels that a pod must have.
        labels: BTreeMap<String, String>,
        /// All of them.
        all: bool,
    },
    /// A Job made from a Function.
    Function(String),
}

/// Fills a template in.
///
/// # Errors
/// A permanent failure that names the piece that cannot be rendered.
pub fn order(
    template: &HookTemplate,
    values: &[(String, String)],
    summary: &Value,
) -> Result<Order, Failure> {
    let mut parameters: BTreeMap<String, String> = template
        .spec
        .params
        .iter()
        .filter_map(|p| Some((p.name.clone()?, p.default.clone()?)))
        .collect();
    parameters.extend(values.iter().cloned());
    let text = |field: &str, text: &str| fill(field, text, &parameters, summary);
    let spec = template.spec.action.clone().unwrap_or_default();
    let action = if let Some(exec) = spec.exec {
        let words = exec.command.unwrap_or_default();
        Action::Exec(words.iter().map(|word| text("exec.command", word)).collect::<Result<_, _>>()?)
    } else if let Some(get) = spec.http_get {
        let path = text("httpGet.path", get.path.as_deref().unwrap_or("/"))?;
        Action::Http(Request {
            scheme: scheme(get.scheme.as_deref()),
            host: get.host,
            port: get.port,
            path,
            headers: headers(get.http_headers.as_deref().unwrap_or_default(), &text)?,
            body: None,
        })
    } else if let Some(post) = spec.http_post {
        let form: Vec<(String, String)> = post
            .form
            .iter()
            .flat_map(|entry| {
                entry
                    .values
                    .iter()
                    .map(|value| (entry.key.clone().unwrap_or_default(), value.clone()))
            })
            .collect();
        let body = match post.body {
            Some(body) => Body::Text(text("httpPost.body", &body)?),
            None => Body::Form(form),
        };
        Action::Http(Request {
            scheme: scheme(post.scheme.as_deref()),
            path: text("httpPost.path", post.path.as_deref().unwrap_or("/"))?,
            host: post.host,
            port: post.port,
            headers: headers(&post.http_headers, &text)?,
            body: Some(body),
        })
    } else if let Some(tcp) = spec.tcp_socket {
        Action::Tcp { host: tcp.host, port: tcp.port }
    } else {
        Action::Exec(Vec::new())
    };
    Ok(Order { action, executor: executor(template), container: spec.container_name })
}

fn executor(template: &HookTemplate) -> Executor {
    let executor = template.spec.executor.clone().unwrap_or_default();
    match executor.r#type {
        Some(HookExecutorType::Pod) => {
            let pod = executor.pod.unwrap_or_default();
            Executor::Pods {
                labels: labels(pod.selector.as_deref().unwrap_or_default()),
                all: pod.strategy == Some(HookExecutionStrategy::ExecuteOnAll),
            }
        }
        Some(HookExecutorType::Function) => {
            Executor::Function(executor.function.and_then(|f| f.name).unwrap_or_default())
        }
        Some(HookExecutorType::Operator) | None => Executor::Operator,
    }
}

/// `a=b, c=d`; the documents' samples have spaces after the commas.
fn labels(selector: &str) -> BTreeMap<String, String> {
    selector
        .split(',')
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| {
            (key.trim().to_owned(), value.trim_start_matches('=').trim().to_owned())
        })
        .collect()
}

fn scheme(scheme: Option<&str>) -> String {
    scheme.filter(|text| !text.is_empty()).unwrap_or("http").to_ascii_lowercase()
}

fn headers(
    headers: &[HTTPHeader],
    text: &impl Fn(&str, &str) -> Result<String, Failure>,
) -> Result<Vec<(String, String)>, Failure> {
    headers.iter().map(|h| Ok((h.name.clone(), text("httpHeaders", &h.value)?))).collect()
}

/// The template's actions first, then the parameters in what stands outside of them; so a value of either is
/// never read as the other.
fn fill(
    field: &str,
    text: &str,
    parameters: &BTreeMap<String, String>,
    summary: &Value,
) -> Result<String, Failure> {
    let wrong = |reason: String| Failure {
        reason: "HookTemplateInvalid".into(),
        message: format!("action.{field}: {reason}"),
        permanent: true,
    };
    let resolve =
        |outside: &str| variables::resolve(outside, parameters).map_err(|e| e.to_string());
    gotemplate::render_with(text, summary, &resolve).map_err(|error| wrong(error.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(spec: Value, values: &[(&str, &str)]) -> Result<Order, Failure> {
        let template = HookTemplate::new("h", serde_json::from_value(spec).unwrap());
        let values: Vec<_> =
            values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let summary =
            json!({"name": "s", "namespace": "demo", "status": {"phase": "Failed", "error": "e"}});
        order(&template, &values, &summary)
    }

    #[test]
    fn a_command_takes_parameters_and_defaults() {
        let order = of(
            json!({
                "params": [{"name": "table", "default": "all"}, {"name": "user"}],
                "action": {"containerName": "db", "exec": {"command": ["lock", "${table}", "${user}", "{{ .Status.Phase }}-${user}"]}},
                "executor": {"type": "Pod", "pod": {"selector": "app=db, tier=x", "strategy": "ExecuteOnAll"}}
            }),
            &[("user", "root")],
        )
        .unwrap();
        assert_eq!(
            order.action,
            Action::Exec(["lock", "all", "root", "Failed-root"].map(Into::into).to_vec())
        );
        let Executor::Pods { labels, all } = order.executor else { panic!("pods") };
        assert!(all && labels["app"] == "db" && labels["tier"] == "x");
        assert_eq!(order.container.as_deref(), Some("db"));
    }

    #[test]
    fn a_post_renders_its_body() {
        let order = of(
            json!({
                "action": {"httpPost": {"host": "hooks.example", "path": "/x", "port": 443, "scheme": "HTTPS",
                    "httpHeaders": [{"name": "Content-Type", "value": "application/json"}],
                    "body": "{\"text\": {{ toJson .Status.Error }}}"}},
                "executor": {"type": "Operator"}
            }),
            &[],
        )
        .unwrap();
        let Action::Http(request) = order.action else { panic!("http") };
        assert_eq!(
            (request.scheme.as_str(), request.host.as_deref()),
            ("https", Some("hooks.example"))
        );
        assert_eq!(request.body, Some(Body::Text("{\"text\": \"e\"}".into())));
    }

    #[test]
    fn a_missing_parameter_and_a_broken_template_are_permanent() {
        for command in ["${nobody}", "{{ env \"HOME\" }}"] {
            let failure = of(
                json!({"action": {"exec": {"command": [command]}}, "executor": {"type": "Operator"}}),
                &[],
            )
            .unwrap_err();
            assert!(
                failure.permanent && failure.message.starts_with("action.exec.command"),
                "{failure:?}"
            );
        }
    }
}
