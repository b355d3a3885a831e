//! Decides on objects that others depend on: only a difference is recorded, and what failed for the
//! lack of an object is tried again when it comes.

use crate::configuration;
use crate::dependency::{Command, Event, Facts};
use crate::draft::Draft;
use crate::ids::TypedRef;
use crate::rejection::Rejection;
use crate::repository;
use crate::storage;

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Observe { uid, object, hash, facts } => {
            let known = draft.base().dependencies.get(uid);
            let same = known.is_some_and(|known| {
                known.object == *object && known.hash == *hash && known.facts == *facts
            });
            if same {
                return Ok(());
            }
            let former = draft.base().objects.get(object).copied();
            if let Some(former) = former.filter(|former| former != uid) {
                draft.emit(Event::Gone { uid: former });
            }
            draft.emit(Event::Observed {
                uid: *uid,
                object: object.clone(),
                hash: *hash,
                facts: facts.clone(),
            });
            if let Facts::Secret { .. } = facts {
                storage::decide::retry_with_secret(draft, &object.key());
                repository::decide::retry_with_secret(draft, &object.key());
            }
            reconcile(draft, object);
        }
        Command::Forget { uid } => {
            if let Some(known) = draft.base().dependencies.get(uid) {
                draft.emit(Event::Gone { uid: *uid });
                reconcile(draft, &known.object);
            }
        }
    }
    Ok(())
}

fn reconcile(draft: &mut Draft, object: &TypedRef) {
    configuration::decide::reconcile_where(draft, |configuration| {
        configuration.target.as_ref() == Some(object)
            || configuration.sessions.iter().any(|session| match object.kind.as_str() {
                "Addon" => session.spec.addon.name == object.name,
                "Function" => true,
                "Secret" => {
                    let key = object.key();
                    session.spec.repositories.iter().any(|r| r.secret.as_ref() == Some(&key))
                }
                _ => false,
            })
    });
}
