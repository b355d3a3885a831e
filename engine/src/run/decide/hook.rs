//! A try of a hook ended, or nobody can tell how far it came.

use alloc::vec::Vec;

use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::{self, Executor, HookSpec, Run};
use crate::ids::{EffectId, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::run::Event;
use crate::run::decide::advance;
use crate::run::session;

/// Takes the outcome; what is answered to a session that is gone concerns nobody.
pub(crate) fn hook_ended(
    draft: &mut Draft,
    uid: Uid,
    run: Run,
    outcome: Outcome,
) -> Result<(), Rejection> {
    if let Some(session) = session::get(draft, uid) {
        draft.emit(session.says(Event::HookEnded { uid, run, outcome }));
        advance(draft, uid);
    }
    Ok(())
}

/// A hook whose start was recorded without an end, before this effect and by a leader of before, counts as
/// failed: nobody can tell how far it came. One that runs as a Job of its own is found again by its name.
/// Behind which effect some are left, if any are.
pub(crate) fn interrupt(
    draft: &mut Draft,
    before: EffectId,
    after: Option<EffectId>,
) -> Option<EffectId> {
    let hooks = draft.effects(|once| matches!(once, Once::RunHook { .. }));
    let mut open: Vec<EffectId> =
        hooks.into_iter().filter(|id| *id < before && Some(*id) > after).collect();
    let left = open.len() > draft.objects();
    open.truncate(draft.objects());
    for effect in &open {
        let Some(Once::RunHook { session, run }) = draft.effect(*effect).cloned() else { continue };
        if survives(draft, hook_of(draft, session, run)) {
            continue;
        }
        let interrupted = hook::run::interrupted();
        draft.give_up(*effect, interrupted.message.clone());
        if let Some(session) = session::get(draft, session) {
            let (uid, outcome) = (session.uid(), Outcome::Failed(interrupted));
            draft.emit(session.says(Event::HookEnded { uid, run, outcome }));
            advance(draft, uid);
        }
    }
    open.last().copied().filter(|_| left)
}

fn hook_of(draft: &Draft, session: Uid, run: Run) -> Option<HookSpec> {
    let session = session::get(draft, session)?;
    let hooks = session.hooks(run.stage);
    hooks.get(usize::try_from(run.index).ok()?).cloned()
}

fn survives(draft: &Draft, hook: Option<HookSpec>) -> bool {
    hook.and_then(|hook| draft.hook_named(&hook.template))
        .is_some_and(|template| template.spec.executor == Executor::Function)
}

#[cfg(test)]
mod backups {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration::SessionSpec;
    use crate::effect::Once;
    use crate::hook::{Executor, Policy, Stage};
    use crate::testing::given;
    use crate::testing::world::{World, broken};

    fn world(change: impl FnOnce(&mut SessionSpec)) -> (World, Uid) {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        session.post_hooks = vec![given::hook("thaw")];
        change(&mut session);
        let mut world = World::with(vec![session]);
        world.declare_hook("freeze", Executor::Pod);
        world.declare_hook("thaw", Executor::Pod);
        let session = world.working(1);
        (world, session)
    }

    fn freeze(number: u32) -> Run {
        Run { stage: Stage::Pre, index: 0, number }
    }

    #[test]
    fn the_work_begins_after_the_last_hook_before_it() {
        let (mut world, session) =
            world(|spec| spec.pre_hooks = vec![given::hook("freeze"), given::hook("thaw")]);
        let first = world.hook_ended(session, Outcome::Succeeded);
        assert_eq!(first, "done backup.HookEnded backup.HookStarted");
        let second = world.hook_ended(session, Outcome::Succeeded);
        assert_eq!(
            second,
            "done backup.HookEnded backup.HooksFinished snapshot.ComponentStarted \
             backup.AttemptStarted"
        );
        assert!(world.backup(session).conditions.is_true(Type::PreBackupHooksExecutionSucceeded));
    }

    #[test]
    fn a_failed_try_is_followed_by_the_next_as_long_as_there_is_one() {
        let (mut world, session) = world(|spec| spec.pre_hooks[0].max_retry = 1);
        let again = world.hook_ended(session, broken("ExitCode"));
        assert_eq!(again, "given-up backup.HookEnded backup.HookStarted");
        world.effect(&Once::RunHook { session, run: freeze(2) });
        let end = world.hook_ended(session, broken("ExitCode"));
        assert_eq!(
            end,
            "given-up backup.HookEnded backup.HooksFinished snapshot.Incomplete \
             backup.ExecutorNotEnsured backup.HookStarted"
        );
        assert!(world.backup(session).conditions.is_false(Type::PreBackupHooksExecutionSucceeded));
    }

    #[test]
    fn hooks_after_the_work_choose_by_what_it_came_to() {
        for (works, expected) in [(true, [0, 1]), (false, [0, 2])] {
            let (mut world, session) = world(|spec| {
                spec.pre_hooks.clear();
                spec.post_hooks = [Policy::Always, Policy::OnSuccess, Policy::OnFailure]
                    .map(|policy| crate::hook::HookSpec { policy, ..given::hook("thaw") })
                    .to_vec();
            });
            world.started(session, "pod-0");
            if works {
                world.reported(session, "pod-0");
            } else {
                world.vanished(session, "pod-0");
            }
            world.hook_ended(session, Outcome::Succeeded);
            world.hook_ended(session, Outcome::Succeeded);
            let ran: alloc::vec::Vec<u32> =
                world.backup(session).hooks.tries.iter().map(|known| known.run.index).collect();
            assert_eq!(ran, expected);
        }
    }
}

#[cfg(test)]
mod restores {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::effect::Once;
    use crate::hook::{Executor, HookSpec, Policy, Stage};
    use crate::restore::phase::{Phase, phase};
    use crate::testing::given;
    use crate::testing::world::{BACK, World, broken};

    fn world(pre: &[HookSpec], post: &[HookSpec]) -> World {
        let mut world = World::restorable();
        for name in ["freeze", "thaw"] {
            world.declare_hook(name, Executor::Pod);
        }
        let mut spec = given::restore(&["pod-0"]);
        spec.pre_hooks = pre.to_vec();
        spec.post_hooks = post.to_vec();
        world.restoring(spec);
        world
    }

    fn run(stage: Stage, number: u32) -> Run {
        Run { stage, index: 0, number }
    }

    #[test]
    fn the_work_begins_after_the_last_hook_before_it() {
        let hooks = [given::hook("freeze"), given::hook("thaw")];
        let mut world = world(&hooks, &[]);
        let first = world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(first, "done restore.HookEnded restore.HookStarted");
        let second = world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(second, "done restore.HookEnded restore.HooksFinished restore.AttemptStarted");
        assert!(world.back().conditions.is_true(Type::PreRestoreHooksExecutionSucceeded));
    }

    #[test]
    fn a_failed_try_is_followed_by_the_next_as_long_as_there_is_one() {
        let hooks = [HookSpec { max_retry: 1, ..given::hook("freeze") }];
        let mut world = world(&hooks, &[given::hook("thaw")]);
        let again = world.hook_ended(BACK, broken("ExitCode"));
        assert_eq!(again, "given-up restore.HookEnded restore.HookStarted");
        world.effect(&Once::RunHook { session: BACK, run: run(Stage::Pre, 2) });
        let failed = world.hook_ended(BACK, broken("ExitCode"));
        assert_eq!(
            failed,
            "given-up restore.HookEnded restore.HooksFinished restore.Incomplete \
             restore.ExecutorNotEnsured restore.HookStarted"
        );
        assert!(world.back().conditions.is_false(Type::PreRestoreHooksExecutionSucceeded));
        let end = world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(
            end,
            "done restore.HookEnded restore.HooksFinished restore.MetricsPushed \
             configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn hooks_after_the_work_choose_by_what_it_came_to() {
        let hooks = [Policy::Always, Policy::OnSuccess, Policy::OnFailure]
            .map(|policy| HookSpec { policy, ..given::hook("thaw") });
        for (works, expected) in [(true, [0, 1]), (false, [0, 2])] {
            let mut world = world(&[], &hooks);
            world.started(BACK, "pod-0");
            if works {
                world.reported(BACK, "pod-0");
            } else {
                world.vanished(BACK, "pod-0");
            }
            world.hook_ended(BACK, Outcome::Succeeded);
            world.hook_ended(BACK, Outcome::Succeeded);
            let tries = &world.back().hooks.tries;
            let ran: vec::Vec<u32> = tries.iter().map(|known| known.run.index).collect();
            assert_eq!(ran, expected);
            let expected = if works { Phase::Succeeded } else { Phase::Failed };
            assert_eq!(phase(world.back()), expected);
        }
    }

    #[test]
    fn a_failed_hook_after_the_work_fails_the_restore_and_the_others_still_run() {
        let hooks = [given::hook("freeze"), given::hook("thaw")];
        let mut world = world(&[], &hooks);
        world.reported(BACK, "pod-0");
        let first = world.hook_ended(BACK, broken("ExitCode"));
        assert_eq!(first, "given-up restore.HookEnded restore.HookStarted");
        world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(phase(world.back()), Phase::Failed);
        let facts = &world.back().conditions;
        let said = &facts.get(Type::PostRestoreHooksExecutionSucceeded).unwrap().message;
        assert_eq!(said, "hook freeze: it went wrong");
    }
}
