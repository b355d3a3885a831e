//! Folds schedules.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use crate::ids::Uid;
use crate::schedule::Event;
use crate::schedule::state::Schedule;
use crate::state::State;

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    match event {
        Event::Declared { configuration, session, version, next } => {
            let schedules = state.schedules.get_or_insert_with(*configuration, BTreeMap::default);
            let schedule = schedules.entry(session.clone()).or_default();
            schedule.version = *version;
            schedule.next.clone_from(next);
        }
        Event::Withdrawn { configuration, session } => {
            get(state, *configuration, session)?;
            if let Some(schedules) = state.schedules.get_mut(configuration) {
                schedules.remove(session);
            }
            if state.schedules.get(configuration).is_some_and(|left| left.is_empty()) {
                state.schedules.remove(configuration);
            }
        }
        Event::SlotTaken { configuration, session, slot, next, .. } => {
            let schedule = get(state, *configuration, session)?;
            schedule.last_slot = schedule.last_slot.max(Some(*slot));
            schedule.next.clone_from(next);
        }
        Event::SlotsMissed { configuration, session, count, .. } => {
            let schedule = get(state, *configuration, session)?;
            schedule.missed = schedule.missed.saturating_add(*count);
        }
    }
    Ok(())
}

fn get<'s>(state: &'s mut State, uid: Uid, session: &str) -> Result<&'s mut Schedule, String> {
    state
        .schedules
        .get_mut(&uid)
        .and_then(|schedules| schedules.get_mut(session))
        .ok_or_else(|| format!("no schedule of session {session:?} of {uid}"))
}
