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
pub(crate) use end::{expiry, stop};
pub(crate) use open::{Request, open};

use crate::backup::Command;
use crate::backup::state::Backup;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Create { .. } => create::decide(draft, command),
        Command::Surveyed { session, effect, survey } => {
            survey::decide(draft, *session, *effect, survey)
        }
        Command::HookReported { session, effect, run, outcome } => {
            hook::decide(draft, *session, *effect, *run, outcome)
        }
        Command::WorkerStarted { attempt, effect, worker } => {
            worker::started(draft, attempt, *effect, *worker)
        }
        Command::WorkerNotStarted { attempt, effect, failure } => {
            worker::not_started(draft, attempt, *effect, failure)
        }
        Command::WorkerReported { attempt, worker, report } => {
            report::decide(draft, attempt, *worker, report)
        }
        Command::WorkerVanished { attempt, failure } => worker::vanished(draft, attempt, failure),
        Command::RemovalReported { session, effect, snapshot, outcome } => {
            removal::decide(draft, *session, *effect, *snapshot, outcome)
        }
        Command::Cancel { session, reason } => end::cancel(draft, *session, reason),
        Command::Expire { session } => end::expire(draft, *session),
        Command::Retry { session } => retry::decide(draft, *session),
        Command::Resume { session } => resume::decide(draft, *session),
        Command::Delete { session } => delete::decide(draft, *session),
    }
}

/// The session of a command.
fn known<'d>(draft: &'d Draft, uid: Uid) -> Result<&'d Backup, Rejection> {
    draft.backup(uid).ok_or_else(|| Rejection::conflict(uid, "no such backup session"))
}
