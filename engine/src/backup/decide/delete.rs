//! The object of a session is to be deleted.

use crate::backup::Event;
use crate::backup::decide::{end, finish};
use crate::backup::state::Backup;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(backup) = draft.backup(uid) else { return Ok(()) };
    if backup.is_finished() {
        draft.emit(Event::Archived { uid });
    } else if backup.is_going() && backup.is_work_over() {
        return Err(Rejection::retry(&backup.key, "it is ending"));
    } else {
        end::stop(draft, uid, finish::DELETED);
        if draft.backup(uid).is_some_and(Backup::is_finished) {
            draft.emit(Event::Archived { uid });
        }
    }
    Ok(())
}
