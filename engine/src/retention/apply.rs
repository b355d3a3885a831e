//! Folds the policy.

use alloc::string::String;

use crate::event::StreamKind;
use crate::retention::Event;
use crate::retention::state::RetentionPolicy;
use crate::state::{State, unknown};

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    match event {
        Event::Declared { uid, key, generation, hash, spec } => {
            let declared = RetentionPolicy {
                uid: *uid,
                key: key.clone(),
                generation: *generation,
                hash: *hash,
                spec: spec.clone(),
            };
            state.retentions.insert(*uid, declared);
            state.take_name(StreamKind::Retention, key, *uid);
        }
        Event::Deleted { uid, .. } => {
            let gone = state.retentions.remove(uid).ok_or_else(|| unknown("policy", *uid))?;
            state.drop_name(StreamKind::Retention, &gone.key, *uid);
        }
    }
    Ok(())
}
