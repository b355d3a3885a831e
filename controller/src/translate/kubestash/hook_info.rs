//! Hooks as sessions name them.

use holdfast_api::core::{HookExecutionPolicy, HookInfo};
use holdfast_engine::hook::{HookSpec, Policy};
use holdfast_engine::{Group, Key};

use super::{Findings, reference, task};

/// The hooks of one stage.
pub(crate) fn hooks(
    list: &[HookInfo],
    home: &str,
    field: &str,
    findings: &mut Findings,
) -> Vec<HookSpec> {
    list.iter()
        .enumerate()
        .map(|(index, info)| hook(info, home, &format!("{field}[{index}]"), findings))
        .collect()
}

fn hook(info: &HookInfo, home: &str, field: &str, findings: &mut Findings) -> HookSpec {
    let template = match &info.hook_template {
        Some(template) => reference::key(Group::KubeStash, template, home),
        None => {
            findings.add(&format!("{field}.hookTemplate"), "a HookTemplate is needed");
            Key::default()
        }
    };
    HookSpec {
        name: info.name.clone().unwrap_or_default(),
        template,
        params: task::values(info.params.as_ref()),
        max_retry: findings.count(&format!("{field}.maxRetry"), info.max_retry, 0),
        timeout: findings.duration(&format!("{field}.timeout"), info.timeout.as_ref()),
        policy: match info.execution_policy {
            Some(HookExecutionPolicy::OnSuccess) => Policy::OnSuccess,
            Some(HookExecutionPolicy::OnFailure) => Policy::OnFailure,
            Some(HookExecutionPolicy::Always) | None => Policy::Always,
        },
    }
}
