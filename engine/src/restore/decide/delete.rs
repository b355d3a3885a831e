//! The object is to be deleted: at once when nothing is under way, else after it was stopped.

use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::restore::Event;

use super::{get, stop};

/// Why a restore whose object is being deleted is stopped; its end then also archives it.
pub(super) const DELETED: &str = "its object is being deleted";

pub(super) fn decide(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    match (restore.is_going(), restore.cancelled.as_deref()) {
        (false, _) => draft.emit(Event::Archived { uid }),
        (true, None) => return stop::cancel(draft, uid, DELETED),
        (true, Some(DELETED)) => {}
        // Already being stopped: from now on the end archives it too.
        (true, Some(_)) => draft.emit(Event::Cancelled { uid, reason: DELETED.into() }),
    }
    Ok(())
}
