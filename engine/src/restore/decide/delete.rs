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
    if !restore.is_going() {
        draft.emit(Event::Archived { uid });
    } else if !restore.is_work_over() {
        return stop::cancel(draft, uid, DELETED);
    } else if restore.cancelled.as_deref() != Some(DELETED) {
        // It ends anyway: from now on the end archives it too.
        draft.emit(Event::Cancelled { uid, reason: DELETED.into() });
    }
    Ok(())
}
