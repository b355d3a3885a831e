//! A session is stopped, or its time is up.

use crate::backup::Event;
use crate::backup::decide::advance::{advance, force};
use crate::backup::decide::{known, open, result};
use crate::backup::phase::Step;
use crate::backup::state::Backup;
use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::ids::{Attempt, Uid};
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::time::{Millis, Timestamp};

pub(crate) fn cancel(draft: &mut Draft, uid: Uid, reason: &str) -> Result<(), Rejection> {
    let backup = known(draft, uid)?;
    if backup.is_finished() || backup.is_work_over() {
        return Err(Rejection::conflict(&backup.key, "nothing is left to stop"));
    }
    stop(draft, uid, reason);
    Ok(())
}

/// Stops a session that has work left; one that waits is skipped, one that ends anyway is let be.
pub(crate) fn stop(draft: &mut Draft, uid: Uid, reason: &str) {
    let Some(backup) = draft.backup(uid) else { return };
    if !backup.is_going() {
        if !backup.is_finished() {
            open::skip(draft, uid, reason.into());
        }
        return;
    }
    if backup.is_work_over() {
        return;
    }
    draft.emit(Event::Cancelled { uid, reason: reason.into() });
    give_up_work(draft, uid, &result::failure("Cancelled", reason));
}

/// When something about a session expires; the wake-up of [`crate::deadline`].
pub(crate) fn expiry(backup: &Backup) -> Option<Timestamp> {
    match backup.step {
        Step::Created | Step::Skipped | Step::Finished => None,
        Step::Queued => backup.until,
        _ => match backup.work_ended_at {
            None => backup.deadline,
            Some(ended) => Some(ended.plus(closing_time(backup))),
        },
    }
}

/// How long closing may take: its own time, and that of the hooks that still run.
fn closing_time(backup: &Backup) -> Millis {
    if backup.conditions.is_true(Type::DeadlineExceeded) {
        return limits::CLOSING_MILLIS;
    }
    let hooks = backup.plan.iter().flat_map(|plan| &plan.spec.post_hooks);
    let hooks = hooks.map(|hook| {
        let one = hook.timeout.unwrap_or(limits::HOOK_DEFAULT_MILLIS).0;
        one.saturating_mul(u64::from(hook.max_retry).saturating_add(1))
    });
    Millis(hooks.fold(limits::CLOSING_MILLIS.0, u64::saturating_add))
}

pub(crate) fn expire(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let backup = known(draft, uid)?.clone();
    let due = expiry(&backup).is_some_and(|when| when <= draft.at());
    if !due {
        return Err(Rejection::conflict(&backup.key, "its time is not up"));
    }
    if backup.step == Step::Queued {
        open::skip(draft, uid, "another session of the configuration took too long".into());
        return Ok(());
    }
    if backup.work_ended_at.is_none() {
        time_out(draft, uid);
        return Ok(());
    }
    if !backup.conditions.is_true(Type::DeadlineExceeded) {
        draft.emit(Event::DeadlineExceeded { uid });
    }
    force(draft, uid, "nobody answered in time");
    Ok(())
}

/// Its deadline passed while work was left.
pub(crate) fn time_out(draft: &mut Draft, uid: Uid) {
    draft.emit(Event::DeadlineExceeded { uid });
    give_up_work(draft, uid, &result::failure("DeadlineExceeded", "its deadline passed"));
}

/// Ends everything that is under way, on record; workers are stopped by the event before.
fn give_up_work(draft: &mut Draft, uid: Uid, failure: &Failure) {
    let asked = draft.effects(|once| match once {
        Once::Survey { session } | Once::RunHook { session, .. } => *session == uid,
        Once::StartWorker { attempt } => attempt.session == uid,
        _ => false,
    });
    for effect in asked {
        draft.give_up(effect, failure.message.clone());
    }
    let Some(backup) = draft.backup(uid).cloned() else { return };
    let failed = || Outcome::Failed(failure.clone());
    if let Some(run) = backup.hooks.open() {
        draft.emit(Event::HookEnded { uid, run, outcome: failed() });
    }
    let began = backup.hooks.tries.iter().any(|known| known.run.stage == Stage::Pre);
    if began && backup.hooks.result(Stage::Pre).is_none() {
        draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome: failed() });
    }
    let running = backup.components.iter().filter(|c| c.attempt > 0 && c.outcome.is_none());
    for component in running {
        let attempt = Attempt {
            session: uid,
            component: component.component.name.clone(),
            number: component.attempt,
        };
        let duration = draft.at().since(component.started_at.unwrap_or(draft.at()));
        super::worker::end(draft, &attempt, failed(), duration);
    }
    advance(draft, uid);
}
