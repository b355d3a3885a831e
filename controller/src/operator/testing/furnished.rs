//! Everything that a backup of two pods takes, as commands.

use holdfast_engine::configuration::{ScheduleEvaluation, SessionSpec, Spec};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{self, Facts, state as reference};
use holdfast_engine::plan::Plan;
use holdfast_engine::survey::Host;
use holdfast_engine::testing::given;
use holdfast_engine::{
    Command, Hash, Millis, Timestamp, TypedRef, Uid, backup, configuration, retention,
};
use holdfast_executor::report::{
    BackupFigures, Entries, Figures, Grade, Outcome, Report, RepositoryReport, SnapshotInfo,
};

use super::{Act, BEGIN, STORAGE, declared, worker};
use crate::place::{Answer, End};
use crate::worker::directory::Ended;

/// How long a session may take.
pub(crate) const TIMEOUT: Millis = Millis(3_600_000);

/// The session that [`backup`] begins.
pub(crate) const SESSION: Uid = Uid([5; 16]);

fn uid(name: &str) -> Uid {
    Uid::default().derive(name)
}

/// A configuration and all that it names.
pub(crate) fn furnished() -> Vec<Command> {
    let tasks = vec![given::task("logical-backup", false)];
    let hash = Hash::default();
    vec![
        observed(reference::addon("workload-addon"), Facts::Addon { tasks }),
        observed(reference::function("workload-backup"), Facts::Function { supported: true }),
        observed(target(), Facts::Target { replicas: Some(2) }),
        observed(reference::secret(&given::core("key")), given::passphrase(1, None)),
        declared(1),
        Command::Retention(retention::Command::Declare(Declared {
            uid: uid("retention"),
            key: given::stored("keep"),
            generation: 1,
            hash,
            spec: given::retention(3),
        })),
        Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: uid("configuration"),
                key: given::key("app"),
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
        key: given::key("now"),
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
    TypedRef { name: "app".into(), ..given::target() }
}

fn spec() -> Spec {
    let session = SessionSpec {
        timeout: Some(TIMEOUT),
        history_limit: 5,
        repositories: vec![given::repository("repo")],
        ..given::session("nightly")
    };
    Spec { target: Some(target()), ..given::configuration(vec![session]) }
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
    Host { pod: format!("app-{ordinal}"), ..given::pod(ordinal) }
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
