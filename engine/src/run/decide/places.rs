//! Places of workers: whoever's turn it is begins, and whoever finds none says that it waits.
//!
//! This ends every decision that touched a session, so that a place that was given back is taken in the
//! same step.

use crate::draft::Draft;
use crate::hook::Stage;
use crate::ids::Uid;
use crate::limits::STARTS_A_STEP;
use crate::rejection::Rejection;
use crate::run::Event;
use crate::run::decide::advance;
use crate::run::decide::advance::{begin, run_hooks};
use crate::run::phase::Step;
use crate::run::queue::{Line, Standing};
use crate::run::session;
use crate::state::State;

/// Somebody who waits could begin: what one step had to leave to the next.
pub(crate) fn is_anything_free(state: &State) -> bool {
    Line::new(state.index.queue(), state.limits).next().is_some()
}

/// Lets begin who can, beginning with nothing that was changed.
pub(super) fn begin_waiting(draft: &mut Draft) -> Result<(), Rejection> {
    match is_anything_free(draft.base()) {
        true => Ok(()),
        false => Err(Rejection::conflict("queue", "nobody waits for a place that is free")),
    }
}

/// Gives places to whoever's turn it is, given what the decision has changed.
pub(crate) fn fill(draft: &mut Draft, asked: bool) {
    let touched = draft.touched_sessions();
    let limits = draft.base().limits;
    // Under new limits all lanes are new: they are made by the record, and filled by the wake after it.
    if touched.is_empty() && !asked || draft.limits() != limits {
        return;
    }
    let mut line = Line::new(draft.base().index.queue(), limits);
    for uid in touched {
        line.change(uid, standing(draft, uid));
    }
    for _ in 0..STARTS_A_STEP {
        let Some(ticket) = line.next() else { break };
        start(draft, ticket.session, ticket.component);
        line.change(ticket.session, standing(draft, ticket.session));
    }
    for (uid, now) in line.waiting() {
        note(draft, &line, uid, now);
    }
}

fn standing(draft: &Draft, uid: Uid) -> Standing {
    let limits = draft.base().limits;
    session::get(draft, uid).map(|known| Standing::of(&*known, &limits)).unwrap_or_default()
}

fn start(draft: &mut Draft, uid: Uid, component: usize) {
    let Some(session) = session::get(draft, uid) else { return };
    let hooks = session.hooks(Stage::Pre);
    let thawed = session.run().step == Step::Planning && !hooks.is_empty();
    if !thawed {
        begin(draft, &*session, component);
    } else if run_hooks(draft, &*session) {
        advance(draft, uid);
    }
}

/// Says of a session that it waits; once, and not of one whose time is up anyway.
fn note(draft: &mut Draft, line: &Line, uid: Uid, now: &Standing) {
    let Some(session) = session::get(draft, uid) else { return };
    let run = session.run();
    if run.queued.is_some() || run.deadline.is_some_and(|deadline| deadline <= draft.at()) {
        return;
    }
    let lack = now.first().and_then(|lane| line.lack(&session.key().namespace, lane));
    if let Some((lack, limit)) = lack {
        let left = run.deadline.map(|deadline| deadline.since(draft.at()));
        draft.emit(session.says(Event::Queued { uid, lack, limit, left }));
    }
}
