//! Decides on backup sessions, one command a file.
//!
//! What all sessions have in common is decided in `run::decide`; a decision here ends in
//! [`crate::run::decide::advance`], which takes the session as far as it can go with what is known.

mod archive;
mod create;
mod delete;
pub(crate) mod finish;
mod late;
mod name;
pub(crate) mod open;
pub(crate) mod report;
mod resume;
pub(crate) mod retention;
mod retry;

pub(crate) use archive::{archive_all, stop_all};
pub(crate) use open::open_for;

use crate::backup::Command;
use crate::backup::state::Backup;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Create { .. } => create::decide(draft, command),
        Command::Retry { session } => retry::decide(draft, *session),
        Command::Resume { session } => resume::decide(draft, *session),
        Command::Delete { session } => delete::decide(draft, *session),
    }
}

/// The session of a command.
fn known<'d>(draft: &'d Draft, uid: Uid) -> Result<&'d Backup, Rejection> {
    draft.backup(uid).ok_or_else(|| Rejection::conflict(uid, "no such backup session"))
}
