//! A real log for tests of the command line: the engine's own decisions, written by a ledger, with an
//! outside that answers at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::path::Path;

use holdfast_engine::backup::{Command as Backup, Worker};
use holdfast_engine::configuration::{ScheduleEvaluation, SessionSpec, Spec};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{self, Facts, state as reference};
use holdfast_engine::effect::Once;
use holdfast_engine::outbox::{self, Answer};
use holdfast_engine::report::{BackupReport, Grade, PathResult, RepositoryResult};
use holdfast_engine::run::{self, Report};
use holdfast_engine::survey::Host;
use holdfast_engine::testing::given;
use holdfast_engine::{
    Actor, Attempt, Command, CommandId, EffectId, Envelope, Event, Failure, Hash, Millis, Outcome,
    Timestamp, TypedRef, Uid, configuration, lease, retention, storage,
};
use holdfast_eventlog::{Archivable, Export, Ledger, Options};

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
            key: given::key(name),
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
        let tasks = vec![given::task("logical-backup", false)];
        self.observe(reference::addon("workload-addon"), Facts::Addon { tasks });
        self.observe(reference::function("workload-backup"), Facts::Function { supported: true });
        self.observe(target(), Facts::Target { replicas: Some(2) });
        self.observe(reference::secret(&given::core("key")), given::passphrase(1, None));
    }

    fn observe(&mut self, object: TypedRef, facts: Facts) {
        let (uid, hash) = (uid(&object.to_string()), Hash::default());
        self.ask(Command::Dependency(dependency::Command::Observe { uid, object, hash, facts }));
    }

    fn declare(&mut self, keep_last: u32) {
        let (generation, hash) = (1, Hash::default());
        self.ask(Command::Storage(storage::Command::Declare(Declared {
            uid: uid("storage"),
            key: given::stored("store"),
            generation,
            hash,
            spec: given::storage("store"),
        })));
        self.ask(Command::Retention(retention::Command::Declare(Declared {
            uid: uid("retention"),
            key: given::stored("keep"),
            generation,
            hash,
            spec: given::retention(keep_last),
        })));
        self.ask(Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: uid("configuration"),
                key: given::key("app"),
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
    TypedRef { name: "app".into(), ..given::target() }
}

fn hosts() -> Vec<Host> {
    let host = |ordinal| Host { pod: format!("app-{ordinal}"), ..given::pod(ordinal) };
    vec![host(0), host(1)]
}

fn configured() -> Spec {
    let session = SessionSpec {
        timeout: Some(Millis(3_600_000)),
        history_limit: 2,
        repositories: vec![given::repository("repo")],
        ..given::session("nightly")
    };
    Spec { target: Some(target()), ..given::configuration(vec![session]) }
}
