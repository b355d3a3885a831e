//! Takes a restore as far as it can go without an answer from outside.
//!
//! Survey, hooks before the work, workers, hooks after it, end. The end first says of everything
//! unfinished that it is unfinished, so that the phase is final once MetricsPushed is there.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::condition::Type;
use crate::configuration;
use crate::draft::Draft;
use crate::hook::Stage;
use crate::hook::run::{Next, next};
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::requests::needs_survey;
use crate::restore::Event;
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::run::StopCause;

use super::{get, plan};

pub(super) fn advance(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    // Every turn leaves its step or ends; there are six of them.
    loop {
        let restore = get(draft, uid)?;
        match restore.step {
            Step::Declared | Step::Finished => return Ok(()),
            Step::Surveying if needs_survey(&restore) => return Ok(()),
            Step::Surveying => plan::plan(draft, &restore, &[]),
            Step::Planning if restore.hooks.result(Stage::Pre).is_none() => {
                if !before(draft, &restore) {
                    return Ok(());
                }
            }
            Step::Planning => work(draft, &restore),
            Step::Working if !restore.is_work_over() => return Ok(()),
            Step::Working | Step::Closing => {
                if after(draft, &restore) {
                    close(draft, uid)?;
                }
                return Ok(());
            }
        }
    }
}

/// Hooks before the work; false while one of them is under way.
fn before(draft: &mut Draft<'_>, restore: &Restore) -> bool {
    let uid = restore.uid;
    match next(&restore.spec.pre_hooks, Stage::Pre, &restore.hooks, true) {
        Next::Wait => return false,
        Next::Start(run) => {
            draft.emit(Event::HookStarted { uid, run });
            return false;
        }
        Next::Finished(_) if restore.spec.pre_hooks.is_empty() => work(draft, restore),
        Next::Finished(outcome) => {
            draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome });
        }
    }
    true
}

fn work(draft: &mut Draft<'_>, restore: &Restore) {
    for known in &restore.components {
        let component = known.component.name.clone();
        draft.emit(Event::AttemptStarted { uid: restore.uid, component, number: 1 });
    }
}

/// Hooks after the work; true once all that had to run are through.
fn after(draft: &mut Draft<'_>, restore: &Restore) -> bool {
    let uid = restore.uid;
    if restore.hooks.result(Stage::Post).is_some() {
        return true;
    }
    let pre_failed = matches!(restore.hooks.result(Stage::Pre), Some(Outcome::Failed(_)));
    let given_up = restore.conditions.is_true(Type::RestoreIncomplete);
    let succeeded = restore.has_work_succeeded() && !pre_failed && !given_up;
    match next(&restore.spec.post_hooks, Stage::Post, &restore.hooks, succeeded) {
        Next::Wait => false,
        Next::Start(run) => {
            draft.emit(Event::HookStarted { uid, run });
            false
        }
        Next::Finished(outcome) => {
            if restore.hooks.tries.iter().any(|known| known.run.stage == Stage::Post) {
                draft.emit(Event::HooksFinished { uid, stage: Stage::Post, outcome });
            }
            true
        }
    }
}

fn close(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if !restore.conditions.has(Type::RestoreExecutorEnsured) {
        let message = "the restore ended before every component had a worker".to_string();
        draft.emit(Event::ExecutorNotEnsured { uid, message });
    }
    let ended = restore.components.iter().filter(|c| c.outcome.is_some()).count();
    let all = u32::try_from(ended).is_ok_and(|n| n > 0 && n == restore.total_components);
    if !all && !restore.conditions.has(Type::RestoreIncomplete) {
        let message = "the restore ended before all of its components did".to_string();
        draft.emit(Event::Incomplete { uid, message });
    }
    draft.emit(Event::MetricsPushed { uid });
    let held = draft.configurations().filter(|c| c.paused_by.contains(&uid));
    let held: Vec<Uid> = held.map(|configuration| configuration.uid).collect();
    for configuration in &held {
        let uid = *configuration;
        draft.emit(configuration::Event::ResumedAfterRestore { uid, restore: restore.uid });
    }
    if restore.cancelled == Some(StopCause::Deleted) {
        draft.emit(Event::Archived { uid });
    }
    after_end(draft, &restore, &held);
    Ok(())
}

/// What waited for the end of this restore: first backups of what it held, and the deletion of what it
/// read from.
fn after_end(draft: &mut Draft<'_>, restore: &Restore, held: &[Uid]) {
    for configuration in held {
        configuration::decide::trigger_initial_backups(draft, *configuration);
    }
    let snapshot = restore.snapshot.and_then(|uid| draft.snapshot(uid));
    let repository = snapshot.and_then(|snapshot| draft.repository(snapshot.repository));
    if let Some(owner) = repository.map(|repository| repository.configuration) {
        configuration::decide::finish_deletion(draft, owner);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::*;
    use crate::configuration::Command as App;
    use crate::hook::{Executor, HookSpec, Policy};
    use crate::restore::Command;
    use crate::restore::phase::{Phase, phase};
    use crate::run::Command as Run;
    use crate::storage::DeletionPolicy;
    use crate::testing::given;
    use crate::testing::world::{APP, BACK, World, named};

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
        world.ask(Command::Declare {
            uid: other,
            key: given::key("other"),
            generation: 1,
            hash: given::hash(1),
            spec: given::restore(&["pod-1"]),
        });
        world.reported(BACK, "pod-0");
        assert!(world.state.configurations[&APP].is_paused());
        assert_eq!(world.state.configurations[&APP].resumed_at, None);
        world.surveyed(other, 2);
        world.reported(other, "pod-1");
        assert!(!world.state.configurations[&APP].is_paused());
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
