//! Whole restores, from the object to the final phase.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::backup::Worker;
use crate::configuration::{self, AddonRef, TaskRef};
use crate::declared::Declared;
use crate::dependency::state::{addon, function, secret};
use crate::dependency::{self, Driver, Facts, Task};
use crate::effect::Once;
use crate::envelope::{Actor, Envelope};
use crate::group::Group;
use crate::hook::{self, HookSpec, Policy, Stage};
use crate::ids::{Attempt, CommandId, EffectId, Hash, Key, TypedRef, Uid};
use crate::outbox::Answer;
use crate::outcome::{Failure, Outcome};
use crate::report::{Grade, RestoreReport};
use crate::restore::check::repository_object;
use crate::restore::phase::{Phase, Step, phase};
use crate::restore::state::Restore;
use crate::restore::{Command, Event as Happened, Source, Spec};
use crate::run::{Command as Run, Report};
use crate::storage::DeletionPolicy;
use crate::survey::{Host, Role};
use crate::testing::{failure, uid};
use crate::time::{Millis, Timestamp};
use crate::usage::UsagePolicy;
use crate::{Event, Recorded, Rejection, State, apply, decide, namespace, repository, snapshot};

const RESTORE: Uid = Uid([1; 16]);
const REPOSITORY: Uid = Uid([2; 16]);
const CONFIGURATION: Uid = Uid([3; 16]);
const SNAPSHOT: Uid = Uid([4; 16]);

/// A cluster with an application, its repository and one snapshot of two pods.
struct World {
    state: State,
    now: i64,
    commands: u8,
}

fn target() -> TypedRef {
    TypedRef {
        api_group: "apps".into(),
        kind: "StatefulSet".into(),
        namespace: "demo".into(),
        name: "db".into(),
    }
}

fn task(name: &str) -> Task {
    Task {
        name: name.into(),
        restore: true,
        function: "workload-restore".into(),
        driver: Driver::Restic,
        singleton: false,
        parameters: vec![],
    }
}

fn task_ref(name: &str) -> TaskRef {
    TaskRef { name: name.into(), params: vec![], mounts: vec![] }
}

fn spec(components: &[&str]) -> Spec {
    Spec {
        target: Some(target()),
        source: Source {
            repository: Some("repo".into()),
            snapshot: Some("latest".into()),
            components: components.iter().map(|c| (*c).into()).collect(),
            ..Source::default()
        },
        addon: AddonRef {
            group: Group::KubeStashAddons,
            pod: crate::configuration::PodParts::default(),
            name: "workload-addon".into(),
            tasks: vec![task_ref("logical-backup-restore")],
        },
        pre_hooks: vec![],
        post_hooks: vec![],
        timeout: Some(Millis(600_000)),
        invalid: None,
    }
}

fn hook(name: &str, policy: Policy) -> HookSpec {
    HookSpec {
        name: name.into(),
        template: Key::new(Group::KubeStash, "demo", "template"),
        params: vec![],
        max_retry: 0,
        timeout: None,
        policy,
    }
}

fn pod(ordinal: u32) -> Host {
    Host {
        role: Role::Ordinal(ordinal),
        pod: format!("db-{ordinal}"),
        node: "n1".into(),
        ready: true,
        created_ms: 0,
        surroundings: crate::survey::Surroundings::default(),
        volumes: vec![],
    }
}

impl World {
    fn new() -> Self {
        let mut world = Self { state: State::default(), now: 1_000, commands: 0 };
        world.observe(10, addon("workload-addon"), {
            let tasks = vec![task("logical-backup-restore"), task("manifest-restore")];
            Facts::Addon { tasks }
        });
        world.observe(11, function("workload-restore"), Facts::Function { supported: true });
        world.observe(12, target(), Facts::Target { replicas: Some(2) });
        world.record(repository::Event::Created {
            uid: REPOSITORY,
            key: Key::new(Group::KubeStashStorage, "demo", "repo"),
            configuration: CONFIGURATION,
            app: target(),
            storage: Key::new(Group::KubeStashStorage, "demo", "storage"),
            path: "db".into(),
            secret: None,
            deletion: DeletionPolicy::Delete,
        });
        world.record(repository::Event::Initialized { uid: REPOSITORY, id: uid(9) });
        world.record(configuration::Event::Declared {
            uid: CONFIGURATION,
            key: Key::new(Group::KubeStash, "demo", "db"),
            generation: 1,
            hash: Hash::default(),
            target: Some(target()),
            backends: vec![],
            paused: false,
            allow_partial: false,
            sessions: 0,
        });
        world.snapshot(SNAPSHOT, "snap-1", &["pod-0", "pod-1"]);
        world
    }

    fn observe(&mut self, number: u8, object: TypedRef, facts: Facts) {
        let hash = Hash([number; 32]);
        self.record(dependency::Event::Observed { uid: uid(number), object, hash, facts });
    }

    fn snapshot(&mut self, uid: Uid, name: &str, components: &[&str]) {
        self.record(snapshot::Event::Adopted {
            uid,
            key: Key::new(Group::KubeStashStorage, "demo", name),
            repository: REPOSITORY,
            session: "daily".into(),
            app: target(),
            taken: Timestamp(self.now),
        });
        let total = u32::try_from(components.len()).unwrap();
        self.record(snapshot::Event::ComponentsCounted { uid, total });
        for name in components {
            let component = String::from(*name);
            self.record(snapshot::Event::ComponentStarted {
                uid,
                component: component.clone(),
                path: String::new(),
                driver: Driver::Restic,
            });
            self.record(snapshot::Event::ComponentEnded {
                uid,
                component,
                outcome: Outcome::Succeeded,
                commit: "commit".into(),
                partial: false,
                source_empty: false,
                grade: Grade::ReadBack,
                size: 1,
                duration: Millis(1),
            });
        }
        self.record(snapshot::Event::MetadataUploaded { uid, outcome: Outcome::Succeeded });
    }

    fn template(&mut self, usage: UsagePolicy) {
        self.record(hook::Event::Declared {
            uid: uid(20),
            key: Key::new(Group::KubeStash, "demo", "template"),
            generation: 1,
            hash: Hash([20; 32]),
            spec: hook::Spec {
                usage: Some(usage),
                executor: hook::Executor::Operator,
                params: vec![],
                invalid: None,
            },
        });
    }

    fn record(&mut self, event: impl Into<Event>) {
        let recorded = Recorded {
            seq: self.state.seq + 1,
            at: Timestamp(self.now),
            cause: CommandId([self.commands; 16]),
            epoch: 0,
            event: event.into(),
        };
        apply(&mut self.state, &recorded).unwrap();
    }

    /// Decides, records, and says what happened: names of the restore's events, in order.
    fn ask(&mut self, command: impl Into<crate::Command>) -> Result<Vec<String>, Rejection> {
        self.commands += 1;
        let envelope = Envelope {
            id: CommandId([self.commands; 16]),
            at: Timestamp(self.now),
            actor: Actor::Operator,
            epoch: 0,
            command: command.into(),
        };
        let events = decide(&self.state, &envelope)?;
        let mut names = vec![];
        for event in events {
            if let Event::Restore(event) = &event {
                let shown = match event {
                    Happened::Run { event } => format!("{event:?}"),
                    event => format!("{event:?}"),
                };
                names.push(shown.split([' ', '{']).next().unwrap_or_default().to_string());
            }
            self.record(event);
        }
        Ok(names)
    }

    fn declare(&mut self, spec: Spec) -> Result<Vec<String>, Rejection> {
        let hash = Hash([u8::try_from(self.now % 251).unwrap(); 32]);
        let key = Key::new(Group::KubeStash, "demo", "restore");
        self.ask(Command::Declare(Declared { uid: RESTORE, key, generation: 1, hash, spec }))
    }

    fn restore(&self) -> &Restore {
        &self.state.restores[&RESTORE]
    }

    fn phase(&self) -> Phase {
        phase(self.restore())
    }

    fn effect(&self, fits: impl Fn(&Once) -> bool) -> EffectId {
        *self.state.outbox.iter().find(|(_, once)| fits(once)).expect("no such effect").0
    }

    fn answer(&mut self, effect: EffectId, answer: Answer) -> Result<Vec<String>, Rejection> {
        self.ask(crate::outbox::Command::Answer { effect, answer })
    }

    fn surveyed(&mut self, pods: u32) -> Result<Vec<String>, Rejection> {
        let effect = self.effect(|once| matches!(once, Once::Survey { .. }));
        self.answer(effect, Answer::Hosts((0..pods).map(pod).collect()))
    }

    fn hook_ended(&mut self, stage: Stage, outcome: Outcome) -> Result<Vec<String>, Rejection> {
        let runs: Vec<_> = self
            .state
            .outbox
            .iter()
            .filter_map(|(id, once)| match once {
                Once::RunHook { run, .. } if run.stage == stage => Some(*id),
                _ => None,
            })
            .collect();
        self.answer(runs[0], outcome.into())
    }

    fn started(&mut self, component: &str) -> Result<Vec<String>, Rejection> {
        let attempt = attempt(component);
        let effect = self.effect(|o| *o == Once::StartWorker { attempt: attempt.clone() });
        self.answer(effect, Answer::Worker(worker()))
    }

    fn reported(
        &mut self,
        component: &str,
        failure: Option<Failure>,
    ) -> Result<Vec<String>, Rejection> {
        let report = RestoreReport {
            failure,
            ended: Timestamp(self.now),
            duration: Millis(10_089),
            files: 1,
            bytes: 1,
            skipped: vec![],
        };
        self.ask(Run::WorkerReported {
            attempt: attempt(component),
            worker: worker(),
            report: Report::Restore(report),
        })
    }

    fn working(spec: Spec) -> Self {
        let mut world = Self::new();
        world.template(UsagePolicy::All);
        world.declare(spec).unwrap();
        world.surveyed(2).unwrap();
        world
    }
}

fn attempt(component: &str) -> Attempt {
    Attempt { session: RESTORE, component: component.into(), number: 1 }
}

fn worker() -> Worker {
    Worker { job: uid(30), pod: uid(31) }
}

#[test]
fn a_restore_of_two_pods_from_begin_to_end() {
    let mut world = World::new();
    let began = world.declare(spec(&["pod-0", "host-1"])).unwrap();
    assert_eq!(began, ["Declared", "ValidationPassed", "Started"]);
    assert!(world.state.configurations[&CONFIGURATION].is_paused());
    assert_eq!(world.restore().deadline, Some(Timestamp(601_000)));

    let planned = ["Surveyed", "ComponentPlanned", "ComponentPlanned"];
    let work = ["AttemptStarted", "AttemptStarted"];
    assert_eq!(world.surveyed(2).unwrap(), [&planned[..], &work].concat());
    let asked: Vec<&str> = world.restore().components.iter().map(|c| c.asked.as_str()).collect();
    assert_eq!(asked, ["pod-0", "host-1"]);

    assert_eq!(world.started("pod-0").unwrap(), ["WorkerObserved"]);
    assert_eq!(world.phase(), Phase::Running);
    // A report that overtakes the news of its worker settles both.
    let ended = ["WorkerObserved", "ComponentEnded", "ExecutorEnsured"];
    assert_eq!(world.reported("pod-1", None).unwrap(), ended);
    assert_eq!(world.phase(), Phase::Running);
    assert_eq!(world.reported("pod-0", None).unwrap(), ["ComponentEnded", "MetricsPushed"]);
    assert_eq!(world.phase(), Phase::Succeeded);
    assert!(world.state.outbox.is_empty());
    assert!(!world.state.configurations[&CONFIGURATION].is_paused());
    assert_eq!(world.restore().paused.len(), 1);
}

#[test]
fn what_is_missing_is_waited_for_and_what_is_wrong_is_invalid() {
    let mut world = World::new();
    world.record(dependency::Event::Gone { uid: uid(10), object: addon("workload-addon") });
    assert_eq!(world.declare(spec(&[])).unwrap(), ["Declared"]);
    assert_eq!(world.phase(), Phase::Pending);
    assert!(world.ask(Command::Reconcile { uid: RESTORE }).unwrap().is_empty());

    let tasks = vec![task("volume-clone")];
    world.observe(10, addon("workload-addon"), Facts::Addon { tasks });
    let again = world.ask(Command::Reconcile { uid: RESTORE }).unwrap();
    assert_eq!(again, ["ValidationFailed"]);
    assert_eq!(world.phase(), Phase::Invalid);
    assert!(world.ask(Command::Reconcile { uid: RESTORE }).unwrap().is_empty());

    let tasks = vec![task("logical-backup-restore")];
    world.observe(10, addon("workload-addon"), Facts::Addon { tasks });
    let mended = world.ask(Command::Reconcile { uid: RESTORE }).unwrap();
    assert_eq!(mended, ["ValidationPassed", "Started"]);
}

#[test]
fn a_restore_that_waits_is_due_when_what_it_waits_for_is_there_and_only_then() {
    let due = |world: &World| {
        let now = Timestamp(world.now);
        let due = crate::deadline::due(&world.state, now, Millis(0));
        due.contains(&crate::deadline::Due::ReconcileRestore { uid: RESTORE })
    };
    let mut world = World::new();
    world.record(dependency::Event::Gone { uid: uid(10), object: addon("workload-addon") });
    world.declare(spec(&["pod-0", "pod-7"])).unwrap();
    assert!(!due(&world));
    let tasks = vec![task("logical-backup-restore")];
    world.observe(10, addon("workload-addon"), Facts::Addon { tasks });
    // Now it is known to be wrong; saying so once is enough.
    assert!(due(&world));
    let said = world.ask(Command::Reconcile { uid: RESTORE }).unwrap();
    assert_eq!(said, ["ValidationFailed"]);
    assert!(!due(&world));
    world.snapshot(uid(6), "snap-2", &["pod-0", "pod-7"]);
    assert!(due(&world));
    world.ask(Command::Reconcile { uid: RESTORE }).unwrap();
    assert_eq!(world.restore().snapshot, Some(uid(6)));
    assert!(!due(&world));
}

#[test]
fn what_is_beyond_a_limit_names_its_field() {
    let mut world = World::new();
    let hooks = vec![hook("h", Policy::Always); crate::limits::HOOKS_A_STAGE + 1];
    world.declare(Spec { post_hooks: hooks, ..spec(&[]) }).unwrap();
    assert_eq!(world.phase(), Phase::Invalid);
    let facts: Vec<_> = world.restore().conditions.iter().map(|c| c.message.clone()).collect();
    assert_eq!(facts, ["spec.hooks.postRestore: at most 32 are possible"]);

    let mut world = World::new();
    let long = "x".repeat(crate::limits::SESSION_TEXT_BYTES);
    world.declare(spec(&["pod-0", &long])).unwrap();
    assert_eq!(world.phase(), Phase::Invalid);
    assert!(world.restore().spec.source.components.is_empty());
    // The same object again changes nothing, and a smaller one is taken whole.
    assert!(world.ask(Command::Reconcile { uid: RESTORE }).unwrap().is_empty());
    world.now += 1;
    world.declare(spec(&["pod-0"])).unwrap();
    assert!(world.restore().is_going());
}

#[test]
fn missing_components_are_named() {
    let mut world = World::new();
    world.declare(spec(&["pod-0", "pod-7"])).unwrap();
    assert_eq!(world.phase(), Phase::Invalid);
    let facts = world.restore().conditions.iter().map(|c| c.message.clone()).collect::<Vec<_>>();
    assert_eq!(facts, ["dataSource.components: snapshot snap-1 has no pod-7; it has pod-0, pod-1"]);
    // A spec that is mended before the start is taken.
    world.now += 1;
    assert_eq!(world.declare(spec(&["pod-0"])).unwrap()[0], "Declared");
    assert_eq!(world.restore().step, Step::Surveying);
    // Afterwards it is not.
    world.now += 1;
    assert!(world.declare(spec(&["pod-1"])).unwrap().is_empty());
}

#[test]
fn a_missing_target_is_a_fact_and_not_an_end() {
    let mut world = World::new();
    world.record(dependency::Event::Gone { uid: uid(12), object: target() });
    let found = world.declare(spec(&[])).unwrap();
    assert_eq!(found, ["Declared", "ValidationPassed", "TargetNotFound"]);
    assert_eq!(world.phase(), Phase::Pending);
    assert!(world.ask(Command::Reconcile { uid: RESTORE }).unwrap().is_empty());
    world.observe(12, target(), Facts::Target { replicas: None });
    assert_eq!(world.ask(Command::Reconcile { uid: RESTORE }).unwrap(), ["Started"]);
    assert!(world.restore().conditions.is_true(crate::condition::Type::RestoreTargetFound));
}

#[test]
fn references_to_other_namespaces_need_an_annotation() {
    let foreign = Key::core("vault", "passphrase");
    let mut with_secret = spec(&[]);
    with_secret.source.secret = Some(foreign.clone());
    for (allowed, expected) in [(None, Phase::Invalid), (Some("demo"), Phase::Pending)] {
        let mut world = World::new();
        let facts = Facts::Secret {
            version: "1".into(),
            keys: vec!["RESTIC_PASSWORD".into()],
            allowed_namespaces: allowed.map(Into::into),
        };
        world.observe(13, secret(&foreign), facts);
        world.declare(with_secret.clone()).unwrap();
        assert_eq!(world.phase(), expected);
        assert_eq!(world.restore().is_going(), allowed.is_some());
    }

    let mut elsewhere = spec(&[]);
    elsewhere.source.namespace = "demo".into();
    for (allowed, going) in [(None, false), (Some("other"), true)] {
        let mut world = World::new();
        let object = repository_object(&Key::new(Group::KubeStashStorage, "demo", "repo"));
        let allowed_namespaces = allowed.map(Into::into);
        world.observe(14, object, Facts::Repository { allowed_namespaces });
        world.record(namespace::Event::Observed {
            uid: uid(15),
            name: "demo".into(),
            labels: alloc::collections::BTreeMap::new(),
            allowed_namespaces: Some("other".into()),
        });
        let (key, hash) = (Key::new(Group::KubeStash, "other", "restore"), Hash([7; 32]));
        let spec = elsewhere.clone();
        world
            .ask(Command::Declare(Declared { uid: RESTORE, key, generation: 1, hash, spec }))
            .unwrap();
        assert_eq!(world.restore().is_going(), going);
    }
}

#[test]
fn a_hook_template_of_others_needs_their_leave() {
    let mut world = World::new();
    world.template(UsagePolicy::Selector(crate::usage::Selector {
        match_labels: [("team".into(), "x".into())].into(),
        match_expressions: vec![],
    }));
    let hooked = Spec { pre_hooks: vec![hook("freeze", Policy::Always)], ..spec(&[]) };
    world.declare(hooked).unwrap();
    assert_eq!(world.phase(), Phase::Invalid);
    world.template(UsagePolicy::Same);
    world.ask(Command::Reconcile { uid: RESTORE }).unwrap();
    assert!(world.restore().is_going());
}

#[test]
fn hooks_stand_around_the_work() {
    let mut world = World::new();
    world.template(UsagePolicy::All);
    world
        .declare(Spec {
            pre_hooks: vec![hook("freeze", Policy::Always)],
            post_hooks: vec![hook("cheer", Policy::OnSuccess), hook("alarm", Policy::OnFailure)],
            ..spec(&["pod-0"])
        })
        .unwrap();
    assert_eq!(world.surveyed(1).unwrap(), ["Surveyed", "ComponentPlanned", "HookStarted"]);
    let next = world.hook_ended(Stage::Pre, Outcome::Succeeded).unwrap();
    assert_eq!(next, ["HookEnded", "HooksFinished", "AttemptStarted"]);
    world.started("pod-0").unwrap();
    assert_eq!(world.reported("pod-0", None).unwrap(), ["ComponentEnded", "HookStarted"]);
    let end = world.hook_ended(Stage::Post, Outcome::Succeeded).unwrap();
    assert_eq!(end, ["HookEnded", "HooksFinished", "MetricsPushed"]);
    assert_eq!(world.phase(), Phase::Succeeded);
}

#[test]
fn a_failed_hook_before_the_work_ends_the_restore_but_not_the_hooks_after_it() {
    let mut world = World::new();
    world.template(UsagePolicy::All);
    world
        .declare(Spec {
            pre_hooks: vec![hook("freeze", Policy::Always)],
            post_hooks: vec![hook("cheer", Policy::OnSuccess), hook("thaw", Policy::Always)],
            ..spec(&[])
        })
        .unwrap();
    world.surveyed(2).unwrap();
    let broken = Outcome::Failed(failure("ExitCode"));
    let next = world.hook_ended(Stage::Pre, broken).unwrap();
    assert_eq!(
        next,
        ["HookEnded", "HooksFinished", "Incomplete", "ExecutorNotEnsured", "HookStarted"]
    );
    assert_eq!(world.restore().hooks.tries.last().unwrap().run.index, 1);
    let end = world.hook_ended(Stage::Post, Outcome::Succeeded).unwrap();
    let expected = ["HookEnded", "HooksFinished", "MetricsPushed"];
    assert_eq!(end, expected);
    assert_eq!(world.phase(), Phase::Failed);
    assert!(world.state.outbox.is_empty());
}

#[test]
fn a_deadline_stops_workers_and_closes_with_what_is_unfinished() {
    let mut world = World::working(spec(&[]));
    world.started("pod-0").unwrap();
    world.reported("pod-0", None).unwrap();
    assert!(matches!(world.ask(Run::Expire { session: RESTORE }), Err(Rejection::Conflict { .. })));
    world.now = 601_000;
    let end = world.ask(Run::Expire { session: RESTORE }).unwrap();
    assert_eq!(
        end,
        ["DeadlineExceeded", "ComponentEnded", "Incomplete", "ExecutorNotEnsured", "MetricsPushed"]
    );
    assert_eq!(world.phase(), Phase::Failed);
    let left: Vec<&Once> = world.state.outbox.values().collect();
    assert_eq!(left, [&Once::StopWorker { attempt: attempt("pod-1") }]);
    assert!(!world.state.configurations[&CONFIGURATION].is_paused());
    // The late worker is not believed.
    assert!(matches!(world.reported("pod-1", None), Err(Rejection::Conflict { .. })));
}

#[test]
fn a_report_is_in_time_by_its_end_and_not_by_its_arrival() {
    for (ended, expected) in [(600_999, Phase::Succeeded), (602_000, Phase::Failed)] {
        let mut world = World::working(spec(&["pod-0"]));
        world.started("pod-0").unwrap();
        world.now = 700_000;
        let report = RestoreReport {
            failure: None,
            ended: Timestamp(ended),
            duration: Millis(1),
            files: 0,
            bytes: 0,
            skipped: vec![],
        };
        let attempt = attempt("pod-0");
        world
            .ask(Run::WorkerReported { attempt, worker: worker(), report: Report::Restore(report) })
            .unwrap();
        assert_eq!(world.phase(), expected);
    }
}

#[test]
fn a_stop_interrupts_the_hook_before_the_work_and_still_thaws() {
    let mut world = World::new();
    world.template(UsagePolicy::All);
    world
        .declare(Spec {
            pre_hooks: vec![hook("freeze", Policy::Always)],
            post_hooks: vec![hook("thaw", Policy::Always)],
            ..spec(&[])
        })
        .unwrap();
    world.surveyed(2).unwrap();
    let freeze = world.effect(|once| matches!(once, Once::RunHook { .. }));
    let cancel = Run::Cancel { session: RESTORE, cause: "wrong snapshot".into() };
    let stopped = world.ask(cancel.clone()).unwrap();
    assert_eq!(
        stopped,
        [
            "Cancelled",
            "HookEnded",
            "HooksFinished",
            "Incomplete",
            "ExecutorNotEnsured",
            "HookStarted"
        ]
    );
    assert!(!world.state.outbox.contains_key(&freeze));
    assert!(matches!(world.ask(cancel), Err(Rejection::Conflict { .. })));
    world.hook_ended(Stage::Post, Outcome::Succeeded).unwrap();
    assert_eq!(world.phase(), Phase::Failed);
    assert_eq!(world.restore().cancelled, Some("wrong snapshot".into()));
}

#[test]
fn workers_that_fail_vanish_or_never_come_fail_the_restore() {
    let mut failed = World::working(spec(&["pod-0"]));
    failed.started("pod-0").unwrap();
    failed.reported("pod-0", Some(failure("SnapshotDamaged"))).unwrap();
    assert_eq!(failed.phase(), Phase::Failed);

    let mut gone = World::working(spec(&["pod-0"]));
    gone.started("pod-0").unwrap();
    let vanished = Run::WorkerVanished { attempt: attempt("pod-0"), failure: failure("OOM") };
    let end = gone.ask(vanished).unwrap();
    assert_eq!(end, ["ComponentEnded", "Incomplete", "MetricsPushed"]);
    assert_eq!(gone.phase(), Phase::Failed);

    let mut never = World::working(spec(&["pod-0"]));
    let effect = never.effect(|once| matches!(once, Once::StartWorker { .. }));
    let end = never.answer(effect, Answer::Failed(failure("Forbidden"))).unwrap();
    assert_eq!(end, ["ExecutorNotEnsured", "ComponentEnded", "Incomplete", "MetricsPushed"]);
    assert_eq!(never.phase(), Phase::Failed);
}

#[test]
fn other_attempts_and_other_workers_are_superseded() {
    let mut world = World::working(spec(&[]));
    world.started("pod-0").unwrap();
    let report = RestoreReport {
        failure: None,
        ended: Timestamp(0),
        duration: Millis(0),
        files: 0,
        bytes: 0,
        skipped: vec![],
    };
    let later = Attempt { number: 2, ..attempt("pod-0") };
    let other = Worker { job: uid(40), pod: uid(41) };
    for (attempt, worker) in [(later, worker()), (attempt("pod-0"), other)] {
        let command =
            Run::WorkerReported { attempt, worker, report: Report::Restore(report.clone()) };
        assert!(matches!(world.ask(command), Err(Rejection::Conflict { .. })));
    }
    let unknown = Run::WorkerReported {
        attempt: attempt("x"),
        worker: worker(),
        report: Report::Restore(report),
    };
    assert!(matches!(world.ask(unknown), Err(Rejection::Conflict { .. })));
}

#[test]
fn pods_that_are_missing_end_the_restore_with_their_names() {
    let mut world = World::new();
    world.declare(spec(&[])).unwrap();
    let end = world.surveyed(1).unwrap();
    assert_eq!(end, ["ExecutorNotEnsured", "Incomplete", "MetricsPushed"]);
    assert_eq!(world.phase(), Phase::Failed);
    let facts = &world.restore().conditions;
    let message = &facts.get(crate::condition::Type::RestoreExecutorEnsured).unwrap().message;
    assert_eq!(message, "component pod-1 has no counterpart in the target; it has pod-0");
}

#[test]
fn manifests_need_no_survey() {
    let mut world = World::new();
    world.snapshot(uid(5), "snap-2", &["manifest"]);
    let mut manifests = spec(&[]);
    manifests.target = None;
    manifests.source.snapshot = Some("snap-2".into());
    manifests.addon.tasks = vec![task_ref("manifest-restore")];
    let began = world.declare(manifests).unwrap();
    let expected = [
        "Declared",
        "ValidationPassed",
        "Started",
        "Surveyed",
        "ComponentPlanned",
        "AttemptStarted",
    ];
    assert_eq!(began, expected);
    assert!(!world.state.configurations[&CONFIGURATION].is_paused());
}

#[test]
fn deletion_stops_first_and_archives_at_the_end() {
    let mut idle = World::new();
    idle.record(dependency::Event::Gone { uid: uid(10), object: addon("workload-addon") });
    idle.declare(spec(&[])).unwrap();
    assert_eq!(idle.ask(Command::Delete { session: RESTORE }).unwrap(), ["Archived"]);
    assert!(idle.state.restores.is_empty());

    let mut busy = World::working(spec(&["pod-0"]));
    busy.started("pod-0").unwrap();
    let end = busy.ask(Command::Delete { session: RESTORE }).unwrap();
    assert_eq!(end, ["Cancelled", "ComponentEnded", "Incomplete", "MetricsPushed"]);
    let stop = busy.effect(|once| matches!(once, Once::StopWorker { .. }));
    assert_eq!(busy.answer(stop, Answer::Done).unwrap(), ["Archived"]);
    assert!(busy.state.restores.is_empty());
    assert!(!busy.state.configurations[&CONFIGURATION].is_paused());

    let mut thawing =
        World::working(Spec { post_hooks: vec![hook("thaw", Policy::Always)], ..spec(&["pod-0"]) });
    assert_eq!(
        thawing.ask(Command::Delete { session: RESTORE }).unwrap(),
        ["Cancelled", "ComponentEnded", "Incomplete", "ExecutorNotEnsured", "HookStarted"]
    );
    let stop = thawing.effect(|once| matches!(once, Once::StopWorker { .. }));
    assert!(thawing.answer(stop, Answer::Done).unwrap().is_empty());
    let end = thawing.hook_ended(Stage::Post, Outcome::Succeeded).unwrap();
    assert_eq!(end.last().map(String::as_str), Some("Archived"));
}

#[test]
fn an_event_of_a_finished_restore_is_illegal() {
    let mut world = World::working(spec(&["pod-0"]));
    world.started("pod-0").unwrap();
    world.reported("pod-0", None).unwrap();
    let recorded = Recorded {
        seq: world.state.seq + 1,
        at: Timestamp(0),
        cause: CommandId::default(),
        epoch: 0,
        event: Event::Restore(Happened::MetricsPushed { uid: RESTORE }),
    };
    let before = world.state.clone();
    assert!(apply(&mut world.state, &recorded).is_err());
    assert_eq!(world.state, before);
}

proptest::proptest! {
    /// Whatever comes in whatever order: what is decided can be recorded, and the end is final.
    #[test]
    fn the_phase_is_final_with_the_final_step(
        acts in proptest::collection::vec((0u8..12, proptest::bool::ANY), 0..30),
        hooked in proptest::bool::ANY,
    ) {
        let mut world = World::new();
        world.template(UsagePolicy::All);
        let hooks = if hooked { vec![hook("h", Policy::Always)] } else { vec![] };
        world.declare(Spec { pre_hooks: hooks.clone(), post_hooks: hooks, ..spec(&[]) }).unwrap();
        for (act, good) in acts {
            world.now += 30_000;
            let open = world.state.outbox.clone();
            let asked = |fits: fn(&Once) -> bool| open.values().any(fits);
            let component = if good { "pod-0" } else { "pod-1" };
            let hooks = asked(|once| matches!(once, Once::RunHook { .. }));
            let survey = asked(|once| matches!(once, Once::Survey { .. }));
            let worker = open.values().any(|o| *o == Once::StartWorker { attempt: attempt(component) });
            let stage = if open.values().any(
                |once| matches!(once, Once::RunHook { run, .. } if run.stage == Stage::Pre),
            ) { Stage::Pre } else { Stage::Post };
            let outcome = if good { Outcome::Succeeded } else { Outcome::Failed(failure("X")) };
            // Refusals are answers too; only the state has to hold.
            let _ = match act {
                0..=2 if survey => world.surveyed(if good { 2 } else { 1 }),
                0..=2 if hooks => world.hook_ended(stage, outcome),
                3..=5 if worker => world.started(component),
                6..=8 => world.reported(component, (act == 8).then(|| failure("Damaged"))),
                9 => world.ask(Run::WorkerVanished {
                    attempt: attempt(component),
                    failure: failure("Evicted"),
                }),
                10 if good => world.ask(Run::Expire { session: RESTORE }),
                11 if good => world.ask(Run::Cancel { session: RESTORE, cause: "no".into() }),
                _ => world.ask(Command::Reconcile { uid: RESTORE }),
            };
            let pushed = world.restore().conditions.has(crate::condition::Type::MetricsPushed);
            proptest::prop_assert_eq!(pushed, world.restore().is_finished());
            if pushed {
                proptest::prop_assert!(world.phase().is_completed());
                proptest::prop_assert!(!world.state.configurations[&CONFIGURATION].is_paused());
                let stops = |once: &Once| matches!(once, Once::StopWorker { .. });
                proptest::prop_assert!(world.state.outbox.values().all(stops));
            }
        }
    }
}
