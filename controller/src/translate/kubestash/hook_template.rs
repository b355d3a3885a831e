//! HookTemplate.

use holdfast_api::core::{HookExecutorType, HookTemplate};
use holdfast_engine::Command as Any;
use holdfast_engine::declared::Declared;
use holdfast_engine::hook::{Command, Executor, Spec};

use super::{Findings, Identity, task, usage};

/// The command that declares the template.
#[must_use]
pub fn declare(identity: Identity, object: &HookTemplate) -> Any {
    let Identity { uid, key, generation, hash } = identity;
    Any::Hook(Command::Declare(Declared { uid, key, generation, hash, spec: spec(object) }))
}

fn spec(object: &HookTemplate) -> Spec {
    let mut findings = Findings::default();
    let spec = &object.spec;
    let executor = spec.executor.clone().unwrap_or_default();
    let kind = match executor.r#type {
        Some(HookExecutorType::Operator) => Executor::Operator,
        Some(HookExecutorType::Pod) => Executor::Pod,
        Some(HookExecutorType::Function) => Executor::Function,
        None => {
            findings.add("spec.executor.type", "Operator, Pod or Function is needed");
            Executor::Operator
        }
    };
    match kind {
        Executor::Function if executor.function.is_none() => {
            findings.add("spec.executor.function", "is needed for an executor of type Function");
        }
        Executor::Pod => {
            let selector = executor.pod.and_then(|pod| pod.selector).unwrap_or_default();
            if selector.split(',').any(|part| !part.contains('=')) {
                findings
                    .add("spec.executor.pod.selector", "labels are needed, written as key=value");
            }
        }
        Executor::Function | Executor::Operator => {}
    }
    let action = spec.action.clone().unwrap_or_default();
    let actions = [
        action.exec.is_some(),
        action.http_get.is_some(),
        action.http_post.is_some(),
        action.tcp_socket.is_some(),
    ];
    if kind != Executor::Function && actions.iter().filter(|given| **given).count() != 1 {
        findings
            .add("spec.action", "exactly one of exec, httpGet, httpPost and tcpSocket is needed");
    }
    Spec {
        usage: usage::policy(spec.usage_policy.as_ref()),
        executor: kind,
        params: spec.params.iter().map(task::parameter).collect(),
        invalid: findings.into_invalid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Spec {
        spec(&HookTemplate::new("h", serde_json::from_str(text).unwrap()))
    }

    #[test]
    fn an_action_and_an_executor_are_needed() {
        let exec = r#""action":{"exec":{"command":["true"]}}"#;
        assert_eq!(of(&format!("{{{exec},\"executor\":{{\"type\":\"Operator\"}}}}")).invalid, None);
        for (text, field) in [
            ("{}".to_owned(), "spec.executor.type"),
            (r#"{"executor":{"type":"Operator"}}"#.to_owned(), "spec.action"),
            (r#"{"executor":{"type":"Function"}}"#.to_owned(), "spec.executor.function"),
            (
                format!(
                    "{{{exec},\"executor\":{{\"type\":\"Pod\",\"pod\":{{\"selector\":\"app\"}}}}}}"
                ),
                "spec.executor.pod.selector",
            ),
        ] {
            let invalid = of(&text).invalid.unwrap();
            assert!(invalid.starts_with(field), "{text}: {invalid}");
        }
    }
}
