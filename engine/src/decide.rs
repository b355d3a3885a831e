//! Answers a command with events.

use alloc::vec::Vec;

use crate::command::Command;
use crate::draft::Draft;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::{
    backup, configuration, dependency, hook, lease, namespace, outbox, repository, restore,
    retention, schedule, snapshot, storage,
};

/// What happens because of a command; an empty answer means that nothing changes.
///
/// # Errors
/// A [`Rejection`] when the command is refused; nothing is to be recorded then.
pub fn decide(state: &State, envelope: &Envelope) -> Result<Vec<Event>, Rejection> {
    let begins = matches!(envelope.command, Command::Lease(lease::Command::Begin { .. }));
    let fits = if begins { envelope.epoch > state.epoch } else { envelope.epoch == state.epoch };
    if !fits {
        return Err(Rejection::StaleEpoch { given: envelope.epoch, current: state.epoch });
    }
    if envelope.at < state.last_at {
        return Err(Rejection::conflict("time", "the command is older than the last event"));
    }
    let mut draft = Draft::new(state, envelope);
    route(&mut draft, &envelope.command)?;
    draft.finish()
}

fn route(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Lease(command) => lease::decide::decide(draft, command),
        Command::Namespace(command) => namespace::decide::decide(draft, command),
        Command::Dependency(command) => dependency::decide::decide(draft, command),
        Command::Storage(command) => storage::decide::decide(draft, command),
        Command::Retention(command) => retention::decide::decide(draft, command),
        Command::Hook(command) => hook::decide::decide(draft, command),
        Command::Configuration(command) => configuration::decide::decide(draft, command),
        Command::Schedule(command) => schedule::decide::decide(draft, command),
        Command::Repository(command) => repository::decide::decide(draft, command),
        Command::Backup(command) => backup::decide::decide(draft, command),
        Command::Snapshot(command) => snapshot::decide::decide(draft, command),
        Command::Restore(command) => restore::decide::decide(draft, command),
        Command::Outbox(command) => outbox::decide::decide(draft, command),
    }
}
