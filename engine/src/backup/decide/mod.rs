//! Decides on backup sessions, one command a file.
//!
//! What all sessions have in common is decided in `run::decide`; a decision here ends in
//! [`crate::run::decide::advance`], which takes the session as far as it can go with what is known.

mod create;
mod delete;
pub(crate) mod finish;
pub(crate) mod open;
mod removal;
pub(crate) mod report;
mod resume;
pub(crate) mod retention;
mod retry;

pub(crate) use open::{Request, open};
pub(crate) use removal::removed;

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
