//! Decides on configurations, one command a file.

mod declare;
mod delete;
mod hold;
mod reconcile;
mod scheduler;

pub(crate) use delete::finish as finish_deletion;
pub(crate) use hold::{hold, release};
pub(crate) use reconcile::{check_all, trigger_all};

use crate::configuration::Command;
use crate::draft::Draft;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare { declared, schedules } => declare::decide(draft, declared, schedules),
        Command::Reconcile { uid } => reconcile::decide(draft, *uid),
        Command::SchedulerReported { uid, session, outcome } => {
            scheduler::decide(draft, *uid, session, outcome)
        }
        Command::Delete { uid } => {
            delete::decide(draft, *uid);
            Ok(())
        }
    }
}
