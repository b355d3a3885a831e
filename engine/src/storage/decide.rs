//! Decides on storages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::condition::Type;
use crate::configuration;
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Hash, Key, Uid};
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::repository;
use crate::storage::state::Storage;
use crate::storage::{Command, DeletionPolicy, Event, Spec};

/// The word with which a wipe says that there is no Secret to reach the data with.
pub const SECRET_GONE: &str = "BackendSecretNotFound";

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Declare { uid, key, generation, hash, spec } => {
            declare(draft, *uid, key, *generation, *hash, spec)
        }
        Command::BackendReported { uid, effect, outcome } => report(draft, *uid, *effect, outcome),
        Command::Delete { uid } => delete(draft, *uid),
        Command::WipeReported { uid, effect, outcome } => wiped(draft, *uid, *effect, outcome),
    }
}

fn declare(
    draft: &mut Draft,
    uid: Uid,
    key: &Key,
    generation: u64,
    hash: Hash,
    spec: &Spec,
) -> Result<(), Rejection> {
    if let Some(known) = draft.storage(uid) {
        if known.deleting {
            return Err(Rejection::conflict(key, "it is being deleted"));
        }
        if known.hash == hash && known.is_initialized() {
            return Ok(());
        }
    }
    let initializing = |once: &Once| *once == Once::InitializeBackend { storage: uid };
    for superseded in draft.effects(initializing) {
        draft.give_up(superseded, "the storage was declared anew");
    }
    let problem = problem(draft, uid, spec);
    draft.emit(Event::Declared { uid, key: key.clone(), generation, hash, spec: spec.clone() });
    if let Some(message) = problem {
        fail(draft, uid, message);
        let asked = draft.effects(initializing);
        asked.into_iter().for_each(|id| draft.give_up(id, "the storage is not valid"));
    }
    reconcile_users(draft, key);
    Ok(())
}

/// Two storages with one directory would take each other's repositories for their own.
fn problem(draft: &Draft, uid: Uid, spec: &Spec) -> Option<String> {
    if let Some(invalid) = &spec.invalid {
        return Some(invalid.clone());
    }
    if let Some(known) = draft.storage(uid)
        && known.spec.identity != spec.identity
        && draft.repositories().any(|repository| repository.storage == known.key)
    {
        return Some("spec.storage: it cannot move while repositories lie in it".into());
    }
    let twin = draft.storages().find(|other| {
        other.uid != uid && !spec.identity.is_empty() && other.spec.identity == spec.identity
    })?;
    Some(format!("spec.storage: BackupStorage {} uses the same directory", twin.key))
}

/// Checks backends again that could not be used, once their credential Secret has come or changed.
pub(crate) fn retry_with_secret(draft: &mut Draft, secret: &Key) {
    let waiting: Vec<Storage> = draft
        .storages()
        .filter(|known| known.spec.secret.as_ref() == Some(secret))
        .filter(|known| !known.is_initialized() && !known.deleting)
        .cloned()
        .collect();
    for known in waiting {
        let uid = known.uid;
        let asked = |once: &Once| *once == Once::InitializeBackend { storage: uid };
        if draft.effects(asked).is_empty() && problem(draft, uid, &known.spec).is_none() {
            let Storage { key, generation, hash, spec, .. } = known;
            draft.emit(Event::Declared { uid, key, generation, hash, spec });
        }
    }
}

fn fail(draft: &mut Draft, uid: Uid, message: String) {
    draft.emit(Event::BackendInitializationFailed { uid, message });
}

fn report(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    draft.expect(effect, "backend", |once| *once == Once::InitializeBackend { storage: uid })?;
    draft.settle(effect);
    let Some(storage) = draft.storage(uid) else { return Ok(()) };
    let (key, known) = (storage.key.clone(), storage.is_initialized());
    match outcome {
        Outcome::Succeeded => {
            if !known {
                draft.emit(Event::BackendInitialized { uid });
            }
            repository::decide::retry_in_storage(draft, &key);
        }
        Outcome::Failed(Failure { message, .. }) => fail(draft, uid, message.clone()),
    }
    reconcile_users(draft, &key);
    Ok(())
}

fn reconcile_users(draft: &mut Draft, key: &Key) {
    configuration::decide::reconcile_where(draft, |configuration| {
        configuration.backends.is_empty()
            || configuration
                .backends
                .iter()
                .any(|backend| backend.storage.as_ref().is_none_or(|used| used == key))
    });
}

fn delete(draft: &mut Draft, uid: Uid) -> Result<(), Rejection> {
    let Some(storage) = draft.storage(uid) else { return Ok(()) };
    let (key, policy) = (storage.key.clone(), storage.spec.deletion);
    let deleting = storage.deleting;
    let inside: Vec<Uid> =
        draft.repositories().filter(|r| r.storage == key).map(|r| r.uid).collect();
    for repository in &inside {
        repository::decide::refuse_if_used(draft, *repository)?;
    }
    for superseded in draft.effects(|once| *once == Once::InitializeBackend { storage: uid }) {
        draft.give_up(superseded, "the storage is being deleted");
    }
    if !deleting {
        draft.emit(Event::DeletionRequested { uid });
    }
    for repository in inside {
        repository::decide::begin_deletion(draft, repository, policy);
    }
    finish_deletion(draft, &key);
    Ok(())
}

/// Goes on with the deletion of a storage once its repositories are gone.
pub(crate) fn finish_deletion(draft: &mut Draft, key: &Key) {
    let Some(storage) = draft.storage_named(key) else { return };
    let (uid, policy, key) = (storage.uid, storage.spec.deletion, storage.key.clone());
    if !storage.deleting || draft.repositories().any(|repository| repository.storage == key) {
        return;
    }
    if policy == DeletionPolicy::WipeOut {
        let wiping = |once: &Once| *once == Once::WipeBackend { storage: uid };
        if draft.effects(wiping).is_empty() {
            // The second request is the one that reaches for the data.
            draft.emit(Event::DeletionRequested { uid });
        }
    } else {
        draft.emit(Event::Deleted { uid, wiped: false });
        reconcile_users(draft, &key);
    }
}

fn wiped(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    outcome: &Outcome,
) -> Result<(), Rejection> {
    draft.expect(effect, "backend", |once| *once == Once::WipeBackend { storage: uid })?;
    let key = draft.storage(uid).map(|storage| storage.key.clone()).unwrap_or_default();
    match outcome {
        Outcome::Succeeded => {
            draft.settle(effect);
            draft.emit(Event::Deleted { uid, wiped: true });
        }
        // Without its Secret nobody can reach the data; the object must not hang for ever.
        Outcome::Failed(failure) if failure.reason == SECRET_GONE => {
            draft.give_up(effect, failure.message.clone());
            draft.emit(Event::Deleted { uid, wiped: false });
        }
        Outcome::Failed(failure) => {
            draft.give_up(effect, failure.message.clone());
            draft.emit(Event::BackendInitializationFailed {
                uid,
                message: format!("wiping: {}", failure.message),
            });
            return Ok(());
        }
    }
    reconcile_users(draft, &key);
    Ok(())
}

/// Whether a storage's backend was found unusable, for messages of those who use it.
pub(crate) fn why_unusable(storage: &Storage) -> String {
    match storage.conditions.get(Type::BackendInitialized) {
        Some(condition) => condition.message.clone(),
        None => "its backend has not been checked yet".into(),
    }
}
