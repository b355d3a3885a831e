//! A session as a whole object, as the operator publishes it.

use holdfast_engine::view::catalog::{SessionKind, SessionRow};
use holdfast_engine::view::fold::History;
use holdfast_engine::{Hash, State, StreamKind, view};
use holdfast_eventlog::{Damage, Error, Fault, Reader, Until};
use serde_json::Value;

use crate::translate::kubestash::object;

/// The object of a session at a moment: from the state of that moment, which the operator published it
/// from; of one that was archived by then, as it was published last. Where that cannot be had any more, since
/// the log begins later, it comes from what the events left still say. What its user declared comes from the
/// log's documents.
///
/// # Errors
/// What [`Reader::state_at`] says.
pub fn of(
    reader: &Reader,
    history: &History,
    session: &SessionRow,
    until: Until,
) -> Result<Option<Value>, Error> {
    let Some(left) = history.archived.get(&session.uid) else {
        return Ok(in_state(reader, &reader.state_at(until)?, session));
    };
    match reader.state_at(Until::Seq(left - 1)) {
        Ok(last) => Ok(in_state(reader, &last, session)),
        Err(Error::Damaged(Damage { what: Fault::Checkpoint, .. })) => {
            Ok(in_state(reader, &history.state, session))
        }
        Err(error) => Err(error),
    }
}

fn in_state(reader: &Reader, state: &State, session: &SessionRow) -> Option<Value> {
    let (stream, declared) = match session.kind {
        SessionKind::BackupSession => (StreamKind::Backup, None),
        SessionKind::RestoreSession => {
            let restore = state.restores.get(&session.uid)?;
            (StreamKind::Restore, document(reader, &restore.hash))
        }
    };
    let found = view::object::object(state, stream, session.uid)?;
    Some(object::render(&found, declared).object)
}

/// A document that is gone or damaged is left out: `verify` is there to say so.
fn document(reader: &Reader, hash: &Hash) -> Option<Value> {
    let bytes = reader.attachment(hash).ok().flatten()?;
    serde_json::from_slice(&bytes).ok()
}
