//! Objects as a user would write them, with everything that does not matter filled in.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::place::local::declared::builtin;
use crate::place::local::declared::files::Scan;
use crate::sighting::name::ObjectName;

const NAMESPACE: &str = "demo";
const CORE: &str = "core.kubestash.com/v1alpha1";
const STORAGE: &str = "storage.kubestash.com/v1alpha1";

/// What the binary brings for workloads, the namespace, and the Secret that encrypts.
pub(crate) fn base() -> Vec<Value> {
    static BUILTIN: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let mut scan = Scan::default();
        builtin::add(&mut scan);
        // Everything that is declared is translated anew in each life.
        let used = |name: &ObjectName| name.name.starts_with("workload-");
        let manifests = scan.manifests.into_iter().filter(|(name, _)| used(name));
        manifests.map(|(_, manifest)| manifest.object).collect()
    });
    let mut base = BUILTIN.clone();
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
    storage_below("/srv", name, deletion)
}

/// A storage whose directory lies somewhere else.
pub(crate) fn storage_below(path: &str, name: &str, deletion: &str) -> Value {
    json!({
        "apiVersion": STORAGE,
        "kind": "BackupStorage",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "storage": {
                "provider": "local",
                "local": {"mountPath": "/safe", "hostPath": {"path": Path::new(path).join(name)}},
            },
            "usagePolicy": {"allowedNamespaces": {"from": "All"}},
            "deletionPolicy": deletion,
        },
    })
}

/// A policy that keeps the last so many.
pub(crate) fn policy(last: u64) -> Value {
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
pub(crate) fn workload(name: &str, replicas: u64) -> Value {
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
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) storage: String,
    pub(crate) repositories: u64,
    pub(crate) hooks: bool,
    pub(crate) retries: u64,
    pub(crate) timeout: &'static str,
    pub(crate) schedule: &'static str,
    pub(crate) concurrency: &'static str,
    pub(crate) suspended: bool,
    pub(crate) paused: bool,
    /// What becomes of its repositories with it.
    pub(crate) deletion: &'static str,
}

/// A configuration.
pub(crate) fn configuration(wanted: &Wanted) -> Value {
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
    let hook = |hook: &str| json!([{"name": hook, "hookTemplate": key(hook), "timeout": "2m", "maxRetry": 3}]);
    let mut session = json!({
        "name": "nightly",
        "scheduler": {
            "schedule": wanted.schedule,
            "concurrencyPolicy": wanted.concurrency,
            "suspend": wanted.suspended,
            "jobTemplate": {"template": {}},
        },
        "backupTimeout": wanted.timeout,
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
    if wanted.retries > 0 {
        session["retryConfig"] = json!({"maxRetry": wanted.retries, "delay": "2m"});
    }
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
pub(crate) fn session(name: &str, configuration: &str) -> Value {
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
