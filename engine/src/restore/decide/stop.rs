//! A restore ends before its work does: somebody stops it, or its time is up.

use alloc::format;
use alloc::string::{String, ToString};

use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::hook::run::{interrupted, patience};
use crate::ids::Uid;
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::time::{Millis, Timestamp};

use super::{advance, get};

pub(super) fn cancel(draft: &mut Draft<'_>, uid: Uid, reason: &str) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if !restore.is_going() || restore.is_work_over() {
        return Err(Rejection::conflict(&restore.key, "nothing is left to stop"));
    }
    draft.emit(Event::Cancelled { uid, reason: reason.to_string() });
    let message = format!("the restore was stopped: {reason}");
    give_up(draft, &restore, "Cancelled", message)
}

/// When something about a restore expires; the wake-up of [`crate::deadline`].
pub(crate) fn expiry(restore: &Restore) -> Option<Timestamp> {
    match restore.step {
        Step::Declared | Step::Finished => None,
        _ => match restore.work_ended_at {
            None => restore.deadline,
            Some(ended) => Some(ended.plus(closing_time(restore))),
        },
    }
}

/// How long closing may take: its own time, and that of the hooks that still run.
fn closing_time(restore: &Restore) -> Millis {
    let late = restore.conditions.is_true(Type::DeadlineExceeded);
    let hooks = if late { Millis(0) } else { patience(&restore.spec.post_hooks) };
    Millis(limits::CLOSING_MILLIS.0.saturating_add(hooks.0))
}

pub(super) fn expire(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if expiry(&restore).is_none_or(|when| when > draft.at()) {
        return Err(Rejection::conflict(&restore.key, "its time is not up"));
    }
    if restore.work_ended_at.is_none() {
        return exceed(draft, &restore);
    }
    if !restore.conditions.is_true(Type::DeadlineExceeded) {
        draft.emit(Event::DeadlineExceeded { uid });
    }
    force(draft, &restore)
}

/// Ends the hook that closing still waits for, and its stage, as failed: nobody answered in time.
fn force(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    let uid = restore.uid;
    let message = "nobody answered in time";
    let failure =
        Failure { reason: "NoAnswer".to_string(), message: message.to_string(), permanent: false };
    if let Some(run) = restore.hooks.open() {
        for effect in draft.effects(|once| *once == Once::RunHook { session: uid, run }) {
            draft.give_up(effect, message);
        }
        draft.emit(Event::HookEnded { uid, run, outcome: Outcome::Failed(failure.clone()) });
        let outcome = Outcome::Failed(failure);
        draft.emit(Event::HooksFinished { uid, stage: Stage::Post, outcome });
    }
    advance::advance(draft, uid)
}

/// Its time is up.
pub(super) fn exceed(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    draft.emit(Event::DeadlineExceeded { uid: restore.uid });
    let message = "the restore did not end within restoreTimeout".to_string();
    give_up(draft, restore, "DeadlineExceeded", message)
}

/// Ends on record what is under way; hooks after the work still run, one of them may thaw what a hook
/// before it froze.
fn give_up(
    draft: &mut Draft<'_>,
    restore: &Restore,
    reason: &str,
    message: String,
) -> Result<(), Rejection> {
    let uid = restore.uid;
    let obsolete = |once: &Once| match once {
        Once::Survey { session } => *session == uid,
        Once::RunHook { session, run } => *session == uid && run.stage == Stage::Pre,
        Once::StartWorker { attempt } => attempt.session == uid,
        _ => false,
    };
    for effect in draft.effects(obsolete) {
        draft.give_up(effect, message.clone());
    }
    let failure = Failure { reason: reason.to_string(), message: message.clone(), permanent: true };
    if let Some(run) = restore.hooks.open().filter(|run| run.stage == Stage::Pre) {
        draft.emit(Event::HookEnded { uid, run, outcome: Outcome::Failed(interrupted()) });
        let outcome = Outcome::Failed(failure.clone());
        draft.emit(Event::HooksFinished { uid, stage: Stage::Pre, outcome });
    }
    for known in restore.components.iter().filter(|c| c.attempt > 0 && c.outcome.is_none()) {
        draft.emit(Event::ComponentEnded {
            uid,
            component: known.component.name.clone(),
            number: known.attempt,
            outcome: Outcome::Failed(failure.clone()),
            duration: known.started_at.map_or(Millis(0), |start| draft.at().since(start)),
        });
    }
    if get(draft, uid)?.step == Step::Closing && !restore.conditions.has(Type::RestoreIncomplete) {
        draft.emit(Event::Incomplete { uid, message });
    }
    advance::advance(draft, uid)
}
