//! Folds the outbox: requests put entries in, outcomes take them out, nothing else touches it.

use alloc::format;
use alloc::string::String;

use crate::ids::EffectId;
use crate::outbox::Event;
use crate::state::State;

/// Folds one event; `seq` is the record's own.
pub(crate) fn apply(state: &mut State, seq: u64, event: &Event) -> Result<(), String> {
    match event {
        Event::Requested { once } => {
            state.outbox.insert(EffectId(seq), once.clone());
            Ok(())
        }
        Event::EffectDone { effect, subject } | Event::EffectFailed { effect, subject, .. } => {
            match state.outbox.get(effect) {
                Some(once) if once.subject() == *subject => {
                    state.outbox.remove(effect);
                    Ok(())
                }
                Some(_) => Err(format!("effect {effect} is not about {subject}")),
                None => Err(format!("no effect {effect} in the outbox")),
            }
        }
    }
}
