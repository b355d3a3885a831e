//! A world for tests of single decisions: the engine, a clock that a test sets, and nobody outside.
//!
//! A test brings the world to where it wants it (`given`), asks (`when`), and compares the names of
//! all events of the answer, in order (`then`). `done` and `given-up` are effects that left the outbox.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::backup::{self, Worker, state::Backup};
use crate::configuration::{self, ScheduleEvaluation, SessionSpec, Spec};
use crate::declared::Declared;
use crate::dependency::{self, Facts, state as reference};
use crate::effect::Once;
use crate::envelope::{Actor, Envelope};
use crate::hook::{self, Executor};
use crate::ids::{Attempt, CommandId, EffectId, TypedRef, Uid};
use crate::outbox::Answer;
use crate::outcome::{Failure, Outcome};
use crate::report::{BackupReport, Grade, PathResult, RepositoryResult, RestoreReport};
use crate::restore::{self, state::Restore};
use crate::run::{self, Report};
use crate::testing::given::{self, core, hash, key, stored};
use crate::time::{Millis, Timestamp};
use crate::{
    Command, Event, Recorded, Rejection, State, apply, binding, decide, lease, namespace, outbox,
    repository, requests, retention, schedule, snapshot, storage,
};

macro_rules! commands {
    ($($module:ident: $variant:ident),* $(,)?) => {$(
        impl From<$module::Command> for Command {
            fn from(command: $module::Command) -> Self {
                Self::$variant(command)
            }
        }
    )*};
}

commands! {
    lease: Lease, namespace: Namespace, dependency: Dependency, storage: Storage,
    retention: Retention, hook: Hook, configuration: Configuration, schedule: Schedule,
    repository: Repository, backup: Backup, snapshot: Snapshot, restore: Restore, run: Run,
    outbox: Outbox,
    binding: Binding,
}

/// Midnight, so that slots are easy to tell.
pub(crate) const MIDNIGHT: Timestamp = Timestamp(1_700_438_400_000);

/// A minute in milliseconds.
pub(crate) const MINUTE: u64 = 60_000;

/// A day in milliseconds: what lies between two slots.
pub(crate) const DAY: u64 = 24 * 60 * MINUTE;

/// The configuration `app`.
pub(crate) const APP: Uid = Uid([100; 16]);

/// The restore `back`.
pub(crate) const BACK: Uid = Uid([101; 16]);

/// The engine and a clock.
#[derive(Clone)]
pub(crate) struct World {
    pub state: State,
    pub now: Timestamp,
    pub log: Vec<Recorded>,
    commands: u64,
}

/// A uid that follows from a word.
pub(crate) fn named(word: &str) -> Uid {
    Uid::default().derive(word)
}

/// Answers that are the same for every test.
pub(crate) fn worker() -> Worker {
    Worker { job: named("job"), pod: named("pod") }
}

/// The first attempt at a component.
pub(crate) fn attempt(session: Uid, component: &str) -> Attempt {
    Attempt { session, component: component.into(), number: 1 }
}

/// A failure as an outcome.
pub(crate) fn broken(reason: &str) -> Outcome {
    Outcome::Failed(super::failure(reason))
}

impl World {
    /// Nothing but a leader, at midnight.
    pub fn new() -> Self {
        let mut world = Self { state: State::default(), now: MIDNIGHT, log: vec![], commands: 0 };
        world.lead();
        world
    }

    /// What sessions need besides objects of our own: the Addon, its Functions, the target, a Secret.
    pub fn furnished() -> Self {
        let mut world = Self::new();
        world.observe(reference::addon("workload-addon"), Facts::Addon { tasks: given::tasks() });
        for name in ["workload-backup", "workload-restore"] {
            world.observe(reference::function(name), Facts::Function { supported: true });
        }
        world.observe(given::target(), Facts::Target { replicas: Some(2) });
        world.observe(reference::secret(&core("key")), given::passphrase(1, None));
        world
    }

    /// Configuration `app` with these sessions, Ready; no session was made yet.
    pub fn with(sessions: Vec<SessionSpec>) -> Self {
        let mut world = Self::furnished();
        world.serve(&given::configuration(sessions));
        world
    }

    /// Configuration `app` with one session, `nightly`.
    pub fn ready() -> Self {
        Self::with(vec![given::session("nightly")])
    }

    /// A world in which `one` holds a whole snapshot of `pod-0` and `pod-1`.
    pub fn restorable() -> Self {
        let mut world = Self::ready();
        world.adopt("snap-1", &["pod-0", "pod-1"]);
        world
    }

    /// A new term of leadership.
    pub fn lead(&mut self) -> String {
        let command = lease::Command::Begin { holder: "operator".into() };
        self.submit(self.state.epoch + 1, command.into()).unwrap()
    }

    /// Lets time pass.
    pub fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(Millis(millis));
    }

    /// What happens, as names of events.
    pub fn ask(&mut self, command: impl Into<Command>) -> String {
        self.submit(self.state.epoch, command.into()).unwrap()
    }

    /// Why nothing happens.
    pub fn refused(&mut self, command: impl Into<Command>) -> Rejection {
        self.submit(self.state.epoch, command.into()).unwrap_err()
    }

    /// Decides under an epoch, and records what is decided.
    pub fn submit(&mut self, epoch: u64, command: Command) -> Result<String, Rejection> {
        self.commands += 1;
        let id = CommandId(named(&format!("command/{}", self.commands)).0);
        let envelope = Envelope { id, at: self.now, actor: Actor::Operator, epoch, command };
        let events = decide(&self.state, &envelope)?;
        let named = events.iter().filter(|event| !is_request(event));
        let names: Vec<String> = named.map(name).collect();
        for event in events {
            self.append(id, epoch, event);
        }
        Ok(names.join(" "))
    }

    /// Records an event, and what it asks for, as if it had been decided.
    pub fn record(&mut self, event: impl Into<Event>) {
        let (id, epoch, event) = (CommandId::default(), self.state.epoch, event.into());
        self.append(id, epoch, event.clone());
        for once in requests::of(&self.state, &event) {
            self.append(id, epoch, outbox::Event::Requested { once }.into());
        }
    }

    fn append(&mut self, cause: CommandId, epoch: u64, event: Event) {
        let seq = self.state.seq + 1;
        let recorded = Recorded { seq, at: self.now, cause, epoch, event };
        apply(&mut self.state, &recorded).unwrap();
        self.log.push(recorded);
    }

    /// The oldest effect that fits.
    pub fn find(&self, fits: impl Fn(&Once) -> bool) -> Option<EffectId> {
        self.state.outbox.iter().find(|(_, once)| fits(once)).map(|(id, _)| *id)
    }

    /// The id of an effect that waits for its answer.
    pub fn effect(&self, once: &Once) -> EffectId {
        self.find(|known| known == once)
            .unwrap_or_else(|| panic!("{once:?} is not in {:?}", self.state.outbox))
    }

    /// Answers an effect.
    pub fn answer(&mut self, effect: EffectId, answer: Answer) -> String {
        self.ask(outbox::Command::Answer { effect, answer })
    }

    /// Answers the effect that asks for this.
    pub fn answer_to(&mut self, once: &Once, answer: Answer) -> String {
        let effect = self.effect(once);
        self.answer(effect, answer)
    }

    /// All effects that wait for an answer.
    pub fn outbox(&self) -> Vec<Once> {
        self.state.outbox.values().cloned().collect()
    }
}

/// Requests are looked at in the outbox.
fn is_request(event: &Event) -> bool {
    matches!(event, Event::Outbox(outbox::Event::Requested { .. }))
}

/// `backup.Created`; `done` and `given-up` for the outbox.
fn name(event: &Event) -> String {
    match event {
        Event::Outbox(outbox::Event::EffectDone { .. }) => return "done".into(),
        Event::Outbox(outbox::Event::EffectFailed { .. }) => return "given-up".into(),
        _ => {}
    }
    let shown = format!("{event:?}");
    let mut words = shown.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let aggregate = words.next().unwrap_or_default().to_lowercase();
    let mut word = words.next().unwrap_or_default();
    if word == "Run" {
        // What is said of every run stands inside: `Run { event: HookStarted { .. } }`.
        word = words.nth(1).unwrap_or_default();
    }
    format!("{aggregate}.{word}")
}

/// Objects.
impl World {
    pub fn observe(&mut self, object: TypedRef, facts: Facts) -> String {
        let (uid, hash) = (named(&object.to_string()), hash(self.state.seq));
        self.ask(dependency::Command::Observe { uid, object, hash, facts })
    }

    pub fn forget(&mut self, object: &TypedRef) -> String {
        self.ask(dependency::Command::Forget { uid: named(&object.to_string()) })
    }

    pub fn label(&mut self, name: &str, labels: &[(&str, &str)]) -> String {
        self.allow(name, labels, None)
    }

    /// A namespace that says who may work in it.
    pub fn allow(&mut self, name: &str, labels: &[(&str, &str)], allows: Option<&str>) -> String {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let uid = named(&format!("namespace/{name}"));
        self.ask(namespace::Command::Observe {
            uid,
            name: name.into(),
            labels,
            allowed_namespaces: allows.map(Into::into),
        })
    }

    pub fn declare_storage(&mut self, name: &str, spec: storage::Spec) -> String {
        self.ask(storage::Command::Declare(Declared {
            uid: named(&format!("storage/{name}")),
            key: stored(name),
            generation: 1,
            hash: hash(self.state.seq),
            spec,
        }))
    }

    pub fn declare_retention(&mut self, name: &str, spec: retention::Spec) -> String {
        self.ask(retention::Command::Declare(Declared {
            uid: named(&format!("retention/{name}")),
            key: stored(name),
            generation: 1,
            hash: hash(self.state.seq),
            spec,
        }))
    }

    pub fn declare_hook(&mut self, name: &str, executor: Executor) -> String {
        self.declare_template(name, given::template(executor))
    }

    pub fn declare_template(&mut self, name: &str, spec: hook::Spec) -> String {
        self.ask(hook::Command::Declare(Declared {
            uid: named(&format!("hook/{name}")),
            key: key(name),
            generation: 1,
            hash: hash(self.state.seq),
            spec,
        }))
    }

    /// Declares `app`; every session's slots are the midnights after now.
    pub fn declare(&mut self, spec: &Spec) -> String {
        let command = self.declaration(spec);
        self.ask(command)
    }

    pub fn declaration(&self, spec: &Spec) -> configuration::Command {
        let schedules = spec.sessions.iter().map(|session| ScheduleEvaluation {
            session: session.name.clone(),
            next: self.midnights(),
            error: None,
        });
        configuration::Command::Declare {
            declared: Declared {
                uid: APP,
                key: key("app"),
                generation: 1,
                hash: hash(self.state.seq),
                spec: spec.clone(),
            },
            schedules: schedules.collect(),
        }
    }

    /// The next three midnights.
    pub fn midnights(&self) -> Vec<Timestamp> {
        let days = self.now.since(MIDNIGHT).0 / DAY;
        (1..=3).map(|n| MIDNIGHT.plus(Millis((days + n) * DAY))).collect()
    }

    /// Storage `store`, policy `keep`, and [`Self::configure`].
    pub fn serve(&mut self, spec: &Spec) {
        self.declare_storage("store", given::storage("store"));
        self.answer_backends();
        self.declare_retention("keep", given::retention(2));
        self.configure(spec);
    }

    /// Declares `app` and answers all that it waits for; its first backups count as made.
    pub fn configure(&mut self, spec: &Spec) {
        self.declare(spec);
        self.answer_repositories();
        for session in &spec.sessions {
            let (session, backup) = (session.name.clone(), named("initial"));
            self.record(configuration::Event::InitialBackupTriggered {
                uid: APP,
                session: session.clone(),
                backup,
            });
            let outcome = Outcome::Succeeded;
            self.ask(configuration::Command::SchedulerReported { uid: APP, session, outcome });
        }
    }

    pub fn answer_backends(&mut self) {
        while let Some(effect) = self.find(|once| matches!(once, Once::InitializeBackend { .. })) {
            self.answer(effect, Answer::Done);
        }
    }

    pub fn answer_repositories(&mut self) {
        let asked = |once: &Once| matches!(once, Once::InitializeRepository { .. });
        while let Some(effect) = self.find(asked) {
            let Once::InitializeRepository { repository: uid } = self.state.outbox[&effect] else {
                continue;
            };
            self.answer(effect, Answer::Repository { id: uid.derive("identity") });
        }
    }

    pub fn repository(&self, name: &str) -> Uid {
        self.state.repository_named(&stored(name)).unwrap().uid
    }

    /// A whole snapshot of session `nightly` in `one`, found there.
    pub fn adopt(&mut self, name: &str, components: &[&str]) -> Uid {
        let uid = named(&format!("snapshot/{name}"));
        let whole = |name: &&str| (String::from(*name), String::from("commit"), true);
        self.ask(snapshot::Command::Adopt {
            uid,
            repository: self.repository("one"),
            key: stored(name),
            session: "nightly".into(),
            taken: self.now,
            components: components.iter().map(whole).collect(),
        });
        uid
    }
}

/// Sessions. What answers an effect goes to the backup or the restore that asked for it.
impl World {
    /// A session that somebody wants now.
    pub fn create(&mut self, session: &str) -> (Uid, String) {
        let uid = named(&format!("backup/{}", self.state.seq));
        let command = self.creation(uid, session, None);
        (uid, self.ask(command))
    }

    pub fn creation(&self, uid: Uid, session: &str, slot: Option<Timestamp>) -> backup::Command {
        backup::Command::Create {
            uid,
            key: key(""),
            configuration: "app".into(),
            session: session.into(),
            retry_left: 0,
            timeout: None,
            slot,
        }
    }

    /// The restore `back`.
    pub fn declare_restore(&mut self, spec: restore::Spec) -> String {
        let (key, hash) = (key("back"), hash(self.state.seq));
        self.ask(restore::Command::Declare(Declared { uid: BACK, key, generation: 1, hash, spec }))
    }

    pub fn backup(&self, uid: Uid) -> &Backup {
        &self.state.backups[&uid]
    }

    pub fn back(&self) -> &Restore {
        &self.state.restores[&BACK]
    }

    fn is_restore(&self, session: Uid) -> bool {
        self.state.restores.contains_key(&session)
    }

    /// The target has so many pods.
    pub fn surveyed(&mut self, session: Uid, pods: u32) -> String {
        let hosts = (0..pods).map(given::pod).collect();
        self.answer_to(&Once::Survey { session }, Answer::Hosts(hosts))
    }

    pub fn started(&mut self, session: Uid, component: &str) -> String {
        let attempt = attempt(session, component);
        self.answer_to(&Once::StartWorker { attempt }, Answer::Worker(worker()))
    }

    pub fn not_started(&mut self, session: Uid, component: &str) -> String {
        let attempt = attempt(session, component);
        let failure = super::failure("Forbidden");
        self.answer_to(&Once::StartWorker { attempt }, Answer::Failed(failure))
    }

    pub fn vanished(&mut self, session: Uid, component: &str) -> String {
        let (attempt, failure) = (attempt(session, component), super::failure("Evicted"));
        self.ask(run::Command::WorkerVanished { attempt, failure })
    }

    /// The worker committed everything, or restored it.
    pub fn reported(&mut self, session: Uid, component: &str) -> String {
        let (attempt, worker) = (attempt(session, component), worker());
        let report = match self.is_restore(session) {
            true => Report::Restore(self.restore_report(None)),
            false => Report::Backup(self.report(session)),
        };
        self.ask(run::Command::WorkerReported { attempt, worker, report })
    }

    /// What a worker says that committed ten files to every repository, just now.
    pub fn report(&self, session: Uid) -> BackupReport {
        let listed = &self.backup(session).snapshots;
        BackupReport {
            failure: None,
            ended: self.now,
            duration: Millis(1_000),
            repositories: listed.iter().map(|s| self.committed(s.repository)).collect(),
        }
    }

    fn committed(&self, repository: Uid) -> RepositoryResult {
        RepositoryResult {
            repository,
            commit: "commit".into(),
            partial: false,
            source_empty: false,
            grade: Grade::ReadBack,
            repository_size: 1_000,
            paths: vec![PathResult {
                path: "/source/data".into(),
                size: 100,
                uploaded: 10,
                files: 10,
                start: self.now,
                end: self.now,
            }],
            unreadable: 0,
            first_unreadable: vec![],
            failure: None,
        }
    }

    pub fn restore_report(&self, failure: Option<Failure>) -> RestoreReport {
        RestoreReport {
            failure,
            ended: self.now,
            duration: Millis(1_000),
            files: 10,
            bytes: 100,
            skipped: vec![],
        }
    }

    /// The hook that runs ends.
    pub fn hook_ended(&mut self, session: Uid, outcome: Outcome) -> String {
        let mine = |once: &Once| matches!(once, Once::RunHook { session: s, .. } if *s == session);
        let effect = self.find(mine).unwrap();
        self.answer(effect, outcome.into())
    }

    /// All snapshots that wait for it are described; what the last answer led to.
    pub fn described(&mut self) -> String {
        let mut last = String::new();
        while let Some(effect) = self.find(|once| matches!(once, Once::UploadMetadata { .. })) {
            last = self.answer(effect, Answer::Done);
        }
        last
    }

    /// All snapshots whose removal a session asked for are gone; what the last answer led to.
    pub fn removed(&mut self) -> String {
        let mut last = String::new();
        let asked = |once: &Once| matches!(once, Once::RemoveSnapshot { by: Some(_), .. });
        while let Some(effect) = self.find(asked) {
            last = self.answer(effect, Answer::Done);
        }
        last
    }

    /// Whatever the end of a session asks for is answered.
    pub fn closed(&mut self) {
        self.described();
        self.removed();
    }

    /// A session of `nightly` whose workers are asked for: one component for each pod.
    pub fn working(&mut self, pods: u32) -> Uid {
        let (session, _) = self.create("nightly");
        self.surveyed(session, pods);
        session
    }

    /// A session of `nightly` from its beginning to its end, of one pod.
    pub fn succeed(&mut self) -> Uid {
        let session = self.working(1);
        self.started(session, "pod-0");
        self.reported(session, "pod-0");
        self.closed();
        session
    }

    /// The one snapshot of a session.
    pub fn snapshot_of(&self, session: Uid) -> Uid {
        self.backup(session).snapshots[0].uid
    }

    /// The restore `back` whose workers are asked for.
    pub fn restoring(&mut self, spec: restore::Spec) {
        self.declare_restore(spec);
        self.surveyed(BACK, 2);
    }
}
