//! A worker exists, cannot exist, or is gone without a report.

use alloc::format;

use crate::backup::decide::{advance, known};
use crate::backup::phase::Step;
use crate::backup::state::ComponentState;
use crate::backup::{Event, Worker};
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{Attempt, EffectId, Uid};
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::time::Millis;

/// The component of an attempt, while the attempt is the current one.
pub(crate) fn current<'d>(
    draft: &'d Draft,
    attempt: &Attempt,
) -> Result<&'d ComponentState, Rejection> {
    let backup = known(draft, attempt.session)?;
    let name = &attempt.component;
    let component = backup
        .component(name)
        .ok_or_else(|| Rejection::conflict(&backup.key, format!("no component {name:?}")))?;
    if component.attempt != attempt.number {
        return Err(Rejection::conflict(
            &backup.key,
            format!("attempt {} at {name} is not attempt {}", attempt.number, component.attempt),
        ));
    }
    if component.outcome.is_some() || backup.step != Step::Working {
        return Err(Rejection::conflict(&backup.key, format!("component {name} has ended")));
    }
    Ok(component)
}

/// Whether a report comes from the worker that was recorded. A pod that was not known yet when the
/// worker was recorded is taken from the report.
pub(crate) fn is_same(known: Worker, given: Worker) -> bool {
    known.job == given.job && (known.pod == Uid::default() || known.pod == given.pod)
}

pub(crate) fn started(
    draft: &mut Draft,
    attempt: &Attempt,
    effect: EffectId,
    worker: Worker,
) -> Result<(), Rejection> {
    let asked = Once::StartWorker { attempt: attempt.clone() };
    draft.expect(effect, "worker", |once| *once == asked)?;
    draft.settle(effect);
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
    effect: EffectId,
    failure: &Failure,
) -> Result<(), Rejection> {
    let asked = Once::StartWorker { attempt: attempt.clone() };
    draft.expect(effect, "worker", |once| *once == asked)?;
    draft.settle(effect);
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
    let duration = draft.at().since(component.started_at.unwrap_or(draft.at()));
    forget_start(draft, attempt);
    end(draft, attempt, Outcome::Failed(failure.clone()), duration);
    advance(draft, attempt.session);
    Ok(())
}

/// Whoever reports or is gone has been started, whatever became of that answer.
pub(crate) fn forget_start(draft: &mut Draft, attempt: &Attempt) {
    let asked = Once::StartWorker { attempt: attempt.clone() };
    for effect in draft.effects(|once| *once == asked) {
        draft.settle(effect);
    }
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
