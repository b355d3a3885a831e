//! Folds bindings.

use crate::binding::{Event, Made};
use crate::event::{self, StreamKind};
use crate::ids::Uid;
use crate::schedule;
use crate::state::State;

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) {
    match event {
        Event::Bound { made, live } => {
            state.bound.insert(made.clone(), *live);
        }
        Event::Missed { made, .. } => {
            state.bound.remove(made);
        }
    }
}

/// What was made for an object leaves the state with it.
pub(crate) fn forget(state: &mut State, event: &event::Event) {
    if event.ends_stream() {
        let stream = event.stream();
        forget_all(state, stream.kind, stream.uid);
    } else if let event::Event::Schedule(schedule::Event::Withdrawn { configuration, session }) =
        event
    {
        state.bound.remove(&Made::trigger(*configuration, session));
    }
}

fn forget_all(state: &mut State, kind: StreamKind, uid: Uid) {
    let first = Made::whole(kind, uid);
    let gone = state.bound.range(first..).map(|(made, _)| made);
    let gone: alloc::vec::Vec<Made> =
        gone.take_while(|made| (made.kind, made.uid) == (kind, uid)).cloned().collect();
    for made in gone {
        state.bound.remove(&made);
    }
}
