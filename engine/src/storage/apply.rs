//! Folds storages.

use alloc::string::String;

use crate::condition::{Conditions, Type};
use crate::event::StreamKind;
use crate::ids::Uid;
use crate::state::{State, unknown};
use crate::storage::Event;
use crate::storage::state::Storage;
use crate::time::Timestamp;

/// Folds one event.
pub(crate) fn apply(state: &mut State, at: Timestamp, event: &Event) -> Result<(), String> {
    match event {
        Event::Declared { uid, key, generation, hash, spec } => {
            let former = state.storages.remove(uid);
            let created_at = former.as_ref().map_or(at, |found| found.created_at);
            let conditions = former.map_or_else(Conditions::default, |found| found.conditions);
            state.storages.insert(
                *uid,
                Storage {
                    uid: *uid,
                    key: key.clone(),
                    generation: *generation,
                    hash: *hash,
                    spec: spec.clone(),
                    conditions,
                    deleting: false,
                    wiping: false,
                    wipe_error: None,
                    retry_at: None,
                    failures: 0,
                    created_at,
                },
            );
            state.take_name(StreamKind::Storage, key, *uid);
        }
        Event::BackendInitialized { uid } => {
            let storage = get(state, *uid)?;
            storage.conditions.state(at, Type::BackendInitialized, None);
            storage.retry_at = None;
            storage.failures = 0;
        }
        Event::InitializationRequested { uid } => get(state, *uid)?.retry_at = None,
        Event::BackendInitializationFailed { uid, message, retry_at } => {
            let storage = get(state, *uid)?;
            storage.retry_at = *retry_at;
            storage.failures = storage.failures.saturating_add(1);
            storage.conditions.state(at, Type::BackendInitialized, Some(message));
            if storage.wiping {
                storage.wipe_error = Some(message.clone());
            }
        }
        Event::DeletionRequested { uid } => {
            let storage = get(state, *uid)?;
            storage.retry_at = None;
            if !storage.deleting {
                storage.failures = 0;
            }
            storage.wiping = storage.deleting;
            storage.deleting = true;
            storage.wipe_error = None;
        }
        Event::Deleted { uid, .. } => {
            let gone = state.storages.remove(uid).ok_or_else(|| unknown("storage", *uid))?;
            state.drop_name(StreamKind::Storage, &gone.key, *uid);
        }
    }
    Ok(())
}

fn get(state: &mut State, uid: Uid) -> Result<&mut Storage, String> {
    state.storages.get_mut(&uid).ok_or_else(|| unknown("storage", uid))
}
