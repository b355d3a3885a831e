//! RestoreSession.

use holdfast_api::core::{RestoreDataSource, RestoreSession};
use holdfast_engine::declared::Declared;
use holdfast_engine::restore::{Command, Source, Spec};
use holdfast_engine::view::restore::RestoreStatus;
use holdfast_engine::{Command as Any, Group, Timestamp};
use serde_json::{Map, Value};

use super::fields::{self, Fields};
use super::{Findings, Identity, hook_info, reference, task};

/// The command that declares the restore.
#[must_use]
pub fn declare(identity: Identity, object: &RestoreSession) -> Any {
    let Identity { uid, key, generation, hash } = identity;
    let spec = spec(&key.namespace, object);
    Any::Restore(Command::Declare(Declared { uid, key, generation, hash, spec }))
}

fn spec(home: &str, object: &RestoreSession) -> Spec {
    let mut findings = Findings::default();
    let spec = &object.spec;
    let hooks = spec.hooks.clone().unwrap_or_default();
    let source = match &spec.data_source {
        Some(source) => self::source(source, home, &mut findings),
        None => {
            findings.add("spec.dataSource", "a Snapshot or a Repository is needed");
            Source::default()
        }
    };
    Spec {
        target: spec.target.as_ref().map(|target| reference::typed(target, home)),
        source,
        addon: task::addon(spec.addon.as_ref(), "spec.addon", &mut findings),
        pre_hooks: hook_info::hooks(
            &hooks.pre_restore,
            home,
            "spec.hooks.preRestore",
            &mut findings,
        ),
        post_hooks: hook_info::hooks(
            &hooks.post_restore,
            home,
            "spec.hooks.postRestore",
            &mut findings,
        ),
        timeout: findings.duration("spec.restoreTimeout", spec.restore_timeout.as_ref()),
        invalid: findings.into_invalid(),
    }
}

fn source(source: &RestoreDataSource, home: &str, findings: &mut Findings) -> Source {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let point_in_time = source.pitr.as_ref().and_then(|pitr| {
        let Some(time) = &pitr.target_time else {
            findings.add("spec.dataSource.pitr.targetTime", "a time is needed");
            return None;
        };
        let at = Timestamp(time.0.as_millisecond());
        Some((at, pitr.exclusive.unwrap_or(false)))
    });
    Source {
        namespace: given(&source.namespace).unwrap_or_else(|| home.to_owned()),
        repository: given(&source.repository),
        snapshot: given(&source.snapshot),
        point_in_time,
        components: source.components.clone(),
        secret: source.encryption_secret.as_ref().map(|r| reference::key(Group::Core, r, home)),
    }
}

/// `status` of the restore.
#[must_use]
pub fn status(view: &RestoreStatus) -> Value {
    let components: Map<String, Value> = view
        .components
        .iter()
        .map(|(name, entry)| {
            let fields = Fields::default()
                .set("phase", entry.phase.as_str())
                .set("duration", entry.duration.clone())
                .set("error", entry.error.clone());
            (name.clone(), fields.into_value())
        })
        .collect();
    let total = (view.total_components > 0).then_some(view.total_components);
    Fields::default()
        .set("phase", view.phase.as_str())
        .set("targetFound", view.target_found)
        .set("duration", view.duration.clone())
        .set("restoreDeadline", view.deadline.map_or(Value::Null, fields::time))
        .set("totalComponents", total)
        .set("components", Value::Object(components))
        .set("hooks", fields::hooks(view.hooks.as_ref()))
        .set("dependencies", fields::dependencies(&view.dependencies))
        .set("pausedBackups", view.paused_backups.iter().map(fields::typed).collect::<Value>())
        .set("conditions", fields::conditions(&view.conditions))
        .into_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_engine::Key;
    use serde_json::{Value, json};

    fn of(spec: Value) -> Spec {
        let object = json!({
            "apiVersion": "core.kubestash.com/v1alpha1", "kind": "RestoreSession",
            "metadata": {"name": "sample-restore", "namespace": "demo"}, "spec": spec
        });
        super::spec("demo", &holdfast_api::read::read::<RestoreSession>(&object).unwrap())
    }

    #[test]
    fn the_sample_of_the_documents_becomes_a_spec() {
        let spec = of(json!({
            "addon": {"name": "workload-addon", "tasks": [{"name": "LogicalBackupRestore"}]},
            "dataSource": {"components": ["pod-0", "pod-2"], "repository": "gcs-demo-repo", "snapshot": "latest",
                           "encryptionSecret": {"name": "encrypt-secret", "namespace": "demo"}},
            "target": {"apiGroup": "apps", "kind": "StatefulSet", "name": "restore-sts", "namespace": "demo"},
            "timeout": "10m"
        }));
        assert_eq!(spec.invalid, None);
        assert_eq!(spec.addon.tasks[0].name, "logical-backup-restore");
        assert_eq!(spec.source.components, ["pod-0", "pod-2"]);
        assert_eq!(spec.source.namespace, "demo");
        assert_eq!(spec.source.secret, Some(Key::core("demo", "encrypt-secret")));
        assert_eq!(spec.timeout.map(|t| t.0), Some(600_000), "the older spelling");
    }

    #[test]
    fn without_a_source_or_a_time_it_is_invalid() {
        let addon = json!({"name": "a", "tasks": [{"name": "t"}]});
        assert!(of(json!({"addon": addon})).invalid.unwrap().starts_with("spec.dataSource"));
        let no_time = of(
            json!({"addon": addon, "dataSource": {"repository": "r", "pitr": {"exclusive": true}}}),
        );
        assert!(no_time.invalid.unwrap().starts_with("spec.dataSource.pitr.targetTime"));
        let exact = of(json!({"addon": addon, "dataSource": {"repository": "r",
            "pitr": {"targetTime": "2026-01-01T00:00:00Z"}}}));
        assert_eq!(exact.source.point_in_time, Some((Timestamp(1_767_225_600_000), false)));
    }
}
