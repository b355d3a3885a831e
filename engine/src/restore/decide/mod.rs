//! Decides what becomes of restores: one command a file, and `advance`, which every command ends in.

mod advance;
mod declare;
mod delete;
mod hook_reported;
mod plan;
mod stop;
mod surveyed;
mod worker;

pub(crate) use stop::expiry;

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
        Command::Surveyed { session, effect, survey } => {
            surveyed::decide(draft, *session, *effect, survey)
        }
        Command::HookReported { session, effect, run, outcome } => {
            hook_reported::decide(draft, *session, *effect, *run, outcome)
        }
        Command::WorkerStarted { attempt, effect, worker } => {
            worker::started(draft, attempt, *effect, *worker)
        }
        Command::WorkerNotStarted { attempt, effect, failure } => {
            worker::not_started(draft, attempt, *effect, failure)
        }
        Command::WorkerReported { attempt, worker, report } => {
            worker::reported(draft, attempt, *worker, report)
        }
        Command::WorkerVanished { attempt, failure } => worker::vanished(draft, attempt, failure),
        Command::Cancel { session, reason } => stop::cancel(draft, *session, reason),
        Command::Expire { session } => stop::expire(draft, *session),
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
