//! Decides what becomes of restores, one command a file; what all sessions have in common is decided in
//! `run::decide`.

mod declare;
mod delete;
pub(crate) mod finish;
pub(crate) mod plan;

use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::restore::Command;
use crate::restore::state::Restore;

/// Routes a command.
pub(crate) fn decide(draft: &mut Draft<'_>, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare(declared) => declare::declare(draft, declared),
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
