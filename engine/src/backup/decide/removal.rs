//! A snapshot that retention removes is gone from its repository, or could not be removed.

use crate::backup::decide::{advance, known};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::snapshot;

pub(crate) fn decide(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    snapshot: Uid,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    let asked = Once::RemoveSnapshot { snapshot, by: Some(uid) };
    draft.expect(effect, "removal", |once| *once == asked)?;
    known(draft, uid)?;
    draft.settle(effect);
    match outcome {
        Outcome::Succeeded => {
            snapshot::decide::forget(draft, snapshot, "the snapshot was removed");
        }
        Outcome::Failed(failure) => {
            let message = failure.message.clone();
            draft.emit(snapshot::Event::RemovalFailed { uid: snapshot, message });
        }
    }
    advance(draft, uid);
    Ok(())
}
