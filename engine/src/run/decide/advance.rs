//! How far a session can go with what is known.
//!
//! | Step | waits for | then |
//! |---|---|---|
//! | Surveying | the target's hosts | components |
//! | Planning | a place of a worker; hooks before the work | one attempt for each component, as there are places |
//! | Working | every component | what is unfinished is marked so |
//! | Closing | hooks after the work; whatever the session's own end waits for | its end |
//! | Retaining | every removal | its end |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::condition::Type;
use crate::draft::Draft;
use crate::hook::Stage;
use crate::hook::run::{self, Next};
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::run::Event;
use crate::run::component;
use crate::run::decide::leave::leave;
use crate::run::decide::survey;
use crate::run::phase::Step;
use crate::run::session::{self, Session};
use crate::run::state::Run;

/// Takes the session as far as it can go, out of the state where its object goes.
pub(crate) fn advance(draft: &mut Draft, uid: Uid) {
    while step(draft, uid) {}
    leave(draft, uid);
}

/// One step; false where something outside has to answer.
fn step(draft: &mut Draft, uid: Uid) -> bool {
    let Some(session) = session::get(draft, uid) else { return false };
    let run = session.run();
    match run.step {
        Step::Surveying if !session.needs_survey() => {
            survey::plan(draft, &*session, Ok(Vec::new()));
            true
        }
        Step::Planning => prepare(draft, &*session),
        Step::Working | Step::Closing if run.is_work_over() => close(draft, &*session),
        Step::Working => {
            ensure_executor(draft, &*session);
            false
        }
        Step::Retaining => session.conclude(draft),
        _ => false,
    }
}

/// Hooks before the work, then the work. What waits for a worker's place is begun by [`super::places`].
fn prepare(draft: &mut Draft, session: &dyn Session) -> bool {
    let run = session.run();
    if session.hooks(Stage::Pre).is_empty() {
        return false;
    }
    if run.hooks.result(Stage::Pre).is_none() {
        return has_run(run, Stage::Pre) && run_hooks(draft, session);
    }
    // The hooks held its place.
    begin(draft, session, 0);
    false
}

/// The next hook before the work; true when they are through.
pub(super) fn run_hooks(draft: &mut Draft, session: &dyn Session) -> bool {
    let (uid, run) = (session.uid(), session.run());
    match run::next(session.hooks(Stage::Pre), Stage::Pre, &run.hooks, true) {
        Next::Wait => false,
        Next::Start(run) => {
            draft.emit(session.says(Event::HookStarted { uid, run }));
            false
        }
        Next::Finished(outcome) => {
            let stage = Stage::Pre;
            draft.emit(session.says(Event::HooksFinished { uid, stage, outcome }));
            true
        }
    }
}

/// The first attempt at a component, which has a place.
pub(super) fn begin(draft: &mut Draft, session: &dyn Session, number: usize) {
    let Some(planned) = session.run().components.get(number) else { return };
    let (uid, component) = (session.uid(), planned.component.name.clone());
    session.begin(draft, &planned.component);
    draft.emit(session.says(Event::AttemptStarted { uid, component, number: 1 }));
}

/// Every component has a worker, or has had one.
fn ensure_executor(draft: &mut Draft, session: &dyn Session) {
    let run = session.run();
    let known = run.conditions.has(session.words().executor);
    if !known && component::all_have_workers(&run.components) {
        draft.emit(session.says(Event::ExecutorEnsured { uid: session.uid() }));
    }
}

/// Marks what is unfinished, runs the hooks after the work, and lets the session come to its own end.
fn close(draft: &mut Draft, session: &dyn Session) -> bool {
    let (uid, run) = (session.uid(), session.run());
    if run.step == Step::Working {
        ensure_executor(draft, session);
    }
    if mark_unfinished(draft, session) {
        return true;
    }
    if run.hooks.result(Stage::Post).is_none() {
        let succeeded = session.has_work_succeeded(draft);
        match run::next(session.hooks(Stage::Post), Stage::Post, &run.hooks, succeeded) {
            Next::Wait => return false,
            Next::Start(run) => {
                draft.emit(session.says(Event::HookStarted { uid, run }));
                return false;
            }
            Next::Finished(outcome) if has_run(run, Stage::Post) => {
                let stage = Stage::Post;
                draft.emit(session.says(Event::HooksFinished { uid, stage, outcome }));
                return true;
            }
            Next::Finished(_) => {}
        }
    }
    session.conclude(draft)
}

/// Law: what MetricsPushed makes final must be finished, one way or another. True when something was
/// marked.
fn mark_unfinished(draft: &mut Draft, session: &dyn Session) -> bool {
    let (uid, words) = (session.uid(), session.words());
    let why = first_failure(session.run(), words.executor);
    let mut marked = session.mark_unfinished(draft, why.as_deref());
    let now = session::get(draft, uid);
    let known = now.is_some_and(|session| session.run().conditions.has(words.executor));
    if session.expects_workers() && !known {
        let message = why.unwrap_or_else(|| "no worker was started".into());
        draft.emit(session.says(Event::ExecutorNotEnsured { uid, message }));
        marked = true;
    }
    marked
}

/// Why the work did not succeed, as far as known.
pub(crate) fn first_failure(run: &Run, executor: Type) -> Option<String> {
    if run.conditions.is_true(Type::DeadlineExceeded) {
        return Some("the session's deadline passed".into());
    }
    if let Some(cause) = &run.cancelled {
        return Some(cause.sentence());
    }
    let of_component = run.components.iter().find_map(|known| match &known.outcome {
        Some(Outcome::Failed(failure)) => {
            Some(format!("component {}: {}", known.component.name, failure.message))
        }
        _ => None,
    });
    let of_hooks = || match run.hooks.result(Stage::Pre) {
        Some(Outcome::Failed(failure)) => Some(failure.message.clone()),
        _ => None,
    };
    let of_executor = || {
        let found = run.conditions.get(executor)?;
        run.conditions.is_false(executor).then(|| found.message.clone().into_owned())
    };
    of_component.or_else(of_hooks).or_else(of_executor)
}

/// Some hook of a stage was tried.
pub(crate) fn has_run(run: &Run, stage: Stage) -> bool {
    run.hooks.tries.iter().any(|known| known.run.stage == stage)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::state::Backup;
    use crate::effect::Once;
    use crate::hook::HookSpec;
    use crate::hook::{Executor, Policy};
    use crate::run::Command as Run;
    use crate::run::component::ComponentState;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, broken};

    fn hooked() -> World {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        session.post_hooks = vec![
            given::hook("thaw"),
            HookSpec { policy: Policy::OnFailure, ..given::hook("alarm") },
        ];
        let mut world = World::with(vec![session]);
        for name in ["freeze", "thaw", "alarm"] {
            world.declare_hook(name, Executor::Pod);
        }
        world
    }

    fn conditions(world: &World, uid: Uid) -> String {
        let all: Vec<&str> = world.backup(uid).conditions.iter().map(|c| c.kind.as_str()).collect();
        all.join(" ")
    }

    #[test]
    fn conditions_appear_in_the_documents_order() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.started(session, "pod-0");
        world.reported(session, "pod-0");
        world.hook_ended(session, Outcome::Succeeded);
        world.closed();
        assert_eq!(
            conditions(&world, session),
            "SnapshotsEnsured PreBackupHooksExecutionSucceeded BackupExecutorEnsured \
             PostBackupHooksExecutionSucceeded RetentionPolicyExecutorEnsured \
             SessionHistoryCleaned MetricsPushed"
        );
    }

    #[test]
    fn hooks_after_the_work_and_descriptions_are_both_waited_for() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.reported(session, "pod-0");
        let mut other = world.clone();
        assert_eq!(world.described(), "done snapshot.MetadataUploaded");
        assert!(world.hook_ended(session, Outcome::Succeeded).ends_with("backup.MetricsPushed"));
        assert_eq!(
            other.hook_ended(session, Outcome::Succeeded),
            "done backup.HookEnded backup.HooksFinished"
        );
        assert!(other.described().ends_with("backup.MetricsPushed"));
    }

    #[test]
    fn a_failed_hook_before_the_work_leaves_no_worker_and_still_thaws() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, broken("ExitCode"));
        assert!(world.find(|once| matches!(once, Once::StartWorker { .. })).is_none());
        let tried = |world: &World| -> Vec<u32> {
            let after = world.backup(session).hooks.tries.iter();
            after.filter(|t| t.run.stage == Stage::Post).map(|t| t.run.index).collect()
        };
        assert_eq!(tried(&world), [0]);
        world.hook_ended(session, Outcome::Succeeded);
        assert_eq!(tried(&world), [0, 1], "the work did not succeed: the alarm goes off");
    }

    #[test]
    fn hooks_that_were_all_passed_over_leave_no_fact() {
        let mut session = given::session("nightly");
        session.post_hooks = vec![HookSpec { policy: Policy::OnFailure, ..given::hook("alarm") }];
        let mut world = World::with(vec![session]);
        let session = world.succeed();
        assert!(!world.backup(session).conditions.has(Type::PostBackupHooksExecutionSucceeded));
        assert!(world.backup(session).is_finished());
    }

    #[test]
    fn a_description_that_cannot_be_stored_fails_the_snapshot_and_ends_the_session() {
        let mut world = World::ready();
        let session = world.working(1);
        world.reported(session, "pod-0");
        let snapshot = world.snapshot_of(session);
        let forbidden = broken("Forbidden").into();
        let end = world.answer_to(&Once::UploadMetadata { snapshot }, forbidden);
        assert!(end.ends_with("backup.HistoryCleaned backup.MetricsPushed"), "{end}");
        let phase = crate::backup::phase::phase(world.backup(session));
        assert_eq!(phase, crate::backup::phase::Phase::Failed);
    }

    #[test]
    fn what_is_forced_ends_open_hooks_then_descriptions_then_retention() {
        let mut world = hooked();
        let session = world.working(1);
        world.hook_ended(session, Outcome::Succeeded);
        world.reported(session, "pod-0");
        world.pass(24 * 60 * MINUTE);
        assert_eq!(
            world.ask(Run::Expire { session }),
            "backup.DeadlineExceeded given-up backup.HookEnded backup.HooksFinished given-up \
             snapshot.MetadataUploaded backup.RetentionStarted backup.RetentionApplied \
             backup.HistoryCleaned backup.MetricsPushed"
        );
        let facts = &world.backup(session).conditions;
        assert!(facts.is_false(Type::PostBackupHooksExecutionSucceeded));
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn the_first_failure_is_the_cause_and_not_its_consequences() {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        let mut world = World::with(vec![session]);
        let uid = world.working(1);
        let mut backup = world.backup(uid).clone();
        let expect = |backup: &Backup, said: Option<&str>| {
            let found = first_failure(&backup.run, Type::BackupExecutorEnsured);
            assert_eq!(found.as_deref(), said);
        };
        expect(&backup, None);
        backup.run.conditions.state(world.now, Type::BackupExecutorEnsured, Some("no worker"));
        expect(&backup, Some("no worker"));
        backup.run.hooks.finish(Stage::Pre, &broken("ExitCode"));
        expect(&backup, Some("it went wrong"));
        let component: &mut ComponentState = &mut backup.run.components[0];
        component.outcome = Some(broken("Evicted"));
        expect(&backup, Some("component pod-0: it went wrong"));
        backup.run.cancelled = Some("enough".into());
        expect(&backup, Some("enough"));
        backup.run.conditions.raise(world.now, Type::DeadlineExceeded, "late");
        expect(&backup, Some("the session's deadline passed"));
    }
}
