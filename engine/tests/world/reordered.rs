//! Decisions whose reactions were looked up in another order.
//!
//! What is compared is the state that one command leads to, from the same state: by induction whole histories
//! agree. Numbers of events are no part of it: a request waits under the number of its event, so the entries of
//! the outbox, and reactions that wait, are compared as what they ask for. Every uid is compared, since uids
//! follow from what they are made for.

use holdfast_engine::{EffectId, Envelope, Recorded, State, apply, decide};

/// Whether a command leads to the same with the rows in the order of a seed.
///
/// # Panics
/// When it does not.
pub fn same(state: &State, envelope: &Envelope, seed: u64) {
    let written = decide(state, envelope);
    let permuted = holdfast_engine::decide::permuted(state, envelope, seed);
    match (written, permuted) {
        (Ok(written), Ok(permuted)) => {
            let [written, permuted] = [written, permuted].map(|events| {
                let mut state = state.clone();
                for event in events {
                    let (seq, cause) = (state.seq + 1, envelope.id);
                    let (at, epoch) = (envelope.at, envelope.epoch);
                    let recorded = Recorded { seq, at, cause, epoch, event };
                    apply(&mut state, &recorded).expect("apply accepts what was decided");
                }
                renumbered(state)
            });
            assert_eq!(written, permuted, "{:?}", envelope.command);
        }
        (written, permuted) => assert_eq!(written, permuted, "{:?}", envelope.command),
    }
}

/// The same state with numbers of events that follow from what stands under them.
pub fn renumbered(mut state: State) -> State {
    let mut requests: Vec<_> = std::mem::take(&mut state.outbox).into_values().collect();
    requests.sort_by_cached_key(|once| format!("{once:?}"));
    state.outbox = (1..).map(EffectId).zip(requests).collect();
    let mut waiting: Vec<_> = std::mem::take(&mut state.waiting).into_values().collect();
    waiting.sort_by_cached_key(|reaction| format!("{reaction:?}"));
    state.waiting = (1..).zip(waiting).collect();
    state.seq = 0;
    state
}
