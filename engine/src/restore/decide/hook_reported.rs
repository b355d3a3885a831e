//! A try of a hook ended.

use crate::draft::Draft;
use crate::hook::Run;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::restore::Event;

use super::advance;

pub(crate) fn hook_ended(
    draft: &mut Draft<'_>,
    uid: Uid,
    run: Run,
    outcome: Outcome,
) -> Result<(), Rejection> {
    draft.emit(Event::HookEnded { uid, run, outcome });
    advance::advance(draft, uid)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(failed, "given-up restore.HookEnded restore.HooksFinished restore.HookStarted");
        assert!(world.back().conditions.is_false(Type::PreRestoreHooksExecutionSucceeded));
        let end = world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(
            end,
            "done restore.HookEnded restore.HooksFinished restore.ExecutorNotEnsured \
             restore.Incomplete restore.MetricsPushed configuration.ResumedAfterRestore"
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
