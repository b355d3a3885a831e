//! Everything that a backup of two pods takes, as commands.

use holdfast_engine::configuration::{
    AddonRef, Backend, Concurrency, RepositoryRef, ScheduleEvaluation, Scheduler, SessionSpec,
    Spec, TaskRef,
};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{self, Driver, Facts, Parameter, Task, state as reference};
use holdfast_engine::plan::Plan;
use holdfast_engine::survey::{Claim, Host, Role, Surroundings, Volume};
use holdfast_engine::usage::UsagePolicy;
use holdfast_engine::{
    Command, Group, Hash, Key, Millis, Timestamp, TypedRef, Uid, backup, configuration, retention,
};
use holdfast_executor::report::{
    BackupFigures, Entries, Figures, Grade, Outcome, Report, RepositoryReport, SnapshotInfo,
};

use super::{Act, BEGIN, STORAGE, declared, worker};
use crate::place::{Answer, End};
use crate::worker::directory::Ended;

/// How long a session may take.
pub(crate) const TIMEOUT: Millis = Millis(3_600_000);

const NAMESPACE: &str = "demo";

/// The session that [`backup`] begins.
pub(crate) const SESSION: Uid = Uid([5; 16]);

fn uid(name: &str) -> Uid {
    Uid::default().derive(name)
}

/// A configuration and all that it names.
pub(crate) fn furnished() -> Vec<Command> {
    let parameters = vec![Parameter { name: "paths".into(), required: true, default: None }];
    let task = Task {
        name: "logical-backup".into(),
        restore: false,
        function: "workload-backup".into(),
        driver: Driver::Restic,
        singleton: false,
        parameters,
    };
    let secret = Facts::Secret {
        version: "1".into(),
        keys: vec!["RESTIC_PASSWORD".into()],
        allowed_namespaces: None,
    };
    let policy = retention::Spec {
        max_period: String::new(),
        successful: Some(retention::Keep { last: Some(3), ..Default::default() }),
        failed_last: 1,
        usage: Some(UsagePolicy::All),
        default: false,
        invalid: None,
    };
    let hash = Hash::default();
    vec![
        observed(reference::addon("workload-addon"), Facts::Addon { tasks: vec![task] }),
        observed(reference::function("workload-backup"), Facts::Function { supported: true }),
        observed(target(), Facts::Target { replicas: Some(2) }),
        observed(reference::secret(&Key::core(NAMESPACE, "key")), secret),
        declared(1),
        Command::Retention(retention::Command::Declare(Declared {
            uid: uid("retention"),
            key: Key::new(Group::KubeStashStorage, NAMESPACE, "keep"),
            generation: 1,
            hash,
            spec: policy,
        })),
        Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: uid("configuration"),
                key: Key::new(Group::KubeStash, NAMESPACE, "app"),
                generation: 1,
                hash,
                spec: spec(),
            },
            schedules: vec![ScheduleEvaluation {
                session: "nightly".into(),
                // Beyond the end of every test: sessions are asked for.
                next: vec![Timestamp(i64::MAX / 2)],
                error: None,
            }],
        }),
    ]
}

/// Begins a backup.
pub(crate) fn backup() -> Command {
    Command::Backup(backup::Command::Create {
        uid: SESSION,
        key: Key::new(Group::KubeStash, NAMESPACE, "now"),
        configuration: "app".into(),
        session: "nightly".into(),
        retry_left: 0,
        timeout: None,
        slot: None,
    })
}

fn observed(object: TypedRef, facts: Facts) -> Command {
    let (uid, hash) = (uid(&object.to_string()), Hash::default());
    Command::Dependency(dependency::Command::Observe { uid, object, hash, facts })
}

fn target() -> TypedRef {
    TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: NAMESPACE.into(),
        name: "app".into(),
    }
}

fn spec() -> Spec {
    let task = TaskRef {
        name: "logical-backup".into(),
        params: vec![("paths".into(), "/source/data".into())],
        mounts: Vec::new(),
    };
    let session = SessionSpec {
        name: "nightly".into(),
        scheduler: Some(Scheduler {
            schedule: "0 3 1 1 *".into(),
            starting_deadline: None,
            concurrency: Concurrency::Allow,
            suspend: false,
        }),
        pre_hooks: Vec::new(),
        post_hooks: Vec::new(),
        retry: None,
        timeout: Some(TIMEOUT),
        history_limit: 5,
        addon: AddonRef {
            group: Group::KubeStashAddons,
            pod: holdfast_engine::configuration::PodParts::default(),
            name: "workload-addon".into(),
            tasks: vec![task],
        },
        repositories: vec![RepositoryRef {
            name: "repo".into(),
            backend: "main".into(),
            directory: "dir/repo".into(),
            secret: Some(Key::core(NAMESPACE, "key")),
            deletion: None,
        }],
    };
    Spec {
        target: Some(target()),
        backends: vec![Backend {
            name: "main".into(),
            storage: Some(Key::new(Group::KubeStashStorage, NAMESPACE, "store")),
            retention: Some(Key::new(Group::KubeStashStorage, NAMESPACE, "keep")),
        }],
        sessions: vec![session],
        paused: false,
        allow_partial: false,
        invalid: None,
    }
}

/// A place where everything succeeds at once.
pub(crate) fn willing(plan: &Plan, number: usize) -> Act {
    Act::Answer(match plan {
        Plan::InitializeRepository(_) => Answer::Repository { id: STORAGE },
        Plan::Survey(_) => Answer::Hosts(vec![host(0), host(1)]),
        Plan::StartBackup(_) | Plan::StartRestore(_) => {
            Answer::Worker(worker(u8::try_from(number).unwrap_or(u8::MAX)))
        }
        _ => Answer::Done,
    })
}

fn host(ordinal: u32) -> Host {
    let (name, claim) = ("data".into(), Some(Claim::named("data")));
    Host {
        role: Role::Ordinal(ordinal),
        pod: format!("app-{ordinal}"),
        node: "node-1".into(),
        ready: true,
        created_ms: 0,
        surroundings: Surroundings::default(),
        volumes: vec![Volume {
            name,
            claim,
            mount_path: "/source/data".into(),
            ..Volume::default()
        }],
    }
}

/// The end of a worker that has committed to this repository what it read, and has read it back.
pub(crate) fn committed(repository: Uid) -> End {
    let outcome = Outcome::Succeeded { grade: Grade::ReadBack };
    let entries = Entries { files: 1, directories: 1, ..Entries::default() };
    let snapshot = SnapshotInfo {
        id: "c1".into(),
        object_digest: None,
        tree: String::new(),
        at: 0,
        ended_at: None,
        stored_at: None,
        host: String::new(),
        session: String::new(),
        component: String::new(),
        tags: Vec::new(),
        roots: Vec::new(),
        partial: false,
        parent: None,
        files: 1,
        directories: 1,
        bytes: 1,
    };
    let report = Report {
        attempt: "a".into(),
        outcome: outcome.clone(),
        repositories: vec![RepositoryReport {
            name: repository.to_string(),
            outcome,
            repository_id: None,
            snapshot: Some(snapshot),
            figures: Figures::Backup(Box::new(BackupFigures {
                entries,
                ..BackupFigures::default()
            })),
            duration_ms: 1,
        }],
        duration_ms: 1,
    };
    End::Reported(Box::new(Ended { ended_ms: BEGIN.0, report }))
}
