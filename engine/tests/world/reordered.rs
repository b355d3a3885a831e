//! Decisions whose reactions were done in another manner: rows looked up in another order, a few objects at a
//! time, a few events a step.
//!
//! What is compared is the state that one command leads to, from the same state, when nothing of it waits any
//! more: by induction whole histories agree. Numbers of events are no part of it: a request waits under the
//! number of its event, so the entries of the outbox are compared as what they ask for. Every uid is compared,
//! since uids follow from what they are made for; the commands that go on have the id of the one that they go on
//! with, of which that is a part.

use holdfast_engine::decide::decide_in;
use holdfast_engine::reactions::Manner;
use holdfast_engine::{Command, EffectId, Envelope, Recorded, Rejection, State, apply, reaction};

/// Whether a command leads to the same in a manner that a seed says.
///
/// # Panics
/// When it does not.
pub fn same(state: &State, envelope: &Envelope, seed: u64) {
    let pick = |bits: u32, below: u64| {
        usize::try_from((seed >> bits) % below).expect("it is below a small number")
    };
    let manner = Manner { seed: Some(seed), objects: 1 + pick(8, 3), events: 1 + pick(16, 24) };
    let written = through(state, envelope, &Manner::default());
    let reordered = through(state, envelope, &manner);
    assert_eq!(written, reordered, "{:?} {manner:?}", envelope.command);
}

/// The state after a command and all that it leaves waiting.
fn through(state: &State, envelope: &Envelope, manner: &Manner) -> Result<State, Rejection> {
    let mut state = step(state, envelope, manner)?;
    while !state.waiting.is_empty() {
        let command = Command::Reaction(reaction::Command::Continue);
        let on = Envelope { command, epoch: state.epoch, ..envelope.clone() };
        state = step(&state, &on, manner)?;
    }
    Ok(renumbered(state))
}

fn step(state: &State, envelope: &Envelope, manner: &Manner) -> Result<State, Rejection> {
    let mut state = state.clone();
    for event in decide_in(&state, envelope, manner)? {
        let (seq, cause) = (state.seq + 1, envelope.id);
        let (at, epoch) = (envelope.at, envelope.epoch);
        apply(&mut state, &Recorded { seq, at, cause, epoch, event }).expect("it follows");
    }
    Ok(state)
}

/// The same state with numbers of requests that follow from what stands under them.
fn renumbered(mut state: State) -> State {
    let mut requests: Vec<_> = std::mem::take(&mut state.outbox).into_values().collect();
    requests.sort_by_cached_key(|once| format!("{once:?}"));
    state.outbox = (1..).map(EffectId).zip(requests).collect();
    state.seq = 0;
    state
}
