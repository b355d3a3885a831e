//! The target's hosts are known, or cannot be.

use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Uid};
use crate::rejection::Rejection;
use crate::restore::Event;
use crate::survey::Survey;

use super::{advance, get, plan};

pub(super) fn decide(
    draft: &mut Draft<'_>,
    uid: Uid,
    effect: EffectId,
    survey: &Survey,
) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    draft.expect(effect, "survey", |once| *once == Once::Survey { session: uid })?;
    draft.settle(effect);
    match survey {
        Survey::Found { hosts } => plan::plan(draft, &restore, hosts),
        Survey::Failed(failure) => {
            let message = failure.message.clone();
            draft.emit(Event::TargetNotFound { uid, message: message.clone() });
            draft.emit(Event::ExecutorNotEnsured { uid, message });
        }
    }
    advance::advance(draft, uid)
}
