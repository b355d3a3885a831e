//! Tasks, their references and parameters: what Addons declare and sessions name.

use holdfast_api::core::{AddonInfo, TaskReference};
use holdfast_api::parameter::ParameterDefinition;
use holdfast_engine::Group;
use holdfast_engine::configuration::{AddonRef, Mount, PodParts, TaskRef};
use holdfast_engine::dependency::Parameter;
use serde_json::{Map, Value};

use super::Findings;

/// A declared parameter.
#[must_use]
pub fn parameter(definition: &ParameterDefinition) -> Parameter {
    Parameter {
        name: definition.name.clone().unwrap_or_default(),
        required: definition.required.unwrap_or(false),
        default: definition.default.clone(),
    }
}

/// Values for parameters, sorted by name. Everything is text in the end: numbers and booleans are written
/// as JSON writes them.
#[must_use]
pub fn values(params: Option<&Map<String, Value>>) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = params
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name.clone(), text.clone())),
            other => Some((name.clone(), other.to_string())),
        })
        .collect();
    values.sort();
    values
}

/// The Addon of a session or a restore.
pub(crate) fn addon(info: Option<&AddonInfo>, field: &str, findings: &mut Findings) -> AddonRef {
    let Some(info) = info else {
        findings.add(field, "an Addon is needed");
        return AddonRef {
            group: Group::KubeStashAddons,
            name: String::new(),
            tasks: Vec::new(),
            pod: PodParts::default(),
        };
    };
    AddonRef {
        group: Group::KubeStashAddons,
        name: findings.required(&format!("{field}.name"), info.name.as_ref()),
        pod: pod_parts(info),
        tasks: info
            .tasks
            .iter()
            .enumerate()
            .map(|(index, task)| self::task(task, &format!("{field}.tasks[{index}]"), findings))
            .collect(),
    }
}

/// What the user brings into the worker's pod besides settings of ours.
fn pod_parts(info: &AddonInfo) -> PodParts {
    let spec = info.job_template.as_ref().and_then(|template| template.spec.as_ref());
    let named = spec.and_then(|spec| spec.service_account_name.as_ref());
    let of_tasks = info.tasks.iter().any(|task| {
        let chosen = task.target_volumes.as_ref();
        !task.addon_volumes.is_empty() || chosen.is_some_and(|chosen| !chosen.volumes.is_empty())
    });
    PodParts {
        init_containers: spec.is_some_and(|spec| !spec.init_containers.is_empty()),
        service_account: named.is_some_and(|name| !name.is_empty()),
        volumes: of_tasks || spec.is_some_and(|spec| !spec.volumes.is_empty()),
    }
}

fn task(task: &TaskReference, field: &str, findings: &mut Findings) -> TaskRef {
    let mounts = task.target_volumes.as_ref().map(|volumes| volumes.volume_mounts.as_slice());
    TaskRef {
        name: kebab_case(&findings.required(&format!("{field}.name"), task.name.as_ref())),
        params: values(task.params.as_ref()),
        mounts: mounts
            .unwrap_or_default()
            .iter()
            .map(|mount| Mount { volume: mount.name.clone(), path: mount.mount_path.clone() })
            .collect(),
    }
}

/// `LogicalBackupRestore` is the older spelling of `logical-backup-restore`.
fn kebab_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() {
            if index > 0 && !out.ends_with('-') {
                out.push('-');
            }
            out.push(letter.to_ascii_lowercase());
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_task_are_one() {
        for (written, known) in [
            ("LogicalBackup", "logical-backup"),
            ("logical-backup", "logical-backup"),
            ("LogicalBackupRestore", "logical-backup-restore"),
            ("VolumeSnapshotRestore", "volume-snapshot-restore"),
            ("Logical-Backup", "logical-backup"),
        ] {
            assert_eq!(kebab_case(written), known);
        }
    }

    #[test]
    fn values_become_text_in_order() {
        let params = serde_json::json!({"paths": "/a", "enableCache": true, "n": 3, "none": null});
        assert_eq!(
            values(params.as_object()),
            [("enableCache", "true"), ("n", "3"), ("paths", "/a")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
    }
}
