//! What a hook's template may say about its session: the documents' `Summary`.

use holdfast_engine::backup::phase::{Phase, phase};
use holdfast_engine::backup::state::Backup;
use holdfast_engine::restore::state::Restore;
use holdfast_engine::view::phases::{backup_error, restore_error};
use holdfast_engine::{Millis, State, TypedRef};
use serde_json::{Value, json};

/// The summary of a backup.
#[must_use]
pub fn of_backup(state: &State, backup: &Backup) -> Value {
    let configuration = state.configurations.get(&backup.configuration);
    let error = backup_error(backup).unwrap_or_default();
    let over = backup.is_work_over();
    let known = phase(backup);
    let word = if known == Phase::Running && over {
        if error.is_empty() { "Succeeded" } else { "Failed" }
    } else {
        known.as_str()
    };
    json!({
        "name": backup.key.name,
        "namespace": backup.key.namespace,
        "invoker": {
            "apiGroup": holdfast_api::kind::CORE_GROUP,
            "kind": "BackupConfiguration",
            "namespace": backup.key.namespace,
            "name": configuration.map_or("", |c| c.key.name.as_str()),
        },
        "target": target(backup.plan.as_ref().and_then(|plan| plan.target.as_ref())),
        "status": {
            "phase": word,
            "duration": state.last_at.since(backup.created_at).whole_seconds().to_string(),
            "error": error,
        },
    })
}

/// The summary of a restore.
#[must_use]
pub fn of_restore(restore: &Restore) -> Value {
    let error = restore_error(restore).unwrap_or_default();
    let word = match (restore.is_work_over(), error.is_empty()) {
        (false, _) => "Running",
        (true, true) => "Succeeded",
        (true, false) => "Failed",
    };
    let took = restore.components.iter().map(|c| c.duration).max().unwrap_or(Millis(0));
    json!({
        "name": restore.key.name,
        "namespace": restore.key.namespace,
        "invoker": {
            "apiGroup": holdfast_api::kind::CORE_GROUP,
            "kind": "RestoreSession",
            "namespace": restore.key.namespace,
            "name": restore.key.name,
        },
        "target": target(restore.spec.target.as_ref()),
        "status": { "phase": word, "duration": took.whole_seconds().to_string(), "error": error },
    })
}

fn target(target: Option<&TypedRef>) -> Value {
    let absent = TypedRef::absent();
    let target = target.unwrap_or(&absent);
    json!({
        "apiGroup": target.api_group,
        "kind": target.kind,
        "namespace": target.namespace,
        "name": target.name,
    })
}
