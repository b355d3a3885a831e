//! What becomes of workers: there, not there, reporting, gone.

use alloc::format;

use crate::backup::Worker;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Attempt, EffectId};
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::RestoreReport;
use crate::restore::Event;
use crate::restore::state::ComponentState;
use crate::time::Millis;

use super::{advance, get, stop};

pub(super) fn started(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    effect: EffectId,
    worker: Worker,
) -> Result<(), Rejection> {
    expect_start(draft, attempt, effect)?;
    draft.settle(effect);
    if current(draft, attempt).is_ok() {
        observe(draft, attempt, worker)?;
    }
    Ok(())
}

pub(super) fn not_started(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    effect: EffectId,
    failure: &Failure,
) -> Result<(), Rejection> {
    expect_start(draft, attempt, effect)?;
    current(draft, attempt)?;
    draft.settle(effect);
    let (uid, message) = (attempt.session, failure.message.clone());
    draft.emit(Event::ExecutorNotEnsured { uid, message });
    end(draft, attempt, Outcome::Failed(failure.clone()), Millis(0));
    advance::advance(draft, uid)
}

pub(super) fn reported(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    worker: Worker,
    report: &RestoreReport,
) -> Result<(), Rejection> {
    let known = current(draft, attempt)?;
    if known.worker.is_some_and(|known| !known.is(worker)) {
        return Err(Rejection::conflict(&attempt.component, "another worker has this attempt"));
    }
    settle_start(draft, attempt);
    observe(draft, attempt, worker)?;
    let outcome = report.failure.clone().map_or(Outcome::Succeeded, Outcome::Failed);
    end(draft, attempt, outcome, report.duration);
    let restore = get(draft, attempt.session)?;
    if restore.deadline.is_some_and(|deadline| report.ended > deadline) {
        return stop::exceed(draft, &restore);
    }
    advance::advance(draft, attempt.session)
}

pub(super) fn vanished(
    draft: &mut Draft<'_>,
    attempt: &Attempt,
    failure: &Failure,
) -> Result<(), Rejection> {
    let known = current(draft, attempt)?;
    settle_start(draft, attempt);
    let uid = attempt.session;
    let duration = known.started_at.map_or(Millis(0), |start| draft.at().since(start));
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
    let known = restore.component(&attempt.component);
    let known = known.ok_or_else(|| Rejection::never(&attempt.component, "no such component"))?;
    if known.attempt != attempt.number || known.outcome.is_some() {
        let number = attempt.number;
        return Err(Rejection::conflict(
            &attempt.component,
            format!("attempt {number} is over; the component is at attempt {}", known.attempt),
        ));
    }
    Ok(known.clone())
}

fn expect_start(draft: &Draft<'_>, attempt: &Attempt, effect: EffectId) -> Result<(), Rejection> {
    let wanted = Once::StartWorker { attempt: attempt.clone() };
    draft.expect(effect, "worker", |once| *once == wanted)
}

/// A worker that reports has been started, whoever says so first.
fn settle_start(draft: &mut Draft<'_>, attempt: &Attempt) {
    let wanted = Once::StartWorker { attempt: attempt.clone() };
    for effect in draft.effects(|once| *once == wanted) {
        draft.settle(effect);
    }
}

fn observe(draft: &mut Draft<'_>, attempt: &Attempt, worker: Worker) -> Result<(), Rejection> {
    let uid = attempt.session;
    if current(draft, attempt)?.worker.is_none() {
        let (component, number) = (attempt.component.clone(), attempt.number);
        draft.emit(Event::WorkerObserved { uid, component, number, worker });
    }
    let restore = get(draft, uid)?;
    let all = restore.components.iter().all(|known| known.worker.is_some());
    if all && !restore.conditions.has(Type::RestoreExecutorEnsured) {
        draft.emit(Event::ExecutorEnsured { uid });
    }
    Ok(())
}

fn end(draft: &mut Draft<'_>, attempt: &Attempt, outcome: Outcome, duration: Millis) {
    let Attempt { session: uid, component, number } = attempt.clone();
    draft.emit(Event::ComponentEnded { uid, component, number, outcome, duration });
}
