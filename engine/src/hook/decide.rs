//! Decides on hook templates.

use crate::configuration;
use crate::draft::Draft;
use crate::hook::{Command, Event};
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let key = match command {
        Command::Declare { uid, key, generation, hash, spec } => {
            if draft.hook(*uid).is_some_and(|known| known.hash == *hash) {
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
            let Some(known) = draft.hook(*uid) else { return Ok(()) };
            let key = known.key.clone();
            draft.emit(Event::Deleted { uid: *uid });
            key
        }
    };
    configuration::decide::reconcile_where(draft, |configuration| {
        configuration.sessions.iter().any(|session| {
            let hooks = session.spec.pre_hooks.iter().chain(&session.spec.post_hooks);
            hooks.into_iter().any(|hook| hook.template == key)
        })
    });
    Ok(())
}
