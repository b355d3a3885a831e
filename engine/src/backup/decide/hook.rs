//! A try of a hook ended.

use crate::backup::Event;
use crate::backup::decide::{advance, known};
use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Run;
use crate::ids::{EffectId, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;

pub(crate) fn decide(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    run: Run,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    draft.expect(effect, "hook", |once| *once == Once::RunHook { session: uid, run })?;
    known(draft, uid)?;
    draft.settle(effect);
    draft.emit(Event::HookEnded { uid, run, outcome: outcome.clone() });
    advance(draft, uid);
    Ok(())
}
