//! A real log for tests of the command line: the engine's own decisions, written by a ledger, with an
//! outside that answers at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::path::Path;

use holdfast_engine::backup::{Command as Backup, Worker};
use holdfast_engine::configuration::{
    AddonRef, Backend, Concurrency, RepositoryRef, ScheduleEvaluation, Scheduler, SessionSpec,
    Spec, TaskRef,
};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{self, Driver, Facts, Parameter, Task, state as reference};
use holdfast_engine::effect::Once;
use holdfast_engine::outbox::{self, Answer};
use holdfast_engine::report::{BackupReport, Grade, PathResult, RepositoryResult};
use holdfast_engine::run::{self, Report};
use holdfast_engine::storage::{self, DeletionPolicy, Provider};
use holdfast_engine::survey::{Claim, Host, Role, Surroundings, Volume};
use holdfast_engine::usage::UsagePolicy;
use holdfast_engine::{
    Actor, Attempt, Command, CommandId, EffectId, Envelope, Event, Failure, Group, Hash, Key,
    Millis, Outcome, Timestamp, TypedRef, Uid, configuration, lease, retention,
};
use holdfast_eventlog::{Archivable, Export, Ledger, Options};

/// The namespace of everything.
const NAMESPACE: &str = "demo";
/// How long a worker works.
const WORK: i64 = 7_250;

/// A ledger and the commands on their way to it.
pub struct Log {
    ledger: Ledger,
    now: i64,
    commands: u64,
    arrivals: VecDeque<(i64, Command)>,
    /// The message with which the next workers fail.
    pub failures: VecDeque<String>,
}

fn answered(effect: EffectId, answer: Answer) -> Command {
    Command::Outbox(outbox::Command::Answer { effect, answer })
}

fn uid(name: &str) -> Uid {
    Uid::default().derive(name)
}

impl Log {
    /// A log in a directory, with a configuration that is ready, and its initial backup.
    pub fn create(dir: &Path, keep_last: u32) -> Self {
        Self::create_with(dir, keep_last, Options::default())
    }

    /// The same with a log of other options.
    pub fn create_with(dir: &Path, keep_last: u32, options: Options) -> Self {
        let ledger = Ledger::open(dir, options).unwrap();
        let (now, arrivals, failures) = (1_795_230_000_000, VecDeque::new(), VecDeque::new());
        let mut log = Self { ledger, now, commands: 0, arrivals, failures };
        log.ask(Command::Lease(lease::Command::Begin { holder: "operator".into() }));
        log.furnish();
        log.declare(keep_last);
        log
    }

    /// A day later.
    pub fn next_day(&mut self) {
        self.now += 86_400_000;
    }

    /// The time by the log's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Runs a backup session to its end.
    pub fn backup(&mut self, name: &str) {
        self.ask(Command::Backup(Backup::Create {
            uid: uid(name),
            key: Key::new(Group::KubeStash, NAMESPACE, name),
            configuration: "app".into(),
            session: "nightly".into(),
            retry_left: 0,
            timeout: None,
            slot: None,
        }));
    }

    fn ask(&mut self, command: Command) {
        self.arrivals.push_back((self.now, command));
        while let Some((when, command)) = self.arrivals.pop_front() {
            self.now = self.now.max(when);
            self.submit(command);
        }
    }

    fn submit(&mut self, command: Command) {
        self.commands += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.commands.to_be_bytes());
        let (id, at, epoch) = (CommandId(id), Timestamp(self.now), 1);
        let envelope = Envelope { id, at, actor: Actor::Operator, epoch, command };
        let submitted = self.ledger.submit(&[envelope]).unwrap();
        for answer in &submitted.answers {
            assert!(!matches!(answer, holdfast_eventlog::Answer::Refused(_)), "{answer:?}");
        }
        for recorded in submitted.recorded {
            if let Event::Outbox(outbox::Event::Requested { once }) = &recorded.event {
                let answers = self.answer(EffectId(recorded.seq), once);
                self.arrivals.extend(answers);
            }
        }
    }

    fn answer(&mut self, effect: EffectId, once: &Once) -> Vec<(i64, Command)> {
        let answer = match once {
            Once::InitializeRepository { repository } => {
                Answer::Repository { id: repository.derive("identity") }
            }
            Once::Survey { .. } => Answer::Hosts(hosts()),
            Once::StartWorker { attempt } => return self.work(effect, attempt),
            Once::InitializeBackend { .. }
            | Once::UploadMetadata { .. }
            | Once::RemoveSnapshot { by: Some(_), .. } => Answer::Done,
            other => panic!("these tests never ask for {other:?}"),
        };
        vec![(self.now, answered(effect, answer))]
    }

    fn work(&mut self, effect: EffectId, attempt: &Attempt) -> Vec<(i64, Command)> {
        let (attempt, end) = (attempt.clone(), self.now + WORK);
        let job = attempt.session.derive(&attempt.component);
        let worker = Worker { job, pod: job };
        let failure = self.failures.pop_front().map(|message| Failure {
            reason: "SourceUnreadable".into(),
            message,
            permanent: true,
        });
        let report = Report::Backup(self.report(&attempt, Timestamp(end), failure));
        let started = answered(effect, Answer::Worker(worker));
        let reported = run::Command::WorkerReported { attempt, worker, report };
        vec![(self.now, started), (end, Command::Run(reported))]
    }

    fn report(&self, attempt: &Attempt, end: Timestamp, failure: Option<Failure>) -> BackupReport {
        let start = Timestamp(self.now);
        let done = u64::try_from(self.ledger.state().snapshots.len()).unwrap();
        let good = failure.is_none();
        let path = PathResult {
            path: "/source/data".into(),
            size: 8 << 20,
            uploaded: (8 << 20) / (done * done),
            files: 700,
            start,
            end,
        };
        let listed = &self.ledger.state().backups[&attempt.session].snapshots;
        let repositories = listed.iter().map(|listed| RepositoryResult {
            repository: listed.repository,
            commit: if good { "commit".into() } else { String::new() },
            partial: false,
            source_empty: false,
            grade: if good { Grade::ReadBack } else { Grade::None },
            repository_size: (6 << 20) + (done << 18),
            paths: if good { vec![path.clone()] } else { Vec::new() },
            unreadable: 0,
            first_unreadable: Vec::new(),
            failure: None,
        });
        let repositories = repositories.collect();
        BackupReport { failure, ended: end, duration: end.since(start), repositories }
    }

    fn furnish(&mut self) {
        let task = Task {
            name: "logical-backup".into(),
            restore: false,
            function: "workload-backup".into(),
            driver: Driver::Restic,
            singleton: false,
            parameters: vec![Parameter { name: "paths".into(), required: true, default: None }],
        };
        self.observe(reference::addon("workload-addon"), Facts::Addon { tasks: vec![task] });
        self.observe(reference::function("workload-backup"), Facts::Function { supported: true });
        self.observe(target(), Facts::Target { replicas: Some(2) });
        let secret = Facts::Secret {
            version: "1".into(),
            keys: vec!["RESTIC_PASSWORD".into()],
            allowed_namespaces: None,
        };
        self.observe(reference::secret(&Key::core(NAMESPACE, "key")), secret);
    }

    fn observe(&mut self, object: TypedRef, facts: Facts) {
        let (uid, hash) = (uid(&object.to_string()), Hash::default());
        self.ask(Command::Dependency(dependency::Command::Observe { uid, object, hash, facts }));
    }

    fn declare(&mut self, keep_last: u32) {
        let (generation, hash) = (1, Hash::default());
        self.ask(Command::Storage(storage::Command::Declare(Declared {
            uid: uid("storage"),
            key: Key::new(Group::KubeStashStorage, NAMESPACE, "store"),
            generation,
            hash,
            spec: storage::Spec {
                provider: Provider::S3,
                identity: "s3/store".into(),
                secret: None,
                usage: Some(UsagePolicy::All),
                default: false,
                deletion: DeletionPolicy::Delete,
                own_namespace_only: false,
                invalid: None,
            },
        })));
        self.ask(Command::Retention(retention::Command::Declare(Declared {
            uid: uid("retention"),
            key: Key::new(Group::KubeStashStorage, NAMESPACE, "keep"),
            generation,
            hash,
            spec: retention::Spec {
                max_period: String::new(),
                successful: Some(retention::Keep { last: Some(keep_last), ..Default::default() }),
                failed_last: 1,
                usage: Some(UsagePolicy::All),
                default: false,
                invalid: None,
            },
        })));
        self.ask(Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: uid("configuration"),
                key: Key::new(Group::KubeStash, NAMESPACE, "app"),
                generation,
                hash,
                spec: configured(),
            },
            schedules: vec![ScheduleEvaluation {
                session: "nightly".into(),
                // Beyond the end of every test: sessions are asked for.
                next: vec![Timestamp(i64::MAX / 2)],
                error: None,
            }],
        }));
        // The first backup follows from this.
        self.ask(Command::Configuration(configuration::Command::SchedulerReported {
            uid: uid("configuration"),
            session: "nightly".into(),
            outcome: Outcome::Succeeded,
        }));
    }

    /// Writes an export, then drops everything of it that may be dropped; the first event that stays.
    pub fn archive(&mut self, export: &Path) -> u64 {
        Export::of(&self.ledger.reader().unwrap()).unwrap().write_file(export).unwrap();
        let exported = self.ledger.head().seq;
        let before = Timestamp(self.now + 1);
        self.ledger.archive(Archivable { exported, before }).unwrap()
    }

    /// Ends in order.
    pub fn close(self) {
        self.ledger.close().unwrap();
    }
}

fn target() -> TypedRef {
    TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: NAMESPACE.into(),
        name: "app".into(),
    }
}

fn hosts() -> Vec<Host> {
    let (name, claim) = ("data".into(), Some(Claim::named("data")));
    let volume = Volume { name, claim, mount_path: "/source/data".into(), ..Volume::default() };
    let host = |ordinal: u32| Host {
        role: Role::Ordinal(ordinal),
        pod: format!("app-{ordinal}"),
        node: "node-1".into(),
        ready: true,
        created_ms: 0,
        surroundings: Surroundings::default(),
        volumes: vec![volume.clone()],
    };
    vec![host(0), host(1)]
}

fn configured() -> Spec {
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
        timeout: Some(Millis(3_600_000)),
        history_limit: 2,
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
