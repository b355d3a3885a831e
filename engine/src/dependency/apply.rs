//! Folds dependencies.

use alloc::string::String;

use crate::dependency::Event;
use crate::dependency::state::Dependency;
use crate::state::{State, unknown};

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    match event {
        Event::Observed { uid, object, hash, facts } => {
            let seen = Dependency { object: object.clone(), hash: *hash, facts: facts.clone() };
            state.dependencies.insert(*uid, seen);
            state.objects.insert(object.clone(), *uid);
        }
        Event::Gone { uid, .. } => {
            let gone = state.dependencies.remove(uid).ok_or_else(|| unknown("object", *uid))?;
            if state.objects.get(&gone.object) == Some(uid) {
                state.objects.remove(&gone.object);
            }
        }
    }
    Ok(())
}
