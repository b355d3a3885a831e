//! A try of a hook ended.

use crate::backup::Event;
use crate::backup::decide::{advance, known};
use crate::draft::Draft;
use crate::hook::Run;
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::rejection::Rejection;

pub(crate) fn hook_ended(
    draft: &mut Draft,
    uid: Uid,
    run: Run,
    outcome: Outcome,
) -> Result<(), Rejection> {
    known(draft, uid)?;
    draft.emit(Event::HookEnded { uid, run, outcome });
    advance(draft, uid);
    Ok(())
}

#[cfg(test)]
mod tests {
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
