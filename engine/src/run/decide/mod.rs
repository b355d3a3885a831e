//! Decides on runs, one matter a file.
//!
//! Every answer ends in [`advance`]: it takes the session as far as it can go with what is known, and
//! stops where something outside has to answer.

mod advance;
mod end;
mod hook;
mod leave;
mod places;
mod survey;
mod worker;

pub(crate) use advance::advance;
use advance::has_run;
pub(crate) use end::stop;
pub(crate) use hook::{hook_ended, interrupt};
pub(crate) use leave::leave;
pub(crate) use places::fill;
pub(crate) use survey::surveyed;
pub(crate) use worker::{not_started, started};

use crate::draft::Draft;
use crate::rejection::Rejection;
use crate::run::Command;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::WorkerReported { attempt, worker, report } => {
            worker::reported(draft, attempt, *worker, report)
        }
        Command::WorkerVanished { attempt, failure } => worker::vanished(draft, attempt, failure),
        Command::Cancel { session, cause } => end::cancel(draft, *session, cause),
        Command::Expire { session } => end::expire(draft, *session),
        Command::BeginWaiting => places::begin_waiting(draft),
    }
}
