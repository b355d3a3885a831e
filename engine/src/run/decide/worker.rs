//! A worker exists, cannot exist, reports, or is gone without a report.

use alloc::format;

use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::Attempt;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::run::component::{self, ComponentState};
use crate::run::decide::{advance, end};
use crate::run::session::{self, Session};
use crate::run::{Event, Report, Worker};
use crate::time::Millis;

/// The component of an attempt, while the attempt is the current one.
fn current<'s>(
    session: &'s dyn Session,
    attempt: &Attempt,
) -> Result<&'s ComponentState, Rejection> {
    component::current(session.key(), &session.run().components, attempt)
}

/// A worker exists for the attempt; of one that is superseded nobody takes notice.
pub(crate) fn started(
    draft: &mut Draft,
    attempt: &Attempt,
    worker: Worker,
) -> Result<(), Rejection> {
    let Some(session) = session::get(draft, attempt.session) else { return Ok(()) };
    let Ok(component) = current(&*session, attempt) else { return Ok(()) };
    if component.worker.is_none() {
        observe(draft, &*session, attempt, worker);
    }
    advance(draft, attempt.session);
    Ok(())
}

fn observe(draft: &mut Draft, session: &dyn Session, attempt: &Attempt, worker: Worker) {
    let Attempt { session: uid, component, number } = attempt.clone();
    draft.emit(session.says(Event::WorkerObserved { uid, component, number, worker }));
}

/// No worker could be made for the attempt, as far as whoever tried can tell: an answer may have been lost, and
/// a later try may have failed beside what the first one left. So whatever there is of it is stopped, whoever
/// still waits for it.
pub(crate) fn not_started(
    draft: &mut Draft,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    draft.request(Once::StopWorker { attempt: attempt.clone() });
    let Some(session) = session::get(draft, attempt.session) else { return Ok(()) };
    if current(&*session, attempt).is_err() {
        return Ok(());
    }
    let uid = attempt.session;
    if !session.run().conditions.is_false(session.words().executor) {
        let message = format!("component {}: {}", attempt.component, failure.message);
        draft.emit(session.says(Event::ExecutorNotEnsured { uid, message }));
    }
    unreported(draft, &*session, attempt, Outcome::Failed(failure.clone()), Millis(0));
    advance(draft, uid);
    Ok(())
}

/// The worker's own report.
pub(super) fn reported(
    draft: &mut Draft,
    attempt: &Attempt,
    given: Worker,
    report: &Report,
) -> Result<(), Rejection> {
    let uid = attempt.session;
    let session = session::known(draft, uid)?;
    let known = current(&*session, attempt)?.worker;
    if known.is_some_and(|recorded| !recorded.is(given)) {
        return Err(Rejection::conflict(session.key(), "the report is of another worker"));
    }
    settle_start(draft, attempt);
    if known.is_none() {
        observe(draft, &*session, attempt, given);
    }
    let verdict = session.report(draft, attempt, report)?;
    let Attempt { component, number, .. } = attempt.clone();
    let late = session.run().deadline.is_some_and(|deadline| verdict.ended > deadline);
    let (outcome, duration) = (in_time(late, verdict.outcome), verdict.duration);
    draft.emit(session.says(Event::ComponentEnded {
        uid,
        component,
        number,
        outcome,
        duration,
        reported: true,
    }));
    if late {
        // The others are late as well.
        end::time_out(draft, uid);
    }
    advance(draft, uid);
    Ok(())
}

/// Whoever reports or is gone has been started, whatever became of that answer.
fn settle_start(draft: &mut Draft, attempt: &Attempt) {
    let asked = Once::StartWorker { attempt: attempt.clone() };
    for effect in draft.effects(|once| *once == asked) {
        draft.settle(effect);
    }
}

/// What ended after the deadline has not succeeded.
fn in_time(late: bool, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Succeeded if late => {
            let message = "the worker ended after the session's deadline";
            Outcome::Failed(Failure::passing("DeadlineExceeded", message))
        }
        outcome => outcome,
    }
}

/// The worker ended without a report.
pub(super) fn vanished(
    draft: &mut Draft,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    let session = session::known(draft, attempt.session)?;
    let duration = current(&*session, attempt)?.worked(draft.at());
    settle_start(draft, attempt);
    unreported(draft, &*session, attempt, Outcome::Failed(failure.clone()), duration);
    advance(draft, attempt.session);
    Ok(())
}

/// The component ended, and its worker did not say so.
pub(super) fn unreported(
    draft: &mut Draft,
    session: &dyn Session,
    attempt: &Attempt,
    outcome: Outcome,
    duration: Millis,
) {
    let Attempt { session: uid, component, number } = attempt.clone();
    draft.emit(session.says(Event::ComponentEnded {
        uid,
        component,
        number,
        outcome,
        duration,
        reported: false,
    }));
}

#[cfg(test)]
mod backups {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, phase};
    use crate::condition::Type;
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
    fn what_may_have_been_started_although_that_failed_is_stopped() {
        let mut world = World::ready();
        let session = world.working(1);
        world.not_started(session, "pod-0");
        world.effect(&stop_of(session));
        // Also for a session that is over, or gone.
        let mut world = World::ready();
        let session = world.working(1);
        let start = world.effect(&Once::StartWorker { attempt: attempt(session, "pod-0") });
        world.state.backups.remove(&session);
        let answer = crate::outbox::Answer::Failed(crate::testing::failure("Timeout"));
        world.ask(crate::outbox::Command::Answer { effect: start, answer });
        world.effect(&stop_of(session));
    }

    fn stop_of(session: crate::ids::Uid) -> Once {
        Once::StopWorker { attempt: attempt(session, "pod-0") }
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

#[cfg(test)]
mod restores {
    use super::*;
    use crate::condition::Type;
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
            "done restore.WorkerObserved restore.ComponentEnded restore.Incomplete \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn a_worker_that_is_gone_fails_its_component_with_the_time_that_it_had() {
        let mut world = working(&[]);
        world.started(BACK, "pod-0");
        world.pass(MINUTE);
        assert_eq!(world.vanished(BACK, "pod-0"), "restore.ComponentEnded");
        assert_eq!(world.back().components[0].duration, Millis(MINUTE));
        // One whose start nobody has answered yet.
        assert_eq!(
            world.vanished(BACK, "pod-1"),
            "done restore.ComponentEnded restore.Incomplete restore.ExecutorNotEnsured \
             restore.MetricsPushed configuration.ResumedAfterRestore"
        );
        let facts = &world.back().conditions;
        let said = &facts.get(Type::RestoreIncomplete).unwrap().message;
        assert_eq!(said, "component pod-0: it went wrong");
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
