//! What a storage's events ask for.

use crate::effect::Once;
use crate::state::State;
use crate::storage::{DeletionPolicy, Event};

/// The once-effect of an event, given the state with the event applied.
pub(crate) fn once(state: &State, event: &Event) -> Option<Once> {
    let storage = state.storages.get(&event.uid())?;
    match event {
        Event::Declared { uid, .. } => Some(Once::InitializeBackend { storage: *uid }),
        Event::DeletionRequested { uid }
            if storage.wiping && storage.spec.deletion == DeletionPolicy::WipeOut =>
        {
            Some(Once::WipeBackend { storage: *uid })
        }
        _ => None,
    }
}
