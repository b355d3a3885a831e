//! Decides on outcomes that nobody else waits for: the stop of a worker.

use crate::draft::Draft;
use crate::effect::Once;
use crate::outbox::Command;
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let (Command::Done { effect } | Command::Fail { effect, .. }) = command;
    draft.expect(*effect, "effect", |once| matches!(once, Once::StopWorker { .. }))?;
    match command {
        Command::Done { effect } => draft.settle(*effect),
        Command::Fail { effect, message } => draft.give_up(*effect, message.clone()),
    }
    Ok(())
}
