//! The end of a restore: its final fact.

use crate::draft::Draft;
use crate::ids::Uid;
use crate::restore::Event;

/// The final step.
pub(crate) fn finish(draft: &mut Draft, uid: Uid) {
    draft.emit(Event::MetricsPushed { uid });
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use crate::condition::Type;
    use crate::configuration::Command as App;
    use crate::deadline;
    use crate::declared::Declared;
    use crate::due::Due;
    use crate::effect::Once;
    use crate::hook::{Executor, HookSpec, Policy};
    use crate::outbox::Answer;
    use crate::outcome::Outcome;
    use crate::restore::Command;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::storage::DeletionPolicy;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, World, attempt, named};
    use crate::time::Millis;
    use alloc::vec::Vec;

    fn conditions(world: &World) -> String {
        let all = world.back().conditions.iter();
        let all: Vec<String> =
            all.map(|c| format!("{}={}", c.kind.as_str(), c.status.as_str())).collect();
        all.join(" ")
    }

    #[test]
    fn conditions_appear_in_the_documents_order() {
        let mut world = World::restorable();
        for name in ["freeze", "thaw"] {
            world.declare_hook(name, Executor::Pod);
        }
        let mut spec = given::restore(&["pod-0"]);
        spec.pre_hooks = vec![given::hook("freeze")];
        spec.post_hooks = vec![given::hook("thaw")];
        world.restoring(spec);
        world.hook_ended(BACK, Outcome::Succeeded);
        world.reported(BACK, "pod-0");
        world.hook_ended(BACK, Outcome::Succeeded);
        assert_eq!(
            conditions(&world),
            "ValidationPassed=True PreRestoreHooksExecutionSucceeded=True \
             RestoreExecutorEnsured=True PostRestoreHooksExecutionSucceeded=True \
             MetricsPushed=True"
        );
        assert_eq!(phase(world.back()), Phase::Succeeded);
        assert_eq!(world.back().ended_at, Some(world.now));
    }

    #[test]
    fn what_is_unfinished_is_marked_so_before_the_end() {
        let mut world = World::restorable();
        world.declare_restore(given::restore(&[]));
        world.ask(Run::Cancel { session: BACK, cause: "no".into() });
        assert_eq!(
            conditions(&world),
            "ValidationPassed=True RestoreIncomplete=True RestoreExecutorEnsured=False \
             MetricsPushed=True"
        );
    }

    #[test]
    fn hooks_that_were_all_passed_over_leave_no_fact() {
        let mut world = World::restorable();
        world.declare_hook("alarm", Executor::Pod);
        let mut spec = given::restore(&["pod-0"]);
        spec.post_hooks = vec![HookSpec { policy: Policy::OnFailure, ..given::hook("alarm") }];
        world.restoring(spec);
        world.reported(BACK, "pod-0");
        assert!(!world.back().conditions.has(Type::PostRestoreHooksExecutionSucceeded));
        assert!(world.back().is_finished());
    }

    #[test]
    fn what_it_held_goes_on_and_it_remembers_what_that_was() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        assert!(world.state.configurations[&APP].paused_by.contains(&BACK));
        world.reported(BACK, "pod-0");
        let app = &world.state.configurations[&APP];
        assert!(app.paused_by.is_empty());
        assert_eq!(app.resumed_at, Some(world.now));
        assert_eq!(world.back().paused, [APP].into());
    }

    #[test]
    fn two_restores_hold_until_both_have_ended() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        let other = named("other");
        world.ask(Command::Declare(Declared {
            uid: other,
            key: given::key("other"),
            generation: 1,
            hash: given::hash(1),
            spec: given::restore(&["pod-1"]),
        }));
        world.reported(BACK, "pod-0");
        assert!(world.state.configurations[&APP].is_paused());
        assert_eq!(world.state.configurations[&APP].resumed_at, None);
        world.surveyed(other, 2);
        world.reported(other, "pod-1");
        assert!(!world.state.configurations[&APP].is_paused());
    }

    #[test]
    fn the_deletion_of_what_it_read_from_waits_for_its_worker() {
        let mut session = given::session("nightly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![session]);
        world.adopt("snap", &["pod-0"]);
        world.restoring(given::restore(&[]));
        world.ask(App::Delete { uid: APP });
        let end = world.ask(Run::Cancel { session: BACK, cause: "no".into() });
        assert!(end.ends_with("configuration.ResumedAfterRestore"), "{end}");
        let stop = Once::StopWorker { attempt: attempt(BACK, "pod-0") };
        assert_eq!(world.answer_to(&stop, Answer::Done), "done repository.DeletionRequested");
    }

    #[test]
    fn two_restores_into_one_target_go_one_after_the_other() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        let other = named("other");
        let (key, hash) = (given::key("other"), given::hash(1));
        let spec = given::restore(&[]);
        let declared = Declared { uid: other, key, generation: 1, hash, spec };
        assert_eq!(world.ask(Command::Declare(declared)), "restore.Declared");
        let waiting = |world: &World| {
            let known = &world.state.restores[&other];
            crate::view::restore::status(&world.state, known).waiting
        };
        let sentence = "RestoreSession demo/back restores into StatefulSet demo/db";
        assert_eq!(waiting(&world).as_deref(), Some(sentence));
        world.ask(Run::Cancel { session: BACK, cause: "no".into() });
        assert_eq!(waiting(&world).as_deref(), Some(sentence), "its worker may still write");
        let again = Command::Reconcile { uid: other };
        assert_eq!(world.ask(again.clone()), "");
        let stop = Once::StopWorker { attempt: attempt(BACK, "pod-0") };
        world.answer_to(&stop, Answer::Done);
        assert_eq!(waiting(&world), None);
        let due = deadline::due(&world.state, world.now, Millis(0));
        assert!(due.contains(&Due::ReconcileRestore { uid: other }), "{due:?}");
        assert!(world.ask(again).starts_with("restore.ValidationPassed restore.Started"));
    }

    #[test]
    fn the_deletion_of_what_it_read_from_goes_on_at_its_end() {
        let mut session = given::session("nightly");
        session.repositories[0].deletion = Some(DeletionPolicy::WipeOut);
        let mut world = World::with(vec![session]);
        world.adopt("snap", &["pod-0"]);
        world.restoring(given::restore(&[]));
        assert_eq!(
            world.ask(App::Delete { uid: APP }),
            "configuration.DeletionRequested schedule.Withdrawn"
        );
        let end = world.reported(BACK, "pod-0");
        assert!(
            end.ends_with("configuration.ResumedAfterRestore repository.DeletionRequested"),
            "{end}"
        );
    }
}
