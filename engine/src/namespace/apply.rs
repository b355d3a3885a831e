//! Folds namespaces.

use alloc::string::String;

use crate::event::StreamKind;
use crate::ids::Key;
use crate::namespace::Event;
use crate::namespace::state::Namespace;
use crate::state::{State, unknown};

/// Folds one event.
pub(crate) fn apply(state: &mut State, event: &Event) -> Result<(), String> {
    match event {
        Event::Observed { uid, name, labels, allowed_namespaces } => {
            let namespace = Namespace {
                name: name.clone(),
                labels: labels.clone(),
                allowed_namespaces: allowed_namespaces.clone(),
            };
            state.namespaces.insert(*uid, namespace);
            state.take_name(StreamKind::Namespace, &Key::core("", name.clone()), *uid);
        }
        Event::Gone { uid, .. } => {
            let gone = state.namespaces.remove(uid).ok_or_else(|| unknown("namespace", *uid))?;
            state.drop_name(StreamKind::Namespace, &Key::core("", gone.name), *uid);
        }
    }
    Ok(())
}
