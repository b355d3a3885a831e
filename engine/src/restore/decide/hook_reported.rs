//! A try of a hook ended.

use crate::draft::Draft;
use crate::effect::Once;
use crate::hook::Run;
use crate::ids::{EffectId, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::restore::Event;

use super::{advance, get};

pub(super) fn decide(
    draft: &mut Draft<'_>,
    uid: Uid,
    effect: EffectId,
    run: Run,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    get(draft, uid)?;
    draft.expect(effect, "hook", |once| *once == Once::RunHook { session: uid, run })?;
    draft.settle(effect);
    draft.emit(Event::HookEnded { uid, run, outcome: outcome.clone() });
    advance::advance(draft, uid)
}
