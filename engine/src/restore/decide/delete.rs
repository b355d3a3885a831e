//! The object is to be deleted: at once when nothing is under way, else after it was stopped.

use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::run::decide::stop;
use crate::run::{self, StopCause};

use super::get;

pub(super) fn decide(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if !restore.is_going() && draft.is_stopping(uid) {
        return Err(Rejection::retry(&restore.key, "a worker of it has not stopped yet"));
    } else if !restore.is_going() {
        draft.emit(Event::Archived { uid });
    } else if !restore.is_work_over() {
        stop(draft, uid, StopCause::Deleted);
    } else if restore.cancelled != Some(StopCause::Deleted) {
        // It ends anyway: from now on the end archives it too.
        let event = run::Event::Cancelled { uid, cause: StopCause::Deleted };
        draft.emit(Event::Run { event });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Once;
    use crate::outbox::Answer;
    use crate::outcome::Outcome;
    use crate::restore::Command;
    use crate::restore::phase::Step;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{BACK, World, attempt, named};

    const DELETE: Command = Command::Delete { session: BACK };

    fn stop() -> Once {
        Once::StopWorker { attempt: attempt(BACK, "pod-0") }
    }

    /// A restore of `pod-0` with a hook after it, whose worker is asked for.
    fn thawing() -> World {
        let mut world = World::restorable();
        world.declare_hook("thaw", crate::hook::Executor::Pod);
        let mut spec = given::restore(&["pod-0"]);
        spec.post_hooks = alloc::vec![given::hook("thaw")];
        world.restoring(spec);
        world
    }

    #[test]
    fn one_that_has_not_begun_or_has_ended_leaves_at_once() {
        let mut idle = World::furnished();
        idle.declare_restore(given::restore(&[]));
        assert_eq!(idle.back().step, Step::Created);
        assert_eq!(idle.ask(DELETE), "restore.Archived");
        assert_eq!(idle.refused(DELETE), Rejection::never(BACK, "there is no such restore"));

        let mut over = World::restorable();
        over.restoring(given::restore(&["pod-0"]));
        over.reported(BACK, "pod-0");
        assert_eq!(over.ask(DELETE), "restore.Archived");
    }

    #[test]
    fn one_that_works_is_stopped_and_leaves_at_its_end() {
        let mut world = thawing();
        assert_eq!(
            world.ask(DELETE),
            "restore.Cancelled given-up restore.ComponentEnded restore.Incomplete restore.ExecutorNotEnsured \
             restore.HookStarted"
        );
        assert_eq!(world.ask(DELETE), "", "asked for once more, nothing is new");
        assert!(
            world
                .hook_ended(BACK, Outcome::Succeeded)
                .ends_with("restore.MetricsPushed configuration.ResumedAfterRestore")
        );
        assert_eq!(
            world.refused(DELETE),
            Rejection::retry("demo/back", "a worker of it has not stopped yet")
        );
        assert_eq!(world.answer_to(&stop(), Answer::Done), "done restore.Archived");
        assert!(world.state.restores.is_empty());
    }

    #[test]
    fn one_that_ends_anyway_leaves_then_as_what_it_came_to() {
        let mut world = thawing();
        world.reported(BACK, "pod-0");
        assert_eq!(world.ask(DELETE), "restore.Cancelled");
        assert!(!world.back().conditions.has(crate::condition::Type::RestoreIncomplete));
        let mut before = world.clone();
        before.record(crate::testing::in_restore(run::Event::HooksFinished {
            uid: BACK,
            stage: crate::hook::Stage::Post,
            outcome: Outcome::Succeeded,
        }));
        before.record(Event::MetricsPushed { uid: BACK });
        assert_eq!(phase(before.back()), Phase::Succeeded);
        let end = world.hook_ended(BACK, Outcome::Succeeded);
        assert!(end.ends_with("restore.Archived configuration.ResumedAfterRestore"), "{end}");
    }

    #[test]
    fn one_that_was_stopped_by_hand_leaves_at_its_end_too() {
        let mut world = thawing();
        world.ask(Run::Cancel { session: BACK, cause: "enough".into() });
        assert_eq!(world.ask(DELETE), "restore.Cancelled");
        assert_eq!(world.back().cancelled, Some(StopCause::Deleted));
        let before = world.clone();
        let end = world.hook_ended(BACK, Outcome::Succeeded);
        assert!(end.ends_with("restore.MetricsPushed configuration.ResumedAfterRestore"), "{end}");
        // Whichever comes first.
        let mut world = before;
        assert_eq!(world.answer_to(&stop(), Answer::Done), "done");
        let end = world.hook_ended(BACK, Outcome::Succeeded);
        assert!(end.ends_with("restore.Archived configuration.ResumedAfterRestore"), "{end}");
        let nobody = named("nobody");
        assert_eq!(
            world.refused(Command::Delete { session: nobody }),
            Rejection::never(nobody, "there is no such restore")
        );
    }
}
