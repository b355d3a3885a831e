//! What becomes of workers: there, not there, reporting, gone.

use alloc::format;

use crate::backup::Worker;
use crate::condition::Type;
use crate::draft::Draft;
use crate::ids::Attempt;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::RestoreReport;
use crate::restore::Event;
use crate::time::Millis;
use crate::work::{self, ComponentState};

use super::{advance, get, stop};

pub(crate) fn started(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    worker: Worker,
) -> Result<(), Rejection> {
    if current(draft, attempt).is_ok() {
        observe(draft, attempt, worker)?;
    }
    Ok(())
}

pub(crate) fn not_started(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    if current(draft, attempt).is_err() {
        return Ok(());
    }
    let (uid, message) = (attempt.session, failure.message.clone());
    draft.emit(Event::ExecutorNotEnsured { uid, message });
    end(draft, attempt, Outcome::Failed(failure.clone()), Millis(0));
    advance::advance(draft, uid)
}

pub(crate) fn reported(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    worker: Worker,
    report: &RestoreReport,
) -> Result<(), Rejection> {
    let known = current(draft, attempt)?;
    if known.worker.is_some_and(|known| !known.is(worker)) {
        let key = get(draft, attempt.session)?.key;
        return Err(Rejection::conflict(key, "the report is of another worker"));
    }
    work::settle_start(draft, attempt);
    observe(draft, attempt, worker)?;
    let outcome = report.failure.clone().map_or(Outcome::Succeeded, Outcome::Failed);
    end(draft, attempt, outcome, report.duration);
    let restore = get(draft, attempt.session)?;
    if restore.deadline.is_some_and(|deadline| report.ended > deadline) {
        return stop::exceed(draft, &restore);
    }
    advance::advance(draft, attempt.session)
}

pub(crate) fn vanished(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    let known = current(draft, attempt)?;
    work::settle_start(draft, attempt);
    let uid = attempt.session;
    let duration = known.worked(draft.at());
    if known.worker.is_none() {
        let message = failure.message.clone();
        draft.emit(Event::ExecutorNotEnsured { uid, message });
    }
    end(draft, attempt, Outcome::Failed(failure.clone()), duration);
    let message = format!("component {}: {}", attempt.component, failure.message);
    draft.emit(Event::Incomplete { uid, message });
    advance::advance(draft, uid)
}

/// The component while this attempt at it is under way.
fn current(draft: &Draft<'_>, attempt: &Attempt) -> Result<ComponentState, Rejection> {
    let restore = get(draft, attempt.session)?;
    work::current(&restore.key, &restore.components, attempt).cloned()
}

fn observe(draft: &mut Draft<'_>, attempt: &Attempt, worker: Worker) -> Result<(), Rejection> {
    let uid = attempt.session;
    if current(draft, attempt)?.worker.is_none() {
        let (component, number) = (attempt.component.clone(), attempt.number);
        draft.emit(Event::WorkerObserved { uid, component, number, worker });
    }
    let restore = get(draft, uid)?;
    let all = work::all_have_workers(&restore.components);
    if all && !restore.conditions.has(Type::RestoreExecutorEnsured) {
        draft.emit(Event::ExecutorEnsured { uid });
    }
    Ok(())
}

pub(crate) fn end(draft: &mut Draft<'_>, attempt: &Attempt, outcome: Outcome, duration: Millis) {
    let Attempt { session: uid, component, number } = attempt.clone();
    draft.emit(Event::ComponentEnded { uid, component, number, outcome, duration });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Once;
    use crate::ids::Uid;
    use crate::outbox::Answer;
    use crate::restore::Spec;
    use crate::restore::phase::{Phase, phase};
    use crate::run::{Command as Run, Report};
    use crate::testing::given;
    use crate::testing::world::{BACK, MINUTE, World, attempt, named, worker};

    fn working(components: &[&str]) -> World {
        let mut world = World::restorable();
        world.restoring(given::restore(components));
        world
    }

    fn gone(attempt: Attempt) -> Run {
        Run::WorkerVanished { attempt, failure: crate::testing::failure("Evicted") }
    }

    fn conflict(reason: &str) -> Rejection {
        Rejection::conflict("demo/back", reason)
    }

    #[test]
    fn a_worker_is_recorded_once_and_all_of_them_are_a_fact() {
        let mut world = working(&[]);
        assert_eq!(world.started(BACK, "pod-0"), "done restore.WorkerObserved");
        assert_eq!(
            world.started(BACK, "pod-1"),
            "done restore.WorkerObserved restore.ExecutorEnsured"
        );
        assert_eq!(world.back().components[0].worker, Some(worker()));
    }

    #[test]
    fn the_last_report_ends_the_restore() {
        let mut world = working(&[]);
        assert_eq!(
            world.reported(BACK, "pod-0"),
            "done restore.WorkerObserved restore.ComponentEnded"
        );
        world.started(BACK, "pod-1");
        assert_eq!(
            world.reported(BACK, "pod-1"),
            "restore.ComponentEnded restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Succeeded);
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn a_worker_that_never_comes_fails_its_component_and_the_others_go_on() {
        let mut world = working(&[]);
        assert_eq!(
            world.not_started(BACK, "pod-0"),
            "given-up restore.ExecutorNotEnsured restore.ComponentEnded"
        );
        assert_eq!(phase(world.back()), Phase::Running);
        assert_eq!(
            world.reported(BACK, "pod-1"),
            "done restore.WorkerObserved restore.ComponentEnded restore.MetricsPushed \
             configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn a_worker_that_is_gone_fails_its_component_with_the_time_that_it_had() {
        let mut world = working(&[]);
        world.started(BACK, "pod-0");
        world.pass(MINUTE);
        assert_eq!(world.vanished(BACK, "pod-0"), "restore.ComponentEnded restore.Incomplete");
        assert_eq!(world.back().components[0].duration, Millis(MINUTE));
        let facts = &world.back().conditions;
        let said = &facts.get(Type::RestoreIncomplete).unwrap().message;
        assert_eq!(said, "component pod-0: it went wrong");
        // One whose start nobody has answered yet.
        assert_eq!(
            world.vanished(BACK, "pod-1"),
            "done restore.ExecutorNotEnsured restore.ComponentEnded restore.Incomplete \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        assert_eq!(world.outbox(), []);
    }

    #[test]
    fn only_the_current_attempt_and_the_known_worker_count() {
        let mut world = working(&["pod-0"]);
        world.started(BACK, "pod-0");
        let asked = attempt(BACK, "pod-0");
        let nobody = named("nobody");
        for (attempt, refused) in [
            (attempt(nobody, "pod-0"), Rejection::conflict(nobody, "no such session")),
            (attempt(BACK, "pod-1"), conflict("no component \"pod-1\"")),
            (
                Attempt { number: 2, ..asked.clone() },
                conflict("attempt 2 at pod-0 is not attempt 1"),
            ),
            (
                Attempt { number: 0, ..asked.clone() },
                conflict("attempt 0 at pod-0 is not attempt 1"),
            ),
        ] {
            assert_eq!(world.refused(gone(attempt)), refused);
        }
        let report = world.restore_report(None);
        for worker in
            [Worker { job: named("other"), ..worker() }, Worker { pod: named("other"), ..worker() }]
        {
            let (attempt, report) = (asked.clone(), report.clone());
            assert_eq!(
                world.refused(Run::WorkerReported {
                    attempt,
                    worker,
                    report: Report::Restore(report)
                }),
                conflict("the report is of another worker")
            );
        }
        world.reported(BACK, "pod-0");
        assert_eq!(world.refused(gone(asked)), conflict("component pod-0 has ended"));
    }

    #[test]
    fn a_pod_that_was_not_seen_is_whoever_reports_from_the_job() {
        let mut world = working(&["pod-0"]);
        let start = Once::StartWorker { attempt: attempt(BACK, "pod-0") };
        let unseen = Worker { pod: Uid::default(), ..worker() };
        world.answer_to(&start, Answer::Worker(unseen));
        world.reported(BACK, "pod-0");
        assert_eq!(phase(world.back()), Phase::Succeeded);
    }

    #[test]
    fn a_failed_report_fails_the_restore_with_its_words() {
        let mut world = working(&["pod-0"]);
        let failure = crate::testing::failure("SnapshotDamaged");
        let report = world.restore_report(Some(failure.clone()));
        let attempt = attempt(BACK, "pod-0");
        world.ask(Run::WorkerReported {
            attempt,
            worker: worker(),
            report: Report::Restore(report),
        });
        assert_eq!(world.back().components[0].outcome, Some(Outcome::Failed(failure)));
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn a_report_is_in_time_when_its_work_ended_at_the_deadline_and_not_later() {
        for (late, expected) in [(0, Phase::Succeeded), (1, Phase::Failed)] {
            let mut world = World::restorable();
            let timeout = Some(Millis(MINUTE));
            world.restoring(Spec { timeout, ..given::restore(&["pod-0"]) });
            world.pass(MINUTE + late);
            let report = world.restore_report(None);
            world.pass(MINUTE);
            let attempt = attempt(BACK, "pod-0");
            world.ask(Run::WorkerReported {
                attempt,
                worker: worker(),
                report: Report::Restore(report),
            });
            assert_eq!(phase(world.back()), expected);
        }
    }
}
