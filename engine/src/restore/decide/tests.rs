//! Whole restores, from the object to the final phase.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::apply;
use crate::backup::Worker;
use crate::condition::Type;
use crate::deadline::{Due, due};
use crate::declared::Declared;
use crate::dependency::Facts;
use crate::dependency::state::{addon, secret};
use crate::effect::Once;
use crate::event::Recorded;
use crate::group::Group;
use crate::hook::{self, Executor, HookSpec, Policy, Stage};
use crate::ids::{Attempt, CommandId, Key};
use crate::limits;
use crate::outbox::{self, Answer};
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::RestoreReport;
use crate::restore::check::repository_object;
use crate::restore::phase::{Phase, Step, phase};
use crate::restore::{Command, Event, Spec};
use crate::run::{Command as Run, Report};
use crate::testing::given::{self, key, stored};
use crate::testing::world::{APP, BACK, World, broken, named, worker};
use crate::testing::{failure, world};
use crate::time::{Millis, Timestamp};
use crate::usage::{Selector, UsagePolicy};

const TIMEOUT: Millis = Millis(600_000);
/// The template of all hooks.
const TEMPLATE: &str = "template";
const RECONCILE: Command = Command::Reconcile { uid: BACK };
/// The end of one whose work cannot be done.
const FAILS: &str = "restore.Incomplete restore.MetricsPushed configuration.ResumedAfterRestore";
const LAST_WORKER_ENDS: &str =
    "restore.ComponentEnded restore.MetricsPushed configuration.ResumedAfterRestore";
const LAST_HOOK_ENDS: &str = "done restore.HookEnded restore.HooksFinished restore.MetricsPushed \
                              configuration.ResumedAfterRestore";
const STARTS: &str = "restore.ValidationPassed restore.Started configuration.PausedByRestore";

fn spec(components: &[&str]) -> Spec {
    Spec { timeout: Some(TIMEOUT), ..given::restore(components) }
}

/// A hook by [`TEMPLATE`].
fn hook(name: &str, policy: Policy) -> HookSpec {
    HookSpec { template: key(TEMPLATE), policy, ..given::hook(name) }
}

/// A world where a restore can have hooks.
fn hooked() -> World {
    let mut world = World::restorable();
    world.declare_hook(TEMPLATE, Executor::Operator);
    world
}

/// A restore whose workers, or whose first hook, are asked for.
fn working(spec: Spec) -> World {
    let mut world = hooked();
    world.restoring(spec);
    world
}

fn attempt(component: &str) -> Attempt {
    world::attempt(BACK, component)
}

fn now_is(world: &World) -> Phase {
    phase(world.back())
}

fn is_paused(world: &World) -> bool {
    world.state.configurations[&APP].is_paused()
}

/// What the first worker of a component says at its end.
fn report(world: &World, component: &str, failure: Option<Failure>) -> Run {
    let report = Report::Restore(world.restore_report(failure));
    Run::WorkerReported { attempt: attempt(component), worker: worker(), report }
}

/// The one hook that runs is of this stage, and ends.
fn hook_ended(world: &mut World, expected: Stage, outcome: Outcome) -> String {
    let outbox = world.outbox();
    let mut stages = outbox.iter().filter_map(|once| match once {
        Once::RunHook { run, .. } => Some(run.stage),
        _ => None,
    });
    assert_eq!((stages.next(), stages.next()), (Some(expected), None));
    world.hook_ended(BACK, outcome)
}

fn conflicts(world: &mut World, command: impl Into<crate::Command>) {
    let refused = world.refused(command);
    assert!(matches!(refused, Rejection::Conflict { .. }), "{refused:?}");
}

#[test]
fn a_restore_of_two_pods_from_begin_to_end() {
    let mut world = World::restorable();
    let began = world.declare_restore(spec(&["pod-0", "host-1"]));
    assert_eq!(began, format!("restore.Declared {STARTS}"));
    assert!(is_paused(&world));
    assert_eq!(world.back().deadline, Some(world.now.plus(TIMEOUT)));

    assert_eq!(
        world.surveyed(BACK, 2),
        "done restore.Surveyed restore.ComponentPlanned restore.ComponentPlanned \
         restore.AttemptStarted restore.AttemptStarted"
    );
    let asked: Vec<&str> = world.back().components.iter().map(|c| c.asked.as_str()).collect();
    assert_eq!(asked, ["pod-0", "host-1"]);

    assert_eq!(world.started(BACK, "pod-0"), "done restore.WorkerObserved");
    assert_eq!(now_is(&world), Phase::Running);
    // A report that overtakes the news of its worker settles both.
    let ended = "done restore.WorkerObserved restore.ComponentEnded restore.ExecutorEnsured";
    assert_eq!(world.reported(BACK, "pod-1"), ended);
    assert_eq!(now_is(&world), Phase::Running);
    assert_eq!(world.reported(BACK, "pod-0"), LAST_WORKER_ENDS);
    assert_eq!(now_is(&world), Phase::Succeeded);
    assert!(world.state.outbox.is_empty());
    assert!(!is_paused(&world));
    assert_eq!(world.back().paused.len(), 1);
}

#[test]
fn what_is_missing_is_waited_for_and_what_is_wrong_is_invalid() {
    let mut world = World::restorable();
    world.forget(&addon("workload-addon"));
    assert_eq!(world.declare_restore(spec(&[])), "restore.Declared");
    assert_eq!(now_is(&world), Phase::Pending);
    assert_eq!(world.ask(RECONCILE), "");

    let tasks = vec![given::task("volume-clone", true)];
    world.observe(addon("workload-addon"), Facts::Addon { tasks });
    let again = world.ask(RECONCILE);
    assert_eq!(again, "restore.ValidationFailed");
    assert_eq!(now_is(&world), Phase::Invalid);
    assert_eq!(world.ask(RECONCILE), "");

    let tasks = vec![given::task("logical-backup-restore", true)];
    world.observe(addon("workload-addon"), Facts::Addon { tasks });
    let mended = world.ask(RECONCILE);
    assert_eq!(mended, STARTS);
}

#[test]
fn a_restore_that_waits_is_due_when_what_it_waits_for_is_there_and_only_then() {
    let is_due = |world: &World| {
        let due = due(&world.state, world.now, Millis(0));
        due.contains(&Due::ReconcileRestore { uid: BACK })
    };
    let mut world = World::restorable();
    world.forget(&addon("workload-addon"));
    world.declare_restore(spec(&["pod-0", "pod-7"]));
    assert!(!is_due(&world));
    let tasks = vec![given::task("logical-backup-restore", true)];
    world.observe(addon("workload-addon"), Facts::Addon { tasks });
    // Now it is known to be wrong; saying so once is enough.
    assert!(is_due(&world));
    let said = world.ask(RECONCILE);
    assert_eq!(said, "restore.ValidationFailed");
    assert!(!is_due(&world));
    world.pass(1);
    let newest = world.adopt("snap-2", &["pod-0", "pod-7"]);
    assert!(is_due(&world));
    world.ask(RECONCILE);
    assert_eq!(world.back().snapshot, Some(newest));
    assert!(!is_due(&world));
}

#[test]
fn what_is_beyond_a_limit_names_its_field() {
    let mut world = World::restorable();
    let hooks = vec![hook("h", Policy::Always); limits::HOOKS_A_STAGE + 1];
    world.declare_restore(Spec { post_hooks: hooks, ..spec(&[]) });
    assert_eq!(now_is(&world), Phase::Invalid);
    let facts: Vec<_> = world.back().conditions.iter().map(|c| c.message.clone()).collect();
    assert_eq!(facts, ["spec.hooks.postRestore: at most 32 are possible"]);

    let mut world = World::restorable();
    let long = "x".repeat(limits::SESSION_TEXT_BYTES);
    world.declare_restore(spec(&["pod-0", &long]));
    assert_eq!(now_is(&world), Phase::Invalid);
    assert!(world.back().spec.source.components.is_empty());
    // The same object again changes nothing, and a smaller one is taken whole.
    assert_eq!(world.ask(RECONCILE), "");
    world.pass(1);
    world.declare_restore(spec(&["pod-0"]));
    assert!(world.back().is_going());
}

#[test]
fn missing_components_are_named() {
    let mut world = World::restorable();
    world.declare_restore(spec(&["pod-0", "pod-7"]));
    assert_eq!(now_is(&world), Phase::Invalid);
    let facts = world.back().conditions.iter().map(|c| c.message.clone()).collect::<Vec<_>>();
    assert_eq!(facts, ["dataSource.components: snapshot snap-1 has no pod-7; it has pod-0, pod-1"]);
    // A spec that is mended before the start is taken.
    world.pass(1);
    assert_eq!(world.declare_restore(spec(&["pod-0"])), format!("restore.Declared {STARTS}"));
    assert_eq!(world.back().step, Step::Surveying);
    // Afterwards it is not.
    world.pass(1);
    assert_eq!(world.declare_restore(spec(&["pod-1"])), "");
}

#[test]
fn a_missing_target_is_a_fact_and_not_an_end() {
    let mut world = World::restorable();
    world.forget(&given::target());
    let found = world.declare_restore(spec(&[]));
    assert_eq!(found, "restore.Declared restore.ValidationPassed restore.TargetNotFound");
    assert_eq!(now_is(&world), Phase::Pending);
    assert_eq!(world.ask(RECONCILE), "");
    world.observe(given::target(), Facts::Target { replicas: None });
    assert_eq!(world.ask(RECONCILE), "restore.Started configuration.PausedByRestore");
    assert!(world.back().conditions.is_true(Type::RestoreTargetFound));
}

#[test]
fn references_to_other_namespaces_need_an_annotation() {
    let foreign = Key::core("vault", "passphrase");
    let mut with_secret = spec(&[]);
    with_secret.source.secret = Some(foreign.clone());
    for (allowed, expected) in [(None, Phase::Invalid), (Some("demo"), Phase::Pending)] {
        let mut world = World::restorable();
        world.observe(secret(&foreign), given::passphrase(1, allowed));
        world.declare_restore(with_secret.clone());
        assert_eq!(now_is(&world), expected);
        assert_eq!(world.back().is_going(), allowed.is_some());
    }

    let mut elsewhere = spec(&[]);
    elsewhere.source.namespace = "demo".into();
    for (allowed, going) in [(None, false), (Some("other"), true)] {
        let mut world = World::restorable();
        let object = repository_object(&stored("one"));
        let allowed_namespaces = allowed.map(Into::into);
        world.observe(object, Facts::Repository { allowed_namespaces });
        world.allow("demo", &[], Some("other"));
        let (key, hash) = (Key::new(Group::KubeStash, "other", "back"), given::hash(7));
        let spec = elsewhere.clone();
        world.ask(Command::Declare(Declared { uid: BACK, key, generation: 1, hash, spec }));
        assert_eq!(world.back().is_going(), going);
    }
}

#[test]
fn a_hook_template_of_others_needs_their_leave() {
    let mut world = World::restorable();
    let by_label = UsagePolicy::Selector(Selector {
        match_labels: [("team".into(), "x".into())].into(),
        match_expressions: vec![],
    });
    let template = given::template(Executor::Operator);
    let theirs = hook::Spec { usage: Some(by_label), ..template.clone() };
    world.declare_template(TEMPLATE, theirs);
    let hooked = Spec { pre_hooks: vec![hook("freeze", Policy::Always)], ..spec(&[]) };
    world.declare_restore(hooked);
    assert_eq!(now_is(&world), Phase::Invalid);
    world.declare_template(TEMPLATE, template);
    world.ask(RECONCILE);
    assert!(world.back().is_going());
}

#[test]
fn hooks_stand_around_the_work() {
    let mut world = hooked();
    world.declare_restore(Spec {
        pre_hooks: vec![hook("freeze", Policy::Always)],
        post_hooks: vec![hook("cheer", Policy::OnSuccess), hook("alarm", Policy::OnFailure)],
        ..spec(&["pod-0"])
    });
    assert_eq!(
        world.surveyed(BACK, 1),
        "done restore.Surveyed restore.ComponentPlanned restore.HookStarted"
    );
    let next = hook_ended(&mut world, Stage::Pre, Outcome::Succeeded);
    assert_eq!(next, "done restore.HookEnded restore.HooksFinished restore.AttemptStarted");
    world.started(BACK, "pod-0");
    assert_eq!(world.reported(BACK, "pod-0"), "restore.ComponentEnded restore.HookStarted");
    let end = hook_ended(&mut world, Stage::Post, Outcome::Succeeded);
    assert_eq!(end, LAST_HOOK_ENDS);
    assert_eq!(now_is(&world), Phase::Succeeded);
}

#[test]
fn a_failed_hook_before_the_work_ends_the_restore_but_not_the_hooks_after_it() {
    let mut world = hooked();
    world.declare_restore(Spec {
        pre_hooks: vec![hook("freeze", Policy::Always)],
        post_hooks: vec![hook("cheer", Policy::OnSuccess), hook("thaw", Policy::Always)],
        ..spec(&[])
    });
    world.surveyed(BACK, 2);
    let next = hook_ended(&mut world, Stage::Pre, broken("ExitCode"));
    assert_eq!(
        next,
        "given-up restore.HookEnded restore.HooksFinished restore.Incomplete \
         restore.ExecutorNotEnsured restore.HookStarted"
    );
    assert_eq!(world.back().hooks.tries.last().unwrap().run.index, 1);
    let end = hook_ended(&mut world, Stage::Post, Outcome::Succeeded);
    assert_eq!(end, LAST_HOOK_ENDS);
    assert_eq!(now_is(&world), Phase::Failed);
    assert!(world.state.outbox.is_empty());
}

#[test]
fn a_deadline_stops_workers_and_closes_with_what_is_unfinished() {
    let mut world = working(spec(&[]));
    world.started(BACK, "pod-0");
    world.reported(BACK, "pod-0");
    conflicts(&mut world, Run::Expire { session: BACK });
    world.pass(TIMEOUT.0);
    let end = world.ask(Run::Expire { session: BACK });
    assert_eq!(
        end,
        "restore.DeadlineExceeded given-up restore.ComponentEnded restore.Incomplete \
         restore.ExecutorNotEnsured restore.MetricsPushed configuration.ResumedAfterRestore"
    );
    assert_eq!(now_is(&world), Phase::Failed);
    let left: Vec<&Once> = world.state.outbox.values().collect();
    assert_eq!(left, [&Once::StopWorker { attempt: attempt("pod-1") }]);
    assert!(!is_paused(&world));
    // The late worker is not believed.
    let late = report(&world, "pod-1", None);
    conflicts(&mut world, late);
}

#[test]
fn a_report_is_in_time_by_its_end_and_not_by_its_arrival() {
    for (past, expected) in [(-1, Phase::Succeeded), (1_000, Phase::Failed)] {
        let mut world = working(spec(&["pod-0"]));
        world.started(BACK, "pod-0");
        let ended = Timestamp(world.back().deadline.unwrap().0 + past);
        world.pass(TIMEOUT.0 + 99_000);
        let report = Report::Restore(RestoreReport { ended, ..world.restore_report(None) });
        let attempt = attempt("pod-0");
        world.ask(Run::WorkerReported { attempt, worker: worker(), report });
        assert_eq!(now_is(&world), expected);
    }
}

#[test]
fn a_stop_interrupts_the_hook_before_the_work_and_still_thaws() {
    let mut world = hooked();
    world.declare_restore(Spec {
        pre_hooks: vec![hook("freeze", Policy::Always)],
        post_hooks: vec![hook("thaw", Policy::Always)],
        ..spec(&[])
    });
    world.surveyed(BACK, 2);
    let freeze = world.find(|once| matches!(once, Once::RunHook { .. })).unwrap();
    let cancel = Run::Cancel { session: BACK, cause: "wrong snapshot".into() };
    let stopped = world.ask(cancel.clone());
    assert_eq!(
        stopped,
        "restore.Cancelled given-up restore.HookEnded restore.HooksFinished restore.Incomplete \
         restore.ExecutorNotEnsured restore.HookStarted"
    );
    assert!(!world.state.outbox.contains_key(&freeze));
    conflicts(&mut world, cancel);
    hook_ended(&mut world, Stage::Post, Outcome::Succeeded);
    assert_eq!(now_is(&world), Phase::Failed);
    assert_eq!(world.back().cancelled, Some("wrong snapshot".into()));
}

#[test]
fn workers_that_fail_vanish_or_never_come_fail_the_restore() {
    let mut failed = working(spec(&["pod-0"]));
    failed.started(BACK, "pod-0");
    let damaged = report(&failed, "pod-0", Some(failure("SnapshotDamaged")));
    let end = failed.ask(damaged);
    assert_eq!(end, LAST_WORKER_ENDS);
    assert_eq!(now_is(&failed), Phase::Failed);

    let mut gone = working(spec(&["pod-0"]));
    gone.started(BACK, "pod-0");
    let vanished = Run::WorkerVanished { attempt: attempt("pod-0"), failure: failure("OOM") };
    let end = gone.ask(vanished);
    assert_eq!(end, format!("restore.ComponentEnded {FAILS}"));
    assert_eq!(now_is(&gone), Phase::Failed);

    let mut never = working(spec(&["pod-0"]));
    let end = never.not_started(BACK, "pod-0");
    assert_eq!(end, format!("given-up restore.ExecutorNotEnsured restore.ComponentEnded {FAILS}"));
    assert_eq!(now_is(&never), Phase::Failed);
}

#[test]
fn other_attempts_and_other_workers_are_superseded() {
    let mut world = working(spec(&[]));
    world.started(BACK, "pod-0");
    let report = Report::Restore(world.restore_report(None));
    let later = Attempt { number: 2, ..attempt("pod-0") };
    let other = Worker { job: named("other job"), pod: named("other pod") };
    let unknown = (attempt("x"), worker());
    for (attempt, worker) in [(later, worker()), (attempt("pod-0"), other), unknown] {
        let report = report.clone();
        conflicts(&mut world, Run::WorkerReported { attempt, worker, report });
    }
}

#[test]
fn pods_that_are_missing_end_the_restore_with_their_names() {
    let mut world = World::restorable();
    world.declare_restore(spec(&[]));
    let end = world.surveyed(BACK, 1);
    assert_eq!(end, format!("done restore.ExecutorNotEnsured {FAILS}"));
    assert_eq!(now_is(&world), Phase::Failed);
    let facts = &world.back().conditions;
    let message = &facts.get(Type::RestoreExecutorEnsured).unwrap().message;
    assert_eq!(message, "component pod-1 has no counterpart in the target; it has pod-0");
}

#[test]
fn manifests_need_no_survey() {
    let mut world = World::restorable();
    world.adopt("snap-2", &["manifest"]);
    let mut manifests = spec(&[]);
    manifests.target = None;
    manifests.source.snapshot = Some("snap-2".into());
    manifests.addon.tasks = vec![given::task_ref("manifest-restore")];
    let began = world.declare_restore(manifests);
    let expected = "restore.Declared restore.ValidationPassed restore.Started restore.Surveyed \
                    restore.ComponentPlanned restore.AttemptStarted";
    assert_eq!(began, expected);
    assert!(!is_paused(&world));
}

#[test]
fn deletion_stops_first_and_archives_at_the_end() {
    let mut idle = World::restorable();
    idle.forget(&addon("workload-addon"));
    idle.declare_restore(spec(&[]));
    assert_eq!(idle.ask(Command::Delete { session: BACK }), "restore.Archived");
    assert!(idle.state.restores.is_empty());

    let mut busy = working(spec(&["pod-0"]));
    busy.started(BACK, "pod-0");
    let end = busy.ask(Command::Delete { session: BACK });
    assert_eq!(end, format!("restore.Cancelled restore.ComponentEnded {FAILS}"));
    let stop = Once::StopWorker { attempt: attempt("pod-0") };
    assert_eq!(busy.answer_to(&stop, Answer::Done), "done restore.Archived");
    assert!(busy.state.restores.is_empty());
    assert!(!is_paused(&busy));

    let mut thawing =
        working(Spec { post_hooks: vec![hook("thaw", Policy::Always)], ..spec(&["pod-0"]) });
    assert_eq!(
        thawing.ask(Command::Delete { session: BACK }),
        "restore.Cancelled given-up restore.ComponentEnded restore.Incomplete \
         restore.ExecutorNotEnsured restore.HookStarted"
    );
    assert_eq!(thawing.answer_to(&stop, Answer::Done), "done");
    let end = hook_ended(&mut thawing, Stage::Post, Outcome::Succeeded);
    assert_eq!(
        end,
        "done restore.HookEnded restore.HooksFinished restore.MetricsPushed restore.Archived \
         configuration.ResumedAfterRestore"
    );
}

#[test]
fn an_event_of_a_finished_restore_is_illegal() {
    let mut world = working(spec(&["pod-0"]));
    world.started(BACK, "pod-0");
    world.reported(BACK, "pod-0");
    let recorded = Recorded {
        seq: world.state.seq + 1,
        at: world.now,
        cause: CommandId::default(),
        epoch: world.state.epoch,
        event: Event::MetricsPushed { uid: BACK }.into(),
    };
    let before = world.state.clone();
    assert!(apply(&mut world.state, &recorded).is_err());
    assert_eq!(world.state, before);
}

/// What comes from outside, as far as it is waited for; else a look at the restore.
fn happening(world: &World, act: u8, good: bool) -> crate::Command {
    let asked = |fits: fn(&Once) -> bool| world.find(fits);
    let survey = asked(|once| matches!(once, Once::Survey { .. }));
    let hook = asked(|once| matches!(once, Once::RunHook { .. }));
    let component = if good { "pod-0" } else { "pod-1" };
    let start = Once::StartWorker { attempt: attempt(component) };
    let worker_asked = world.find(|once| *once == start);
    let answer = |effect, answer| outbox::Command::Answer { effect, answer }.into();
    match (act, survey, hook, worker_asked) {
        (0..=2, Some(survey), ..) => {
            let pods = if good { 2 } else { 1 };
            answer(survey, Answer::Hosts((0..pods).map(given::pod).collect()))
        }
        (0..=2, None, Some(hook), _) => {
            let outcome = if good { Outcome::Succeeded } else { broken("X") };
            answer(hook, outcome.into())
        }
        (3..=5, .., Some(start)) => answer(start, Answer::Worker(worker())),
        (6..=8, ..) => report(world, component, (act == 8).then(|| failure("Damaged"))).into(),
        (9, ..) => {
            let attempt = attempt(component);
            Run::WorkerVanished { attempt, failure: failure("Evicted") }.into()
        }
        (10, ..) if good => Run::Expire { session: BACK }.into(),
        (11, ..) if good => Run::Cancel { session: BACK, cause: "no".into() }.into(),
        _ => RECONCILE.into(),
    }
}

proptest::proptest! {
    /// Whatever comes in whatever order: what is decided can be recorded, and the end is final.
    #[test]
    fn the_phase_is_final_with_the_final_step(
        acts in proptest::collection::vec((0u8..12, proptest::bool::ANY), 0..30),
        with_hooks in proptest::bool::ANY,
    ) {
        let mut world = hooked();
        let hooks = if with_hooks { vec![hook("h", Policy::Always)] } else { vec![] };
        world.declare_restore(Spec { pre_hooks: hooks.clone(), post_hooks: hooks, ..spec(&[]) });
        for (act, good) in acts {
            world.pass(30_000);
            let command = happening(&world, act, good);
            // Refusals are answers too; only the state has to hold.
            let _ = world.submit(world.state.epoch, command);
            let pushed = world.back().conditions.has(Type::MetricsPushed);
            proptest::prop_assert_eq!(pushed, world.back().is_finished());
            if pushed {
                proptest::prop_assert!(now_is(&world).is_completed());
                proptest::prop_assert!(!is_paused(&world));
                let stops = |once: &Once| matches!(once, Once::StopWorker { .. });
                proptest::prop_assert!(world.state.outbox.values().all(stops));
            }
        }
    }
}
