//! Objects as a user would write them, with everything that does not matter filled in.

use std::path::Path;

use serde_json::{Value, json};

use crate::watch::builtin;
use crate::watch::files::Scan;

const NAMESPACE: &str = "demo";
const CORE: &str = "core.kubestash.com/v1alpha1";
const STORAGE: &str = "storage.kubestash.com/v1alpha1";

/// What the binary brings, the namespace, and the Secret that encrypts.
pub(super) fn base() -> Vec<Value> {
    let mut scan = Scan::default();
    builtin::add(&mut scan);
    let mut base: Vec<Value> =
        scan.manifests.into_values().map(|manifest| manifest.object).collect();
    base.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
    base.push(secret("a passphrase"));
    base
}

/// The Secret that encrypts everything.
pub(super) fn secret(passphrase: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": NAMESPACE},
        "stringData": {"RESTIC_PASSWORD": passphrase},
    })
}

/// A storage.
pub(super) fn storage(name: &str, deletion: &str) -> Value {
    json!({
        "apiVersion": STORAGE,
        "kind": "BackupStorage",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "storage": {
                "provider": "local",
                "local": {"mountPath": "/safe", "hostPath": {"path": Path::new("/srv").join(name)}},
            },
            "usagePolicy": {"allowedNamespaces": {"from": "All"}},
            "deletionPolicy": deletion,
        },
    })
}

/// A policy that keeps the last so many.
pub(super) fn policy(last: u64) -> Value {
    json!({
        "apiVersion": STORAGE,
        "kind": "RetentionPolicy",
        "metadata": {"name": "keep", "namespace": NAMESPACE},
        "spec": {
            "maxRetentionPeriod": "1y",
            "successfulSnapshots": {"last": last},
            "failedSnapshots": {"last": 1},
        },
    })
}

/// A workload.
pub(super) fn workload(name: &str, replicas: u64) -> Value {
    let mounts = json!([{"name": "data", "mountPath": "/source/data"}]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "app", "volumeMounts": mounts}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
    })
}

/// A hook template.
pub(super) fn hook(name: &str) -> Value {
    json!({
        "apiVersion": CORE,
        "kind": "HookTemplate",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "action": {"exec": {"command": ["true"]}},
            "executor": {"type": "Operator"},
        },
    })
}

/// What a configuration of a workload of the same name asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) storage: String,
    pub(super) repositories: u64,
    pub(super) hooks: bool,
    pub(super) retries: u64,
    pub(super) timeout: &'static str,
    pub(super) schedule: &'static str,
    pub(super) concurrency: &'static str,
    pub(super) suspended: bool,
    pub(super) paused: bool,
    /// What becomes of its repositories with it.
    pub(super) deletion: &'static str,
}

/// A configuration.
pub(super) fn configuration(wanted: &Wanted) -> Value {
    let Wanted { name, .. } = wanted;
    let key = |name: &str| json!({"name": name, "namespace": NAMESPACE});
    let repositories: Vec<Value> = (0..wanted.repositories)
        .map(|number| {
            json!({
                "name": format!("{name}-{number}"),
                "backend": "main",
                "directory": format!("{name}/{number}"),
                "encryptionSecret": key("key"),
                "deletionPolicy": wanted.deletion,
            })
        })
        .collect();
    let hook = |hook: &str| {
        json!([{"name": hook, "hookTemplate": key(hook), "timeout": "2m", "maxRetry": 1}])
    };
    let mut session = json!({
        "name": "nightly",
        "scheduler": {
            "schedule": wanted.schedule,
            "concurrencyPolicy": wanted.concurrency,
            "suspend": wanted.suspended,
            "jobTemplate": {"template": {}},
        },
        "backupTimeout": wanted.timeout,
        "retryConfig": {"maxRetry": wanted.retries, "delay": "2m"},
        "sessionHistoryLimit": 3,
        "addon": {
            "name": "workload-addon",
            "tasks": [{
                "name": "logical-backup",
                "params": {"paths": "/source/data"},
                "targetVolumes": {"volumeMounts": [{"name": "data", "mountPath": "/source/data"}]},
            }],
        },
        "repositories": repositories,
    });
    if wanted.hooks {
        session["hooks"] = json!({"preBackup": hook("freeze"), "postBackup": hook("thaw")});
    }
    json!({
        "apiVersion": CORE,
        "kind": "BackupConfiguration",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "paused": wanted.paused,
            "target": {"apiGroup": "apps", "kind": "StatefulSet", "name": name, "namespace": NAMESPACE},
            "backends": [{
                "name": "main",
                "storageRef": key(&wanted.storage),
                "retentionPolicy": key("keep"),
            }],
            "sessions": [session],
        },
    })
}

/// A run of a configuration's session.
pub(super) fn session(name: &str, configuration: &str) -> Value {
    json!({
        "apiVersion": CORE,
        "kind": "BackupSession",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "invoker": {
                "apiGroup": "core.kubestash.com",
                "kind": "BackupConfiguration",
                "name": configuration,
            },
            "session": "nightly",
        },
    })
}

/// A restore of the latest snapshot of a repository into a workload.
pub(super) fn restore(name: &str, repository: &str, target: &str, timeout: &str) -> Value {
    json!({
        "apiVersion": CORE,
        "kind": "RestoreSession",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "target": {"apiGroup": "apps", "kind": "StatefulSet", "name": target, "namespace": NAMESPACE},
            "dataSource": {
                "repository": repository,
                "snapshot": "latest",
                "encryptionSecret": {"name": "key", "namespace": NAMESPACE},
            },
            "restoreTimeout": timeout,
            "addon": {"name": "workload-addon", "tasks": [{"name": "logical-backup-restore"}]},
        },
    })
}
