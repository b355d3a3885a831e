//! Decides on retention policies.

use crate::configuration;
use crate::draft::Draft;
use crate::rejection::Rejection;
use crate::retention::{Command, Event};

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let key = match command {
        Command::Declare { uid, key, generation, hash, spec } => {
            if draft.retention(*uid).is_some_and(|known| known.hash == *hash) {
                return Ok(());
            }
            draft.emit(Event::Declared {
                uid: *uid,
                key: key.clone(),
                generation: *generation,
                hash: *hash,
                spec: spec.clone(),
            });
            key.clone()
        }
        Command::Delete { uid } => {
            let Some(known) = draft.retention(*uid) else { return Ok(()) };
            let key = known.key.clone();
            draft.emit(Event::Deleted { uid: *uid });
            key
        }
    };
    configuration::decide::reconcile_where(draft, |configuration| {
        configuration.backends.is_empty()
            || configuration
                .backends
                .iter()
                .any(|backend| backend.retention.as_ref().is_none_or(|used| *used == key))
    });
    Ok(())
}
