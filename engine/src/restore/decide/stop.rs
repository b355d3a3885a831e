//! A restore ends before its work does: somebody stops it, or its time is up.

use alloc::format;
use alloc::string::{String, ToString};

use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::hook::run::{interrupted, patience};
use crate::ids::Uid;
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::run::StopCause;
use crate::time::{Millis, Timestamp};
use crate::work;

use super::{advance, get, worker};

pub(crate) fn cancel(draft: &mut Draft<'_>, uid: Uid, cause: &StopCause) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if !restore.is_going() || restore.is_work_over() {
        return Err(Rejection::conflict(&restore.key, "nothing is left to stop"));
    }
    draft.emit(Event::Cancelled { uid, cause: cause.clone() });
    let message = format!("the restore was stopped: {}", cause.sentence());
    give_up(draft, &restore, "Cancelled", message)
}

/// When something about a restore expires; the wake-up of [`crate::deadline`].
pub(crate) fn expiry(restore: &Restore) -> Option<Timestamp> {
    match restore.step {
        Step::Declared | Step::Finished => None,
        _ => match restore.work_ended_at {
            None => restore.deadline,
            Some(ended) => Some(ended.plus(closing_time(restore))),
        },
    }
}

/// How long closing may take: its own time, and that of the hooks that still run.
fn closing_time(restore: &Restore) -> Millis {
    let late = restore.conditions.is_true(Type::DeadlineExceeded);
    let hooks = if late { Millis(0) } else { patience(&restore.spec.post_hooks) };
    Millis(limits::CLOSING_MILLIS.0.saturating_add(hooks.0))
}

pub(crate) fn expire(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if expiry(&restore).is_none_or(|when| when > draft.at()) {
        return Err(Rejection::conflict(&restore.key, "its time is not up"));
    }
    if restore.work_ended_at.is_none() {
        return exceed(draft, &restore);
    }
    if !restore.conditions.is_true(Type::DeadlineExceeded) {
        draft.emit(Event::DeadlineExceeded { uid });
    }
    force(draft, &restore)
}

/// Ends the hook that closing still waits for, and its stage, as failed: nobody answered in time.
fn force(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    let uid = restore.uid;
    let message = "nobody answered in time";
    let failure =
        Failure { reason: "NoAnswer".to_string(), message: message.to_string(), permanent: false };
    if let Some(run) = restore.hooks.open() {
        for effect in draft.effects(|once| *once == Once::RunHook { session: uid, run }) {
            draft.give_up(effect, message);
        }
        draft.emit(Event::HookEnded { uid, run, outcome: Outcome::Failed(failure.clone()) });
        let outcome = Outcome::Failed(failure);
        draft.emit(Event::HooksFinished { uid, stage: Stage::Post, outcome });
    }
    advance::advance(draft, uid)
}

/// Its time is up.
pub(super) fn exceed(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    draft.emit(Event::DeadlineExceeded { uid: restore.uid });
    let message = "the restore did not end within restoreTimeout".to_string();
    give_up(draft, restore, "DeadlineExceeded", message)
}

/// Ends on record what is under way; hooks after the work still run, one of them may thaw what a hook
/// before it froze.
fn give_up(
    draft: &mut Draft<'_>,
    restore: &Restore,
    reason: &str,
    message: String,
) -> Result<(), Rejection> {
    let uid = restore.uid;
    let obsolete = |once: &Once| match once {
        Once::Survey { session } => *session == uid,
        Once::RunHook { session, run } => *session == uid && run.stage == Stage::Pre,
        Once::StartWorker { attempt } => attempt.session == uid,
        _ => false,
    };
    for effect in draft.effects(obsolete) {
        draft.give_up(effect, message.clone());
    }
    let failure = Failure { reason: reason.to_string(), message: message.clone(), permanent: true };
    if let Some(run) = restore.hooks.open().filter(|run| run.stage == Stage::Pre) {
        draft.emit(Event::HookEnded { uid, run, outcome: Outcome::Failed(interrupted()) });
        let outcome = Outcome::Failed(failure.clone());
        draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome });
    }
    for (attempt, worked) in work::running(uid, &restore.components, draft.at()) {
        worker::end(draft, &attempt, Outcome::Failed(failure.clone()), worked);
    }
    if get(draft, uid)?.step == Step::Closing && !restore.conditions.has(Type::RestoreIncomplete) {
        draft.emit(Event::Incomplete { uid, message });
    }
    advance::advance(draft, uid)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::hook::{Executor, HookSpec};
    use crate::ids::Attempt;
    use crate::restore::Spec;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{BACK, MINUTE, World, attempt, named};

    const EXPIRE: Run = Run::Expire { session: BACK };

    fn cancel() -> Run {
        Run::Cancel { session: BACK, cause: "enough".into() }
    }

    /// Ten minutes for two pods, with a hook before and one after.
    fn spec() -> Spec {
        Spec {
            timeout: Some(Millis(10 * MINUTE)),
            pre_hooks: vec![given::hook("freeze")],
            post_hooks: vec![given::hook("thaw")],
            ..given::restore(&[])
        }
    }

    fn declared(spec: Spec) -> World {
        let mut world = World::restorable();
        for name in ["freeze", "thaw"] {
            world.declare_hook(name, Executor::Pod);
        }
        world.declare_restore(spec);
        world
    }

    fn working(spec: Spec) -> World {
        let mut world = declared(spec);
        world.surveyed(BACK, 2);
        world.hook_ended(BACK, Outcome::Succeeded);
        world
    }

    fn thawing(spec: Spec) -> World {
        let mut world = working(spec);
        world.reported(BACK, "pod-0");
        world.reported(BACK, "pod-1");
        world
    }

    fn conflict(reason: &str) -> Rejection {
        Rejection::conflict("demo/back", reason)
    }

    #[test]
    fn a_stop_ends_on_record_whatever_is_under_way() {
        let mut surveying = declared(spec());
        assert_eq!(
            surveying.ask(cancel()),
            "restore.Cancelled given-up restore.Incomplete restore.HookStarted"
        );
        let mut planning = declared(spec());
        planning.surveyed(BACK, 2);
        assert_eq!(
            planning.ask(cancel()),
            "restore.Cancelled given-up restore.HookEnded restore.HooksFinished \
             restore.Incomplete restore.HookStarted"
        );
        let mut working = working(spec());
        working.started(BACK, "pod-0");
        working.pass(MINUTE);
        assert_eq!(
            working.ask(cancel()),
            "restore.Cancelled given-up restore.ComponentEnded restore.ComponentEnded \
             restore.Incomplete restore.HookStarted"
        );
        for name in ["pod-0", "pod-1"] {
            working.effect(&Once::StopWorker { attempt: attempt(BACK, name) });
            let component = working.back().component(name).unwrap();
            assert_eq!(component.duration, Millis(MINUTE));
            let Some(Outcome::Failed(failure)) = &component.outcome else { panic!("{name}") };
            assert_eq!(
                (failure.reason.as_str(), failure.message.as_str(), failure.permanent),
                ("Cancelled", "the restore was stopped: enough", true)
            );
        }
        working.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(working.back()), Phase::Failed);
    }

    #[test]
    fn what_has_ended_keeps_its_outcome() {
        let mut world = working(spec());
        world.reported(BACK, "pod-0");
        world.ask(cancel());
        let outcome = |name| world.back().component(name).unwrap().outcome.clone();
        assert_eq!(outcome("pod-0"), Some(Outcome::Succeeded));
        assert!(matches!(outcome("pod-1"), Some(Outcome::Failed(_))));
        let stopped = Once::StopWorker { attempt: Attempt { number: 1, ..attempt(BACK, "pod-1") } };
        assert_eq!(world.outbox().into_iter().filter(|once| *once == stopped).count(), 1);
        assert!(
            world
                .find(|once| *once == Once::StopWorker { attempt: attempt(BACK, "pod-0") })
                .is_none()
        );
    }

    #[test]
    fn nothing_is_stopped_before_its_begin_after_its_work_or_twice() {
        let over = conflict("nothing is left to stop");
        let mut waiting = declared(Spec { target: Some(Default::default()), ..spec() });
        assert_eq!(waiting.back().step, Step::Declared);
        assert_eq!(waiting.refused(cancel()), over);
        let mut thawing = thawing(spec());
        assert_eq!(thawing.refused(cancel()), over);
        thawing.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(thawing.back()), Phase::Succeeded);
        assert_eq!(thawing.refused(cancel()), over);
        let mut stopped = working(spec());
        stopped.ask(cancel());
        assert_eq!(stopped.refused(cancel()), over);
        let nobody = named("nobody");
        let unknown = Rejection::conflict(nobody, "no such session");
        let command = Run::Cancel { session: nobody, cause: "x".into() };
        assert_eq!(stopped.refused(command), unknown);
        assert_eq!(stopped.refused(Run::Expire { session: nobody }), unknown);
    }

    #[test]
    fn a_deadline_is_over_at_its_instant_and_not_before() {
        let mut world = working(spec());
        world.pass(10 * MINUTE - 1);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        world.pass(1);
        assert_eq!(
            world.ask(EXPIRE),
            "restore.DeadlineExceeded given-up given-up restore.ComponentEnded \
             restore.ComponentEnded restore.Incomplete restore.HookStarted"
        );
        let facts = &world.back().conditions;
        let said = &facts.get(Type::RestoreIncomplete).unwrap().message;
        assert_eq!(said, "the restore did not end within restoreTimeout");
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        assert_eq!(expiry(world.back()), Some(world.now.plus(limits::CLOSING_MILLIS)));
    }

    #[test]
    fn hooks_after_the_work_have_a_time_of_their_own() {
        let mut world = thawing(spec());
        world.pass(10 * MINUTE);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
        let mut answered = world.clone();
        answered.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(answered.back()), Phase::Succeeded);

        let all = limits::CLOSING_MILLIS.0 + limits::HOOK_DEFAULT_MILLIS.0;
        world.pass(all - 10 * MINUTE);
        assert_eq!(
            world.ask(EXPIRE),
            "restore.DeadlineExceeded given-up restore.HookEnded restore.HooksFinished \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Failed);
        assert_eq!(world.outbox(), []);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
    }

    #[test]
    fn tries_of_hooks_lengthen_closing_and_a_deadline_ends_that() {
        let thaw = HookSpec { timeout: Some(Millis(MINUTE)), max_retry: 2, ..given::hook("thaw") };
        let mut world = thawing(Spec { post_hooks: vec![thaw], ..spec() });
        let now = world.now;
        let closing = |extra| Some(now.plus(Millis(limits::CLOSING_MILLIS.0 + extra)));
        assert_eq!(expiry(world.back()), closing(3 * MINUTE));
        world.record(Event::DeadlineExceeded { uid: BACK });
        assert_eq!(expiry(world.back()), closing(0));
    }

    #[test]
    fn without_a_timeout_work_may_take_for_ever() {
        let mut world = declared(Spec { timeout: None, ..spec() });
        assert_eq!(expiry(world.back()), None);
        world.pass(365 * 24 * 60 * MINUTE);
        assert_eq!(world.refused(EXPIRE), conflict("its time is not up"));
    }
}
