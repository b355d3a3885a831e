//! Decides on backup sessions, one command a file.
//!
//! Every answer ends in [`advance`]: it takes the session as far as it can go with what is known, and
//! stops where something outside has to answer.

mod advance;
mod create;
mod delete;
mod end;
mod finish;
mod hook;
mod open;
mod removal;
mod report;
mod result;
mod resume;
mod retention;
mod retry;
mod survey;
mod worker;

pub(crate) use advance::advance;
pub(crate) use end::{cancel, expire, expiry, stop};
pub(crate) use hook::hook_ended;
pub(crate) use open::{Request, open};
pub(crate) use removal::removed;
pub(crate) use report::reported;
pub(crate) use survey::surveyed;
pub(crate) use worker::{not_started, started, vanished};

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
