//! BackupConfiguration.

use holdfast_api::core::{
    BackendReference, BackupConfiguration, RepositoryInfo, SchedulerSpec, Session,
};
use holdfast_api::storage::RepositoryDeletionPolicy;
use holdfast_engine::configuration::{
    Backend, Command, Concurrency, RepositoryRef, Retry, ScheduleEvaluation, Scheduler,
    SessionSpec, Spec,
};
use holdfast_engine::declared::Declared;
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::view::configuration::{BackendStatus, ConfigurationStatus};
use holdfast_engine::{Command as Any, Group, Millis, Timestamp};
use serde_json::Value;

use super::fields::{self, Fields};
use super::{Findings, Identity, hook_info, reference, task};
use crate::calendar::{SLOTS_AHEAD, Schedule};

/// Annotation that lets a backup with unreadable entries succeed.
pub const ALLOW_PARTIAL: &str = "holdfast.dev/allow-partial";

/// Tries of a `retryConfig` that gives no number.
const MAX_RETRY: u32 = 1;

/// Finished sessions that are kept when no number is given.
const HISTORY_LIMIT: u32 = 1;

/// The command that declares the configuration; its schedules are evaluated as of `now`.
#[must_use]
pub fn declare(identity: Identity, object: &BackupConfiguration, now: Timestamp) -> Any {
    let Identity { uid, key, generation, hash } = identity;
    let spec = spec(&key.namespace, object);
    let schedules = spec
        .sessions
        .iter()
        .filter_map(|session| {
            let scheduler = session.scheduler.as_ref()?;
            Some(evaluate(&session.name, &scheduler.schedule, now))
        })
        .collect();
    Any::Configuration(Command::Declare {
        declared: Declared { uid, key, generation, hash, spec },
        schedules,
    })
}

/// What the calendar says about a schedule.
#[must_use]
pub fn evaluate(session: &str, schedule: &str, now: Timestamp) -> ScheduleEvaluation {
    let (next, error) = match Schedule::parse(schedule) {
        Ok(schedule) => (schedule.next(now, SLOTS_AHEAD), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    ScheduleEvaluation { session: session.into(), next, error }
}

fn spec(home: &str, object: &BackupConfiguration) -> Spec {
    let mut findings = Findings::default();
    let spec = &object.spec;
    let annotations = object.metadata.annotations.as_ref();
    Spec {
        target: spec.target.as_ref().map(|target| reference::typed(target, home)),
        backends: spec.backends.iter().map(|b| backend(b, home)).collect(),
        sessions: spec
            .sessions
            .iter()
            .enumerate()
            .map(|(index, s)| session(s, home, &format!("spec.sessions[{index}]"), &mut findings))
            .collect(),
        paused: spec.paused.unwrap_or(false),
        allow_partial: annotations
            .is_some_and(|a| a.get(ALLOW_PARTIAL).is_some_and(|v| v == "true")),
        invalid: findings.into_invalid(),
    }
}

fn backend(backend: &BackendReference, home: &str) -> Backend {
    Backend {
        name: backend.name.clone().unwrap_or_default(),
        storage: backend
            .storage_ref
            .as_ref()
            .map(|r| reference::key(Group::KubeStashStorage, r, home)),
        retention: backend
            .retention_policy
            .as_ref()
            .map(|r| reference::key(Group::KubeStashStorage, r, home)),
    }
}

fn session(session: &Session, home: &str, field: &str, findings: &mut Findings) -> SessionSpec {
    let hooks = session.hooks.clone().unwrap_or_default();
    let retry = session.retry_config.as_ref();
    SessionSpec {
        name: findings.required(&format!("{field}.name"), session.name.as_ref()),
        scheduler: session
            .scheduler
            .as_ref()
            .map(|s| scheduler(s, &format!("{field}.scheduler"), findings)),
        pre_hooks: hook_info::hooks(
            &hooks.pre_backup,
            home,
            &format!("{field}.hooks.preBackup"),
            findings,
        ),
        post_hooks: hook_info::hooks(
            &hooks.post_backup,
            home,
            &format!("{field}.hooks.postBackup"),
            findings,
        ),
        retry: retry.map(|retry| Retry {
            max: findings.count(
                &format!("{field}.retryConfig.maxRetry"),
                retry.max_retry,
                MAX_RETRY,
            ),
            delay: findings
                .duration(&format!("{field}.retryConfig.delay"), retry.delay.as_ref())
                .unwrap_or_default(),
        }),
        timeout: findings
            .duration(&format!("{field}.backupTimeout"), session.backup_timeout.as_ref()),
        history_limit: findings.count(
            &format!("{field}.sessionHistoryLimit"),
            session.session_history_limit,
            HISTORY_LIMIT,
        ),
        addon: task::addon(session.addon.as_ref(), &format!("{field}.addon"), findings),
        repositories: session
            .repositories
            .iter()
            .enumerate()
            .map(|(i, r)| repository(r, home, &format!("{field}.repositories[{i}]"), findings))
            .collect(),
    }
}

fn scheduler(spec: &SchedulerSpec, field: &str, findings: &mut Findings) -> Scheduler {
    let deadline = spec.starting_deadline_seconds.map(u64::try_from);
    if matches!(deadline, Some(Err(_))) {
        findings.add(&format!("{field}.startingDeadlineSeconds"), "must not be negative");
    }
    Scheduler {
        schedule: spec.schedule.clone(),
        starting_deadline: deadline
            .and_then(Result::ok)
            .map(|seconds| Millis(seconds.saturating_mul(1000))),
        concurrency: match spec.concurrency_policy.as_deref() {
            None | Some("" | "Allow") => Concurrency::Allow,
            Some("Forbid") => Concurrency::Forbid,
            Some("Replace") => Concurrency::Replace,
            Some(other) => {
                let message = format!("{other:?} is unknown; Allow, Forbid and Replace are known");
                findings.add(&format!("{field}.concurrencyPolicy"), &message);
                Concurrency::Allow
            }
        },
        suspend: spec.suspend.unwrap_or(false),
    }
}

fn repository(
    info: &RepositoryInfo,
    home: &str,
    field: &str,
    findings: &mut Findings,
) -> RepositoryRef {
    let directory = findings.required(&format!("{field}.directory"), info.directory.as_ref());
    let directory = directory.trim_matches('/').to_owned();
    if directory.split('/').any(|part| matches!(part, "." | "..")) {
        findings.add(&format!("{field}.directory"), "must not hold . or .. as a part");
    }
    RepositoryRef {
        name: findings.required(&format!("{field}.name"), info.name.as_ref()),
        backend: info.backend.clone().unwrap_or_default(),
        directory,
        secret: info.encryption_secret.as_ref().map(|r| reference::key(Group::Core, r, home)),
        deletion: info.deletion_policy.map(|policy| match policy {
            RepositoryDeletionPolicy::Delete => DeletionPolicy::Delete,
            RepositoryDeletionPolicy::WipeOut => DeletionPolicy::WipeOut,
            RepositoryDeletionPolicy::Retain => DeletionPolicy::Retain,
        }),
    }
}

/// `status` of the configuration.
#[must_use]
pub fn status(view: &ConfigurationStatus) -> Value {
    let repositories: Value = view
        .repositories
        .iter()
        .map(|entry| {
            Fields::default()
                .set("name", entry.name.clone())
                .set("phase", entry.phase.as_str())
                .set("reason", entry.reason.clone())
                .into_value()
        })
        .collect();
    let sessions: Value = view
        .sessions
        .iter()
        .map(|entry| {
            Fields::default()
                .set("name", entry.name.clone())
                .set("nextSchedule", entry.next_schedule.map_or(Value::Null, fields::time))
                .set("conditions", fields::conditions(&entry.conditions))
                .into_value()
        })
        .collect();
    Fields::default()
        .set("backends", view.backends.iter().map(backend_status).collect::<Value>())
        .set("conditions", fields::conditions(&view.conditions))
        .set("dependencies", fields::dependencies(&view.dependencies))
        .set("phase", view.phase.as_str())
        .set("repositories", repositories)
        .set("sessions", sessions)
        .set("targetFound", view.target_found)
        .into_value()
}

fn backend_status(entry: &BackendStatus) -> Value {
    let storage = Fields::default()
        .set("ref", fields::reference(&entry.storage))
        .set("phase", entry.storage_phase.map_or("", |phase| phase.as_str()))
        .set("reason", entry.storage_reason.clone());
    let retention = Fields::default()
        .set("ref", fields::reference(&entry.retention))
        .set("found", entry.retention_found)
        .set("reason", entry.retention_reason.clone());
    Fields::default()
        .set("name", entry.name.clone())
        .set("ready", entry.ready)
        .set("storage", storage.into_value())
        .set("retentionPolicy", retention.into_value())
        .into_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_engine::Key;
    use serde_json::{Value, json};

    fn sample() -> Value {
        json!({
            "apiVersion": "core.kubestash.com/v1alpha1", "kind": "BackupConfiguration",
            "metadata": {"name": "sample-backup-sts", "namespace": "demo"},
            "spec": {
                "backends": [{"name": "b", "storageRef": {"name": "s", "namespace": "other"},
                              "retentionPolicy": {"name": "r"}}],
                "sessions": [{
                    "name": "demo-session", "timeout": "1h",
                    "addon": {"name": "workload-addon", "tasks": [{"name": "LogicalBackup",
                        "params": {"paths": "/source/data"},
                        "targetVolumes": {"volumeMounts": [{"name": "source-data", "mountPath": "/source/data"}]}}]},
                    "repositories": [{"name": "repo", "backend": "b", "directory": "/demo/data/",
                        "encryptionSecret": {"name": "encrypt-secret"}}],
                    "retryConfig": {"delay": "1m0s", "maxRetry": 2},
                    "scheduler": {"schedule": "*/5 * * * *", "jobTemplate": {}}
                }],
                "target": {"apiGroup": "apps", "kind": "StatefulSet", "name": "sts"}
            }
        })
    }

    fn of(object: &Value) -> Spec {
        spec("demo", &holdfast_api::read::read::<BackupConfiguration>(object).unwrap())
    }

    #[test]
    fn the_sample_of_the_documents_becomes_a_spec() {
        let spec = of(&sample());
        assert_eq!(spec.invalid, None);
        let target = spec.target.unwrap();
        assert_eq!((target.kind.as_str(), target.namespace.as_str()), ("StatefulSet", "demo"));
        assert_eq!(spec.backends[0].storage, Some(Key::new(Group::KubeStashStorage, "other", "s")));
        assert_eq!(
            spec.backends[0].retention,
            Some(Key::new(Group::KubeStashStorage, "demo", "r"))
        );
        let session = &spec.sessions[0];
        assert_eq!(session.retry, Some(Retry { max: 2, delay: Millis(60_000) }));
        assert_eq!(session.timeout, Some(Millis(3_600_000)), "the older spelling");
        assert_eq!(session.history_limit, 1);
        assert_eq!(session.addon.tasks[0].name, "logical-backup");
        assert_eq!(session.addon.tasks[0].mounts[0].path, "/source/data");
        assert_eq!(session.repositories[0].directory, "demo/data");
        assert_eq!(session.repositories[0].secret, Some(Key::core("demo", "encrypt-secret")));
    }

    #[test]
    fn each_wrong_value_is_named_by_its_field() {
        for (pointer, value, field) in [
            (
                "/spec/sessions/0/retryConfig/delay",
                json!("soon"),
                "spec.sessions[0].retryConfig.delay",
            ),
            ("/spec/sessions/0/timeout", json!("-1h"), "spec.sessions[0].backupTimeout"),
            ("/spec/sessions/0/name", json!(""), "spec.sessions[0].name"),
            (
                "/spec/sessions/0/repositories/0/directory",
                json!("a/../b"),
                "spec.sessions[0].repositories[0].directory",
            ),
            ("/spec/sessions/0/repositories/0/directory", json!("/"), ""),
        ] {
            let mut object = sample();
            *object.pointer_mut(pointer).unwrap() = value;
            let invalid = of(&object).invalid;
            if field.is_empty() {
                assert_eq!(invalid, None, "the root of a storage is a directory");
            } else {
                assert!(invalid.as_ref().unwrap().starts_with(field), "{pointer}: {invalid:?}");
            }
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_read_travels_as_its_error() {
        let evaluation = evaluate("s", "whenever", Timestamp(0));
        assert!(evaluation.next.is_empty() && evaluation.error.unwrap().contains("whenever"));
        assert_eq!(evaluate("s", "@hourly", Timestamp(0)).next.len(), SLOTS_AHEAD);
    }
}
