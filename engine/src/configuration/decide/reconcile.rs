//! The facts around a configuration may have changed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::backup::{self, Trigger};
use crate::condition::{Status, Type};
use crate::configuration::decide::{declare, delete};
use crate::configuration::phase::{Phase, phase};
use crate::configuration::state::Configuration;
use crate::configuration::validate::{Problem, validate};
use crate::configuration::{Event, RepositoryRef, default};
use crate::draft::Draft;
use crate::ids::{Key, TypedRef, Uid};
use crate::rejection::Rejection;
use crate::repository;
use crate::schedule;
use crate::storage::DeletionPolicy;

pub(crate) fn decide(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(known) = draft.configuration(uid) else {
        return Err(Rejection::conflict(uid, "no such configuration"));
    };
    if known.deleting {
        delete::retry(draft, uid);
    } else {
        reconcile(draft, uid, true);
    }
    Ok(())
}

/// Checks all configurations again that a changed fact concerns.
pub(crate) fn reconcile_where(draft: &mut Draft, concerns: impl Fn(&Configuration) -> bool) {
    let concerned: Vec<Uid> = draft
        .configurations()
        .filter(|known| !known.deleting && concerns(known))
        .map(|known| known.uid)
        .collect();
    concerned.into_iter().for_each(|uid| reconcile(draft, uid, false));
}

/// Checks a configuration and makes what it asks for; `again` tries failed repositories once more.
pub(crate) fn reconcile(draft: &mut Draft, uid: Uid, again: bool) {
    if !declare::standing_problem(draft, uid) {
        check(draft, uid, again);
    }
}

/// The same for an object that was just declared, whatever was wrong with the one before it.
pub(crate) fn check(draft: &mut Draft, uid: Uid, again: bool) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    default::choose(draft, &known);
    let Some(known) = draft.configuration(uid).cloned() else { return };
    match validate(draft, &known) {
        Err(problem) => return record_problem(draft, &known, problem),
        Ok(()) if known.conditions.is_true(Type::ValidationPassed) => {}
        Ok(()) => draft.emit(Event::ValidationPassed { uid }),
    }
    ensure_repositories(draft, &known, again);
    trigger_initial_backups(draft, uid);
}

fn record_problem(draft: &mut Draft, known: &Configuration, problem: Problem) {
    let standing = known.conditions.get(Type::ValidationPassed);
    let same = standing.is_some_and(|found| {
        found.status == Status::False
            && found.reason == problem.reason
            && found.message == problem.message
    });
    if !same {
        draft.emit(Event::ValidationFailed {
            uid: known.uid,
            reason: problem.reason.into(),
            message: problem.message,
        });
    }
}

/// One Repository for each distinct name (behaviour reference, section 1.1).
fn ensure_repositories(draft: &mut Draft, known: &Configuration, again: bool) {
    for session in &known.sessions {
        for wanted in &session.spec.repositories {
            ensure_repository(draft, known, wanted, again);
        }
    }
}

fn ensure_repository(
    draft: &mut Draft,
    known: &Configuration,
    wanted: &RepositoryRef,
    again: bool,
) {
    let key = Key::new(known.key.namespace.clone(), wanted.name.clone());
    let deletion = match wanted.deletion {
        Some(DeletionPolicy::WipeOut) => DeletionPolicy::WipeOut,
        // Retain is a wish about the object, not about its data.
        Some(DeletionPolicy::Delete | DeletionPolicy::Retain) | None => DeletionPolicy::Delete,
    };
    let Some(existing) = draft.repository_named(&key) else {
        let Some(backend) = known.backend(&wanted.backend) else { return };
        let uid = draft.mint();
        draft.emit(repository::Event::Created {
            uid,
            key,
            configuration: known.uid,
            app: known.target.clone().unwrap_or_else(TypedRef::absent),
            storage: backend.storage,
            path: wanted.directory.clone(),
            secret: wanted.secret.clone(),
            deletion,
        });
        return repository::decide::ensure(draft, uid, true);
    };
    let (uid, new_secret) = (existing.uid, existing.secret != wanted.secret);
    if existing.deleting {
        return;
    }
    if new_secret || existing.deletion != deletion {
        let secret = wanted.secret.clone();
        draft.emit(repository::Event::Updated { uid, secret, deletion });
    }
    let opened = draft.repository(uid).is_some_and(|found| found.is_ready() && !found.initializing);
    if new_secret && opened {
        // It has to open with the new Secret as well, before a session relies on it.
        draft.emit(repository::Event::InitializationRequested { uid });
    }
    repository::decide::ensure(draft, uid, again);
}

/// Triggers first backups that waited for a repository.
pub(crate) fn trigger_initial_backups_of(draft: &mut Draft, repository: Uid) {
    let Some(found) = draft.repository(repository) else { return };
    let (namespace, name) = (found.key.namespace.clone(), found.key.name.clone());
    let waiting: Vec<Uid> = draft
        .configurations()
        .filter(|known| known.key.namespace == namespace)
        .filter(|known| {
            let mut wanted = known.sessions.iter().flat_map(|session| &session.spec.repositories);
            wanted.any(|wanted| wanted.name == name)
        })
        .map(|known| known.uid)
        .collect();
    waiting.into_iter().for_each(|uid| trigger_initial_backups(draft, uid));
}

/// The first backup of a session runs at once, when everything it needs has been tried.
pub(crate) fn trigger_initial_backups(draft: &mut Draft, uid: Uid) {
    let Some(known) = draft.configuration(uid).cloned() else { return };
    if known.deleting || known.is_paused() || phase(draft, &known) != Phase::Ready {
        return;
    }
    for session in known.sessions.iter().filter(|session| session.initial.is_none()) {
        let name = &session.spec.name;
        let suspended = session.spec.scheduler.as_ref().is_some_and(|s| s.suspend);
        let settled = session.spec.repositories.iter().all(|wanted| {
            let key = Key::new(known.key.namespace.clone(), wanted.name.clone());
            draft
                .repository_named(&key)
                .is_some_and(|r| !r.initializing && (r.is_ready() || r.failure.is_some()))
        });
        if suspended || !settled {
            continue;
        }
        trigger(draft, &known, name);
    }
}

fn trigger(draft: &mut Draft, known: &Configuration, session: &str) {
    let backup = known.uid.derive(&format!("initial/{session}"));
    draft.emit(Event::InitialBackupTriggered { uid: known.uid, session: session.into(), backup });
    if draft.backup(backup).is_some() {
        return;
    }
    let name: String = schedule::decide::free_name(draft, &known.key, session, draft.at());
    let request = backup::decide::Request {
        uid: backup,
        key: Key::new(known.key.namespace.clone(), name),
        configuration: known.uid,
        session: session.into(),
        trigger: Trigger::Initial,
        retry_left: None,
        timeout: None,
    };
    backup::decide::open(draft, request, None);
}
