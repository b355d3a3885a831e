//! Folds leadership.

use alloc::format;
use alloc::string::String;

use crate::lease::Event;
use crate::state::State;

/// Folds one event; `epoch` is the record's own.
pub(crate) fn apply(state: &mut State, epoch: u64, event: &Event) -> Result<(), String> {
    match event {
        Event::EpochBegan { .. } if epoch <= state.epoch => {
            Err(format!("epoch {epoch} does not follow epoch {}", state.epoch))
        }
        Event::EpochBegan { holder } => {
            state.epoch = epoch;
            state.leader.clone_from(holder);
            Ok(())
        }
        Event::Configured { references } => {
            state.references = *references;
            Ok(())
        }
        Event::LimitsSet { limits } => {
            state.limits = *limits;
            Ok(())
        }
        Event::LogGapAcknowledged { from, to } => {
            state.gaps.push((*from, *to));
            Ok(())
        }
    }
}
