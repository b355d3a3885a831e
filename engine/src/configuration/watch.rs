//! Which configurations look at what.

use alloc::vec::Vec;

use crate::configuration::state::Configuration;
use crate::draft::Draft;
use crate::ids::{Key, TypedRef, Uid};
use crate::limits;
use crate::reaction::Watched;
use crate::usage;

/// The next configurations behind one that look at something and stay: one more than a reaction takes on, so
/// that it sees whether some are left.
pub(crate) fn some(draft: &Draft, watched: &Watched, after: Option<Uid>) -> Vec<Uid> {
    if let Watched::Configuration(uid) = watched {
        let one = draft.configuration(*uid).filter(|known| !known.deleting);
        return one.map(|known| known.uid).filter(|uid| Some(*uid) > after).into_iter().collect();
    }
    if let Watched::Repository(key) = watched {
        let writers = draft.writers_to(key).filter(|known| !known.deleting);
        let behind = writers.map(|known| known.uid).filter(|uid| Some(*uid) > after);
        return behind.take(limits::OBJECTS_A_REACTION + 1).collect();
    }
    draft
        .configurations_behind(after)
        .filter(|known| !known.deleting && looks(known, watched))
        .map(|known| known.uid)
        .take(limits::OBJECTS_A_REACTION + 1)
        .collect()
}

fn looks(known: &Configuration, watched: &Watched) -> bool {
    let backends = &known.backends;
    let named = |used: Option<&Key>, key: &Key| used.is_none_or(|used| used == key);
    match watched {
        Watched::Configuration(uid) => known.uid == *uid,
        Watched::Namespace(name) => {
            known.key.namespace == *name
                || known.target.as_ref().is_some_and(|target| usage::home(target) == name)
        }
        Watched::Dependency(object) => depends(known, object),
        Watched::Storage(key) => {
            backends.is_empty() || backends.iter().any(|b| named(b.storage.as_ref(), key))
        }
        Watched::Retention(key) => {
            backends.is_empty() || backends.iter().any(|b| named(b.retention.as_ref(), key))
        }
        Watched::Hook(key) => known.sessions.iter().any(|session| {
            let mut hooks = session.spec.pre_hooks.iter().chain(&session.spec.post_hooks);
            hooks.any(|hook| hook.template == *key)
        }),
        Watched::Repository(key) => known.writes_to(key),
        Watched::References => known.refers_abroad(),
    }
}

fn depends(known: &Configuration, object: &TypedRef) -> bool {
    known.target.as_ref() == Some(object)
        || known.sessions.iter().any(|session| match object.kind.as_str() {
            "Function" => session.spec.addon.function(&object.name) == *object,
            "Secret" => {
                let key = object.key();
                session.spec.repositories.iter().any(|r| r.secret.is_some() && r.secret == key)
            }
            _ => session.spec.addon.object() == *object,
        })
}
