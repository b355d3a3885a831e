//! Folds an event into the state.

use alloc::format;
use alloc::string::String;
use core::mem;

use crate::event::{Event, Recorded};
use crate::state::State;
use crate::{
    backup, binding, configuration, dependency, hook, lease, namespace, outbox, reaction,
    repository, restore, retention, schedule, snapshot, storage,
};

/// An event that cannot follow the state it meets: the log is damaged, or was decided elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} cannot follow: {reason}")]
pub struct Illegal {
    /// Sequence number of the event.
    pub seq: u64,
    /// What does not fit.
    pub reason: String,
}

/// Folds one event into the state. Nothing is derived here: once-effects are events of their own.
///
/// # Errors
/// [`Illegal`] when the event cannot follow; the state is then unchanged.
pub fn apply(state: &mut State, recorded: &Recorded) -> Result<(), Illegal> {
    fold(state, recorded)?;
    let mut index = mem::take(&mut state.index);
    index.follow(state, recorded);
    state.index = index;
    Ok(())
}

/// The same without the sets that follow from the state: for a draft, which holds a part of it.
pub(crate) fn fold(state: &mut State, recorded: &Recorded) -> Result<(), Illegal> {
    if recorded.seq != state.seq + 1 {
        return Err(Illegal {
            seq: recorded.seq,
            reason: format!("the state is at {}", state.seq),
        });
    }
    route(state, recorded).map_err(|reason| Illegal { seq: recorded.seq, reason })?;
    binding::apply::forget(state, &recorded.event);
    state.seq = recorded.seq;
    state.last_at = recorded.at;
    Ok(())
}

fn route(state: &mut State, recorded: &Recorded) -> Result<(), String> {
    let at = recorded.at;
    match &recorded.event {
        Event::Lease(event) => lease::apply::apply(state, recorded.epoch, event),
        Event::Namespace(event) => namespace::apply::apply(state, event),
        Event::Dependency(event) => dependency::apply::apply(state, event),
        Event::Storage(event) => storage::apply::apply(state, at, event),
        Event::Retention(event) => retention::apply::apply(state, event),
        Event::Hook(event) => hook::apply::apply(state, event),
        Event::Configuration(event) => configuration::apply::apply(state, at, event),
        Event::Schedule(event) => schedule::apply::apply(state, event),
        Event::Repository(event) => repository::apply::apply(state, at, event),
        Event::Backup(event) => backup::apply::apply(state, at, event),
        Event::Snapshot(event) => snapshot::apply::apply(state, at, event),
        Event::Restore(event) => restore::apply::apply(state, at, event),
        Event::Outbox(event) => outbox::apply::apply(state, recorded.seq, event),
        Event::Reaction(event) => reaction::apply::apply(state, recorded.seq, event),
        Event::Binding(event) => {
            binding::apply::apply(state, event);
            Ok(())
        }
    }
}
