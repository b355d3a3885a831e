//! A configuration exists with this spec.

use alloc::string::String;

use crate::condition::Type;
use crate::configuration::bounds;
use crate::configuration::decide::reconcile;
use crate::configuration::{Event, ScheduleEvaluation, Spec};
use crate::draft::Draft;
use crate::ids::{Hash, Key, Uid};
use crate::limits;
use crate::rejection::Rejection;
use crate::schedule;

/// The object is wrong in itself; facts around it cannot heal it.
pub(crate) const INVALID_SPEC: &str = "InvalidSpec";
/// The object cannot be recorded.
pub(crate) const SPEC_TOO_LARGE: &str = "SpecTooLarge";

/// Which object is declared.
pub(crate) struct Declared<'c> {
    pub uid: Uid,
    pub key: &'c Key,
    pub generation: u64,
    pub hash: Hash,
}

pub(crate) fn decide(
    draft: &mut Draft,
    declared: &Declared,
    spec: &Spec,
    schedules: &[ScheduleEvaluation],
) -> Result<(), Rejection> {
    let uid = declared.uid;
    let known = draft.configuration(uid);
    if known.is_some_and(|known| known.deleting) {
        return Err(Rejection::conflict(declared.key, "it is being deleted"));
    }
    let resumed = known.is_some_and(|known| known.paused && !spec.paused);
    if known.is_some_and(|known| known.hash == declared.hash) {
        return reconcile::decide(draft, uid);
    }
    let too_large = bounds::exceeded(spec);
    emit_spec(draft, declared, spec, too_large.is_some());
    set_schedules(draft, uid, if too_large.is_some() { &[] } else { schedules }, resumed);
    if let Some(message) = too_large {
        fail(draft, uid, SPEC_TOO_LARGE, message);
    } else if let Some(message) = &spec.invalid {
        fail(draft, uid, INVALID_SPEC, message.clone());
    } else {
        reconcile::check(draft, uid, true);
    }
    Ok(())
}

fn emit_spec(draft: &mut Draft, declared: &Declared, spec: &Spec, too_large: bool) {
    let sessions: &[_] = if too_large { &[] } else { &spec.sessions };
    draft.emit(Event::Declared {
        uid: declared.uid,
        key: declared.key.clone(),
        generation: declared.generation,
        hash: declared.hash,
        target: spec.target.clone(),
        backends: spec.backends.iter().take(limits::BACKENDS).cloned().collect(),
        paused: spec.paused,
        allow_partial: spec.allow_partial,
        sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
    });
    for session in sessions {
        draft.emit(Event::SessionDeclared { uid: declared.uid, session: session.clone() });
    }
}

/// A schedule is set anew when its slots differ: a new expression, or slots that passed in a pause.
fn set_schedules(draft: &mut Draft, uid: Uid, schedules: &[ScheduleEvaluation], resumed: bool) {
    for session in draft.scheduled_sessions(uid) {
        if !schedules.iter().any(|schedule| schedule.session == session) {
            draft.emit(schedule::Event::Withdrawn { configuration: uid, session });
        }
    }
    for evaluation in schedules {
        let session = evaluation.session.clone();
        if let Some(message) = &evaluation.error {
            let message: String = alloc::format!("scheduler.schedule: {message}");
            if draft.configuration(uid).is_some_and(|c| c.session(&session).is_some()) {
                draft.emit(Event::SchedulerNotEnsured { uid, session, message });
            }
            continue;
        }
        let known = draft.schedule(uid, &session);
        let next = evaluation.next.iter().take(limits::SLOTS_AHEAD).copied().collect();
        if resumed || known.is_none_or(|known| known.next != next) {
            let version = known.map_or(1, |known| known.version.saturating_add(1));
            draft.emit(schedule::Event::Declared { configuration: uid, session, version, next });
        }
    }
}

fn fail(draft: &mut Draft, uid: Uid, reason: &str, message: String) {
    draft.emit(Event::ValidationFailed { uid, reason: reason.into(), message });
}

/// The object as it was declared is wrong in itself.
pub(crate) fn standing_problem(draft: &Draft, uid: Uid) -> bool {
    let known = draft.configuration(uid);
    let condition = known.and_then(|known| known.conditions.get(Type::ValidationPassed));
    condition.is_some_and(|found| found.reason == INVALID_SPEC || found.reason == SPEC_TOO_LARGE)
}
