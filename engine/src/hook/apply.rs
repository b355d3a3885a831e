//! Folds the template.

use alloc::string::String;

use crate::event::StreamKind;
use crate::hook::Event;
use crate::hook::state::HookTemplate;
use crate::state::{State, unknown};

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    match event {
        Event::Declared { uid, key, generation, hash, spec } => {
            let declared = HookTemplate {
                uid: *uid,
                key: key.clone(),
                generation: *generation,
                hash: *hash,
                spec: spec.clone(),
            };
            state.hooks.insert(*uid, declared);
            state.take_name(StreamKind::Hook, key, *uid);
        }
        Event::Deleted { uid, .. } => {
            let gone = state.hooks.remove(uid).ok_or_else(|| unknown("template", *uid))?;
            state.drop_name(StreamKind::Hook, &gone.key, *uid);
        }
    }
    Ok(())
}
