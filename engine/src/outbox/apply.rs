//! Folds the outbox: outcomes take entries out; [`crate::apply`] puts them in.

use alloc::format;
use alloc::string::String;

use crate::outbox::Event;
use crate::state::State;

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    let (Event::EffectDone { effect } | Event::EffectFailed { effect, .. }) = event;
    match state.outbox.remove(effect) {
        Some(_) => Ok(()),
        None => Err(format!("no effect {effect} in the outbox")),
    }
}
