//! Decides what becomes of restores: one command a file, and `advance`, which every command ends in.

mod advance;
mod declare;
mod delete;
mod hook_reported;
mod plan;
mod stop;
mod surveyed;
mod worker;

pub(crate) use hook_reported::hook_ended;
pub(crate) use stop::{cancel, expire, expiry};
pub(crate) use surveyed::surveyed;
pub(crate) use worker::{not_started, reported, started, vanished};

use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::restore::Command;
use crate::restore::state::Restore;

/// Routes a command.
pub(crate) fn decide(draft: &mut Draft<'_>, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare { uid, key, generation, hash, spec } => {
            declare::declare(draft, *uid, key, *generation, *hash, spec)
        }
        Command::Reconcile { uid } => declare::reconcile(draft, *uid),
        Command::Delete { session } => delete::decide(draft, *session),
    }
}

/// The restore as this decision has left it so far.
fn get(draft: &Draft<'_>, uid: Uid) -> Result<Restore, Rejection> {
    let found = draft.restore(uid).cloned();
    found.ok_or_else(|| Rejection::never(uid, "there is no such restore"))
}

#[cfg(test)]
mod tests;
