//! Folds what waits.

use alloc::format;
use alloc::string::String;

use crate::reaction::Event;
use crate::state::State;

/// Folds one event; `seq` is the record's own.
pub(crate) fn apply(state: &mut State, seq: u64, event: &Event) -> Result<(), String> {
    match event {
        Event::Postponed { reaction } => {
            state.waiting.insert(seq, reaction.clone());
            Ok(())
        }
        Event::TakenUp { number } => {
            let taken = state.waiting.remove(number);
            taken.map(|_| ()).ok_or_else(|| format!("no reaction waits under {number}"))
        }
    }
}
