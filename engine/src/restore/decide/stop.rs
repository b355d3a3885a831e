//! A restore ends before its work does: somebody stops it, or its time is up.

use alloc::format;
use alloc::string::{String, ToString};

use crate::condition::Type;
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Stage;
use crate::hook::run::interrupted;
use crate::ids::Uid;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::time::Millis;

use super::{advance, get};

pub(super) fn cancel(draft: &mut Draft<'_>, uid: Uid, reason: &str) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if !restore.is_going() || restore.cancelled.is_some() {
        let why = if restore.is_going() { "it is being stopped" } else { "it is not running" };
        return Err(Rejection::conflict(&restore.key, why));
    }
    draft.emit(Event::Cancelled { uid, reason: reason.to_string() });
    let message = format!("the restore was stopped: {reason}");
    give_up(draft, &restore, "Cancelled", message)
}

pub(super) fn expire(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    let passed = restore.deadline.is_some_and(|deadline| deadline <= draft.at());
    let before = restore.conditions.has(Type::DeadlineExceeded);
    if !restore.is_going() || !passed || before {
        return Err(Rejection::conflict(&restore.key, "no deadline has passed"));
    }
    exceed(draft, &restore)
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
