//! Repositories are made because configurations ask for them.

use crate::condition::Type;
use crate::configuration::state::Configuration;
use crate::configuration::{RepositoryRef, watch};
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::{TypedRef, Uid};
use crate::reaction::Watched;
use crate::repository::Event;
use crate::repository::decide::{ensure, reopen};
use crate::storage::DeletionPolicy;

/// Makes what the configurations ask for that look at something, and has it initialised; `again` tries what
/// failed once more. Behind which configuration some are left, if any are.
pub(crate) fn ensure_all(
    draft: &mut Draft,
    watching: &Watched,
    again: bool,
    after: Option<Uid>,
) -> Option<Uid> {
    let some = watch::some(draft, watching, after);
    draft.each(some, |draft, uid| ensure_of(draft, uid, again))
}

/// One Repository for each distinct name (behaviour reference, section 1.1).
fn ensure_of(draft: &mut Draft, uid: Uid, again: bool) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    if known.deleting || !known.conditions.is_true(Type::ValidationPassed) {
        return;
    }
    for session in &known.sessions {
        for wanted in &session.spec.repositories {
            ensure_one(draft, &known, wanted, again);
        }
    }
}

fn ensure_one(draft: &mut Draft, known: &Configuration, wanted: &RepositoryRef, again: bool) {
    let key = known.key.sibling(StreamKind::Repository, &*wanted.name);
    let deletion = match wanted.deletion {
        Some(DeletionPolicy::WipeOut) => DeletionPolicy::WipeOut,
        // Retain is a wish about the object, not about its data.
        Some(DeletionPolicy::Delete | DeletionPolicy::Retain) | None => DeletionPolicy::Delete,
    };
    let Some(existing) = draft.repository_named(&key) else {
        let Some(backend) = known.backend(&wanted.backend) else { return };
        let uid = draft.mint(StreamKind::Repository, &key.full());
        draft.emit(Event::Created {
            uid,
            key,
            configuration: known.uid,
            app: known.target.clone().unwrap_or_else(TypedRef::absent),
            storage: backend.storage,
            path: wanted.directory.clone(),
            secret: wanted.secret.clone(),
            deletion,
        });
        return ensure(draft, uid, true);
    };
    let (uid, new_secret) = (existing.uid, existing.secret != wanted.secret);
    if existing.deleting {
        return;
    }
    if new_secret || existing.deletion != deletion {
        let secret = wanted.secret.clone();
        draft.emit(Event::Updated { uid, secret, deletion });
    }
    if new_secret {
        // It has to open with the new Secret as well, before a session relies on it.
        return reopen(draft, uid);
    }
    ensure(draft, uid, again);
}
