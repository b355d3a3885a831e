//! BackupSession.

use holdfast_api::core::BackupSession;
use holdfast_engine::backup::Command;
use holdfast_engine::backup::Trigger;
use holdfast_engine::backup::state::Backup;
use holdfast_engine::view::backup::BackupStatus;
use holdfast_engine::{Command as Any, Key, Uid};
use serde_json::Value;

use super::Findings;
use super::fields::{self, Fields};

/// The command that creates the session.
///
/// # Errors
/// Which field cannot be used, and what to do: a session has no place for it in its status.
pub fn create(uid: Uid, key: Key, object: &BackupSession) -> Result<Any, String> {
    let mut findings = Findings::default();
    let spec = &object.spec;
    let invoker = spec.invoker.clone().unwrap_or_default();
    if invoker.kind != "BackupConfiguration" {
        findings.add("spec.invoker.kind", "only a BackupConfiguration can be run");
    }
    let configuration = findings.required("spec.invoker.name", Some(&invoker.name));
    let session = findings.required("spec.session", spec.session.as_ref());
    let retry_left = findings.count("spec.retryLeft", spec.retry_left, 0);
    let timeout = findings.duration("spec.backupTimeout", spec.backup_timeout.as_ref());
    match findings.into_invalid() {
        Some(finding) => Err(finding),
        None => Ok(Any::Backup(Command::Create {
            uid,
            key,
            configuration,
            session,
            retry_left,
            timeout,
            slot: None,
        })),
    }
}

/// `spec` of a session that the operator made.
#[must_use]
pub fn spec(backup: &Backup, configuration: &str) -> Value {
    let invoker = Fields::default()
        .set("apiGroup", holdfast_api::kind::CORE_GROUP)
        .set("kind", "BackupConfiguration")
        .set("name", configuration);
    let timeout = backup.timeout.map(|limit| limit.to_string());
    let spec = Fields::default()
        .set("invoker", invoker.into_value())
        .set("session", backup.session.clone());
    // A manual run without retries shows none, as the documents' own tool leaves it.
    let retries =
        (backup.trigger != Trigger::Manual || backup.retry_left > 0).then_some(backup.retry_left);
    spec.set("retryLeft", retries).set("backupTimeout", timeout).into_value()
}

/// `status` of the session.
#[must_use]
pub fn status(view: &BackupStatus) -> Value {
    let snapshots: Value = view
        .snapshots
        .iter()
        .map(|entry| {
            Fields::default()
                .set("name", entry.name.clone())
                .set("phase", entry.phase.as_str())
                .set("appRef", fields::typed(&entry.app))
                .set("repository", entry.repository.clone())
                .into_value()
        })
        .collect();
    let retention: Value = view
        .retention
        .iter()
        .map(|entry| {
            Fields::default()
                .set("ref", fields::reference(&entry.policy))
                .set("repository", entry.repository.clone())
                .set("phase", entry.phase.as_str())
                .set("error", entry.error.clone())
                .into_value()
        })
        .collect();
    Fields::default()
        .set("phase", view.phase.as_str())
        .set("duration", view.duration.clone())
        .set("backupDeadline", view.deadline.map_or(Value::Null, fields::time))
        .set("totalSnapshots", view.total_snapshots)
        .set("snapshots", snapshots)
        .set("hooks", fields::hooks(view.hooks.as_ref()))
        .set("retentionPolicy", retention)
        .set("retried", view.retried)
        .set("nextRetry", view.next_retry.map_or(Value::Null, fields::time))
        .set("conditions", fields::conditions(&view.conditions))
        .into_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_configuration() {
        let object: BackupSession = serde_json::from_value(serde_json::json!({
            "apiVersion": "core.kubestash.com/v1alpha1", "kind": "BackupSession",
            "metadata": {"name": "now"},
            "spec": {"invoker": {"apiGroup": "core.kubestash.com", "kind": "BackupConfiguration", "name": "c"},
                     "session": "s"}
        }))
        .unwrap();
        let command = create(
            Uid::default(),
            Key::new(holdfast_engine::Group::KubeStash, "demo", "now"),
            &object,
        )
        .unwrap();
        let Any::Backup(Command::Create { configuration, session, slot, .. }) = command else {
            panic!("a creation")
        };
        assert_eq!((configuration.as_str(), session.as_str(), slot), ("c", "s", None));
        let mut batch = object;
        batch.spec.invoker.as_mut().unwrap().kind = "BackupBatch".into();
        assert!(
            create(Uid::default(), Key::default(), &batch)
                .unwrap_err()
                .contains("spec.invoker.kind")
        );
    }
}
