//! Decides on namespaces.

use crate::configuration;
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::Key;
use crate::namespace::{Command, Event};
use crate::rejection::Rejection;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Observe { uid, name, labels } => {
            let known = draft.base().namespaces.get(uid);
            if known.is_some_and(|known| known.name == *name && known.labels == *labels) {
                return Ok(());
            }
            let former = draft.uid_of(StreamKind::Namespace, &Key::new("", name.clone()));
            if let Some(former) = former.filter(|former| former != uid) {
                draft.emit(Event::Gone { uid: former });
            }
            draft.emit(Event::Observed { uid: *uid, name: name.clone(), labels: labels.clone() });
            configuration::decide::reconcile_where(draft, |c| c.key.namespace == *name);
        }
        Command::Forget { uid } => {
            if draft.base().namespaces.contains_key(uid) {
                draft.emit(Event::Gone { uid: *uid });
            }
        }
    }
    Ok(())
}
