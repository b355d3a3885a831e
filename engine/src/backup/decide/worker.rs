//! A worker exists, cannot exist, or is gone without a report.

use alloc::format;

use crate::backup::decide::{advance, known};
use crate::backup::{Event, Worker};
use crate::condition::Type;
use crate::draft::Draft;
use crate::ids::Attempt;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::time::Millis;
use crate::work::{self, ComponentState};

/// The component of an attempt, while the attempt is the current one.
pub(crate) fn current<'d>(
    draft: &'d Draft,
    attempt: &Attempt,
) -> Result<&'d ComponentState, Rejection> {
    let backup = known(draft, attempt.session)?;
    work::current(&backup.key, &backup.components, attempt)
}

pub(crate) fn started(
    draft: &mut Draft,
    attempt: &Attempt,
    worker: Worker,
) -> Result<(), Rejection> {
    let Ok(component) = current(draft, attempt) else { return Ok(()) };
    if component.worker.is_none() {
        observe(draft, attempt, worker);
    }
    advance(draft, attempt.session);
    Ok(())
}

pub(crate) fn observe(draft: &mut Draft, attempt: &Attempt, worker: Worker) {
    draft.emit(Event::WorkerObserved {
        uid: attempt.session,
        component: attempt.component.clone(),
        number: attempt.number,
        worker,
    });
}

pub(crate) fn not_started(
    draft: &mut Draft,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    if current(draft, attempt).is_err() {
        return Ok(());
    }
    let uid = attempt.session;
    let message = format!("component {}: {}", attempt.component, failure.message);
    if !known(draft, uid)?.conditions.is_false(Type::BackupExecutorEnsured) {
        draft.emit(Event::ExecutorNotEnsured { uid, message });
    }
    end(draft, attempt, Outcome::Failed(failure.clone()), Millis(0));
    advance(draft, uid);
    Ok(())
}

pub(crate) fn vanished(
    draft: &mut Draft,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    let component = current(draft, attempt)?;
    let duration = component.worked(draft.at());
    work::settle_start(draft, attempt);
    end(draft, attempt, Outcome::Failed(failure.clone()), duration);
    advance(draft, attempt.session);
    Ok(())
}

pub(crate) fn end(draft: &mut Draft, attempt: &Attempt, outcome: Outcome, duration: Millis) {
    draft.emit(Event::ComponentEnded {
        uid: attempt.session,
        component: attempt.component.clone(),
        number: attempt.number,
        outcome,
        duration,
    });
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::effect::Once;
    use crate::run::Command as Run;
    use crate::testing::given;
    use crate::testing::world::{MINUTE, World, attempt, named, worker};

    const NAME: &str = "demo/app-nightly-1700438400";

    fn gone(attempt: Attempt) -> Run {
        Run::WorkerVanished { attempt, failure: crate::testing::failure("Evicted") }
    }

    #[test]
    fn a_worker_is_recorded_once_and_all_of_them_are_a_fact() {
        let mut world = World::ready();
        let session = world.working(2);
        assert_eq!(world.started(session, "pod-0"), "done backup.WorkerObserved");
        assert_eq!(
            world.started(session, "pod-1"),
            "done backup.WorkerObserved backup.ExecutorEnsured"
        );
        assert_eq!(world.backup(session).components[0].worker, Some(worker()));
        assert!(world.backup(session).conditions.is_true(Type::BackupExecutorEnsured));
    }

    #[test]
    fn a_worker_that_never_comes_fails_its_component_and_the_others_go_on() {
        let mut world = World::ready();
        let session = world.working(2);
        assert_eq!(
            world.not_started(session, "pod-0"),
            "given-up backup.ExecutorNotEnsured backup.ComponentEnded"
        );
        let facts = &world.backup(session).conditions;
        let said = &facts.get(Type::BackupExecutorEnsured).unwrap().message;
        assert_eq!(said, "component pod-0: it went wrong");
        assert_eq!(
            world.not_started(session, "pod-1"),
            "given-up backup.ComponentEnded snapshot.Incomplete",
            "the fact was stated before"
        );
        world.closed();
        assert_eq!(phase(world.backup(session)), Phase::Failed);
    }

    #[test]
    fn a_worker_that_is_gone_fails_its_component_with_the_time_that_it_had() {
        let mut world = World::ready();
        let session = world.working(2);
        world.started(session, "pod-0");
        world.pass(MINUTE);
        assert_eq!(world.vanished(session, "pod-0"), "backup.ComponentEnded");
        assert_eq!(world.backup(session).components[0].duration, Millis(MINUTE));
        // One whose start nobody has answered yet.
        assert_eq!(
            world.vanished(session, "pod-1"),
            "done backup.ComponentEnded snapshot.Incomplete backup.ExecutorNotEnsured"
        );
        assert_eq!(world.outbox().len(), 1, "only the description is waited for");
    }

    #[test]
    fn only_the_current_attempt_counts() {
        let mut world = World::ready();
        let session = world.working(1);
        let asked = attempt(session, "pod-0");
        for (attempt, refused) in [
            (attempt(named("x"), "pod-0"), Rejection::conflict(named("x"), "no such session")),
            (attempt(session, "pod-9"), Rejection::conflict(NAME, "no component \"pod-9\"")),
            (
                Attempt { number: 2, ..asked.clone() },
                Rejection::conflict(NAME, "attempt 2 at pod-0 is not attempt 1"),
            ),
            (
                Attempt { number: 0, ..asked.clone() },
                Rejection::conflict(NAME, "attempt 0 at pod-0 is not attempt 1"),
            ),
        ] {
            assert_eq!(world.refused(gone(attempt)), refused);
        }
        world.ask(gone(asked.clone()));
        assert_eq!(
            world.refused(gone(asked)),
            Rejection::conflict(NAME, "component pod-0 has ended")
        );
    }

    #[test]
    fn after_a_stop_no_worker_counts_and_none_is_asked_for() {
        let mut world = World::ready();
        let session = world.working(1);
        let asked = attempt(session, "pod-0");
        let start = Once::StartWorker { attempt: asked.clone() };
        world.effect(&start);
        world.ask(Run::Cancel { session, cause: "no".into() });
        assert!(world.find(|once| *once == start).is_none());
        world.effect(&Once::StopWorker { attempt: asked.clone() });
        assert_eq!(
            world.refused(gone(asked)),
            Rejection::conflict(NAME, "component pod-0 has ended")
        );
    }

    #[test]
    fn before_the_hooks_are_through_there_is_no_attempt() {
        let mut spec = given::session("nightly");
        spec.pre_hooks = vec![given::hook("freeze")];
        let mut world = World::with(vec![spec]);
        let session = world.working(1);
        assert_eq!(
            world.refused(gone(attempt(session, "pod-0"))),
            Rejection::conflict(NAME, "attempt 1 at pod-0 is not attempt 0")
        );
    }
}
