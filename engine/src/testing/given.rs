//! Objects as a user would write them, with everything that does not matter filled in.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::configuration::{
    AddonRef, Backend, Concurrency, PodParts, RepositoryRef, Scheduler, SessionSpec, Spec, TaskRef,
};
use crate::dependency::{Driver, Facts, Parameter, Task};
use crate::group::Group;
use crate::hook::{self, Executor, HookSpec, Policy};
use crate::ids::{Hash, Key, TypedRef};
use crate::restore;
use crate::retention;
use crate::storage::{self, DeletionPolicy, Provider};
use crate::survey::{Claim, Host, Role, Surroundings, Volume};
use crate::usage::UsagePolicy;

/// The namespace of nearly everything.
pub const NAMESPACE: &str = "demo";

/// A configuration's, a session's, a restore's or a template's name in [`NAMESPACE`].
pub fn key(name: &str) -> Key {
    Key::new(Group::KubeStash, NAMESPACE, name)
}

/// A storage's, a policy's, a repository's or a snapshot's name in [`NAMESPACE`].
pub fn stored(name: &str) -> Key {
    Key::new(Group::KubeStashStorage, NAMESPACE, name)
}

/// A Secret's name in [`NAMESPACE`].
pub fn core(name: &str) -> Key {
    Key::core(NAMESPACE, name)
}

/// A hash that is told from others by one number.
pub fn hash(number: u64) -> Hash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Hash(bytes)
}

/// The target of all configurations and restores.
pub fn target() -> TypedRef {
    TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: NAMESPACE.into(),
        name: "db".into(),
    }
}

/// A session of one repository, `one`, without extras.
pub fn session(name: &str) -> SessionSpec {
    SessionSpec {
        name: name.into(),
        scheduler: Some(Scheduler {
            schedule: "0 0 * * *".into(),
            starting_deadline: None,
            concurrency: Concurrency::Allow,
            suspend: false,
        }),
        pre_hooks: vec![],
        post_hooks: vec![],
        retry: None,
        timeout: None,
        history_limit: 10,
        addon: AddonRef {
            group: Group::KubeStashAddons,
            pod: PodParts::default(),
            name: "workload-addon".into(),
            tasks: vec![TaskRef {
                name: "logical-backup".into(),
                params: vec![("paths".into(), "/source/data".into())],
                mounts: vec![],
            }],
        },
        repositories: vec![repository("one")],
    }
}

/// A task of the Addon, without parameters.
pub fn task_ref(name: &str) -> TaskRef {
    TaskRef { name: name.into(), params: vec![], mounts: vec![] }
}

/// A repository reference; its directory follows from its name.
pub fn repository(name: &str) -> RepositoryRef {
    RepositoryRef {
        name: name.into(),
        backend: "main".into(),
        directory: format!("dir/{name}"),
        secret: Some(core("key")),
        deletion: None,
    }
}

/// A configuration of the target with these sessions.
pub fn configuration(sessions: Vec<SessionSpec>) -> Spec {
    Spec {
        target: Some(target()),
        backends: vec![Backend {
            name: "main".into(),
            storage: Some(stored("store")),
            retention: Some(stored("keep")),
        }],
        sessions,
        paused: false,
        allow_partial: false,
        invalid: None,
    }
}

/// A storage that everybody may use.
pub fn storage(name: &str) -> storage::Spec {
    storage::Spec {
        provider: Provider::S3,
        identity: format!("s3/{name}"),
        secret: None,
        usage: Some(UsagePolicy::All),
        default: false,
        deletion: DeletionPolicy::Delete,
        own_namespace_only: false,
        invalid: None,
    }
}

/// A policy that keeps the newest `last` successful snapshots.
pub fn retention(last: u32) -> retention::Spec {
    retention::Spec {
        max_period: String::new(),
        successful: Some(retention::Keep { last: Some(last), ..retention::Keep::default() }),
        failed_last: 1,
        usage: Some(UsagePolicy::All),
        default: false,
        invalid: None,
    }
}

/// A template that its own namespace may use.
pub fn template(executor: Executor) -> hook::Spec {
    hook::Spec { usage: Some(UsagePolicy::Same), executor, params: vec![], invalid: None }
}

/// A hook that always runs, once, by the template of its own name.
pub fn hook(name: &str) -> HookSpec {
    HookSpec {
        name: name.into(),
        template: key(name),
        params: vec![],
        max_retry: 0,
        timeout: None,
        policy: Policy::Always,
    }
}

/// A restore of the newest snapshot of repository `one`; no component named: all of them.
pub fn restore(components: &[&str]) -> restore::Spec {
    restore::Spec {
        target: Some(target()),
        source: restore::Source {
            repository: Some("one".into()),
            snapshot: Some("latest".into()),
            components: components.iter().map(|name| (*name).into()).collect(),
            ..restore::Source::default()
        },
        addon: AddonRef {
            group: Group::KubeStashAddons,
            pod: PodParts::default(),
            name: "workload-addon".into(),
            tasks: vec![task_ref("logical-backup-restore")],
        },
        pre_hooks: vec![],
        post_hooks: vec![],
        timeout: None,
        invalid: None,
    }
}

/// A backup task, or a restore task, of the Addon.
pub fn task(name: &str, restore: bool) -> Task {
    let paths = Parameter { name: "paths".into(), required: true, default: None };
    Task {
        name: name.into(),
        restore,
        function: if restore { "workload-restore" } else { "workload-backup" }.into(),
        driver: Driver::Restic,
        singleton: false,
        parameters: if restore { vec![] } else { vec![paths] },
    }
}

/// What the Addon offers.
pub fn tasks() -> Vec<Task> {
    vec![
        task("logical-backup", false),
        task("logical-backup-restore", true),
        task("manifest-restore", true),
    ]
}

/// What is known of a Secret with a passphrase.
pub fn passphrase(version: u64, allowed: Option<&str>) -> Facts {
    Facts::Secret {
        version: format!("{version}"),
        keys: vec!["RESTIC_PASSWORD".into()],
        allowed_namespaces: allowed.map(Into::into),
    }
}

/// A pod of the target.
pub fn pod(ordinal: u32) -> Host {
    Host {
        role: Role::Ordinal(ordinal),
        pod: format!("db-{ordinal}"),
        node: "n1".into(),
        ready: true,
        created_ms: 0,
        surroundings: Surroundings::default(),
        volumes: vec![Volume {
            name: "data".into(),
            claim: Some(Claim::named(format!("data-db-{ordinal}"))),
            mount_path: "/source/data".into(),
            ..Volume::default()
        }],
    }
}
