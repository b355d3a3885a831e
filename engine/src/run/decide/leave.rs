//! When a session whose object is deleted leaves the state.

use crate::draft::Draft;
use crate::ids::Uid;
use crate::run::StopCause;
use crate::run::session;

/// One whose object is being deleted leaves with its end, or with the end of its last worker: until then it says what
/// that may still write to.
pub(crate) fn leave(draft: &mut Draft, uid: Uid) {
    let Some(session) = session::get(draft, uid) else { return };
    let run = session.run();
    let goes = run.is_finished() && run.cancelled == Some(StopCause::Deleted);
    if goes && !draft.is_stopping(uid) {
        draft.emit(session.archived());
    }
}
