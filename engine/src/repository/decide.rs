//! Decides on repositories.
//!
//! | Standing | Event | then |
//! |---|---|---|
//! | made | InitializationRequested, once storage and Secret are there | initialising |
//! | initialising | Initialized | ready |
//! | initialising | InitializationFailed | not ready, with the reason |
//! | not ready | InitializationRequested, when Secret or storage change or somebody asks | initialising |
//! | any | DeletionRequested, once no session uses it | its data is wiped, or stays |
//! | deleting | Deleted | gone, with its snapshots |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::configuration;
use crate::dependency::{Facts, state as dependency};
use crate::draft::Draft;
use crate::effect::Once;
use crate::ids::{EffectId, Key, Uid};
use crate::outcome::Failure;
use crate::rejection::Rejection;
use crate::repository::{Command, Event, Initialization, Wipe};
use crate::snapshot;
use crate::storage::{self, DeletionPolicy};

/// Key of the passphrase in an encryption Secret (API reference, section 8).
pub const PASSPHRASE_KEY: &str = "RESTIC_PASSWORD";

/// Decides on one command.
pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::InitializationReported { uid, effect, result } => {
            initialized(draft, *uid, *effect, result)
        }
        Command::Reconcile { uid } => {
            let Some(repository) = draft.repository(*uid) else {
                return Err(Rejection::conflict(uid, "no such repository"));
            };
            if repository.deleting {
                begin_deletion(draft, *uid, DeletionPolicy::Delete);
            } else {
                ensure(draft, *uid, true);
            }
            Ok(())
        }
        Command::Delete { uid } => {
            if draft.repository(*uid).is_some() {
                refuse_if_used(draft, *uid)?;
                begin_deletion(draft, *uid, DeletionPolicy::Delete);
            }
            Ok(())
        }
        Command::WipeReported { uid, effect, result } => wiped(draft, *uid, *effect, result),
    }
}

/// Has a repository initialised that is not ready: at once when it never was, after a failure only
/// when `again` says that something changed.
pub(crate) fn ensure(draft: &mut Draft, uid: Uid, again: bool) {
    let Some(repository) = draft.repository(uid) else { return };
    if repository.is_ready() || repository.initializing || repository.deleting {
        return;
    }
    let former = repository.failure.clone();
    if let Some(failure) = missing(draft, &repository.storage, repository.secret.as_ref()) {
        if former.as_ref() != Some(&failure) {
            draft.emit(Event::InitializationFailed { uid, failure });
        }
    } else if again || former.is_none_or(|failure| is_missing(&failure)) {
        draft.emit(Event::InitializationRequested { uid });
    }
}

const STORAGE_NOT_READY: &str = "BackupStorageNotReady";
const SECRET_NOT_FOUND: &str = "EncryptionSecretNotFound";

fn is_missing(failure: &Failure) -> bool {
    failure.reason == STORAGE_NOT_READY || failure.reason == SECRET_NOT_FOUND
}

/// What has to be there before an initialisation can be tried.
fn missing(draft: &Draft, storage: &Key, secret: Option<&Key>) -> Option<Failure> {
    let failure = |reason: &str, message: String| {
        Some(Failure { reason: reason.into(), message, permanent: false })
    };
    match draft.storage_named(storage) {
        None => return failure(STORAGE_NOT_READY, format!("BackupStorage {storage} not found")),
        Some(found) if !found.is_initialized() => {
            let why = storage::decide::why_unusable(found);
            return failure(STORAGE_NOT_READY, format!("BackupStorage {storage}: {why}"));
        }
        Some(_) => {}
    }
    let secret = secret?;
    match draft.facts(&dependency::secret(secret)) {
        Some(Facts::Secret { keys, .. }) if keys.iter().any(|key| key == PASSPHRASE_KEY) => None,
        Some(_) => failure(
            SECRET_NOT_FOUND,
            format!("encryption Secret {secret} has no key {PASSPHRASE_KEY}"),
        ),
        None => failure(SECRET_NOT_FOUND, format!("encryption Secret {secret} not found")),
    }
}

/// Tries again what failed before, in all repositories with this encryption Secret.
pub(crate) fn retry_with_secret(draft: &mut Draft, secret: &Key) {
    let with: Vec<Uid> =
        draft.repositories().filter(|r| r.secret.as_ref() == Some(secret)).map(|r| r.uid).collect();
    with.into_iter().for_each(|uid| ensure(draft, uid, true));
}

/// Tries again what failed before, in all repositories of this storage.
pub(crate) fn retry_in_storage(draft: &mut Draft, storage: &Key) {
    let inside: Vec<Uid> =
        draft.repositories().filter(|r| r.storage == *storage).map(|r| r.uid).collect();
    inside.into_iter().for_each(|uid| ensure(draft, uid, true));
}

fn initialized(
    draft: &mut Draft,
    uid: Uid,
    effect: EffectId,
    result: &Initialization,
) -> Result<(), Rejection> {
    let asked = Once::InitializeRepository { repository: uid };
    draft.expect(effect, "repository", |once| *once == asked)?;
    draft.settle(effect);
    let Some(repository) = draft.repository(uid) else { return Ok(()) };
    let failure = match result {
        Initialization::Failed(failure) => Some(failure.clone()),
        Initialization::Ready { id } => {
            repository.id.filter(|known| known != id).map(|known| Failure {
                reason: "RepositoryReplaced".into(),
                message: format!(
                    "at its path lies repository {id}, not {known} that its snapshots are in; \
                     put the old one back, or delete this Repository to begin anew"
                ),
                permanent: true,
            })
        }
    };
    match (failure, result) {
        (Some(failure), _) => draft.emit(Event::InitializationFailed { uid, failure }),
        (None, Initialization::Ready { id }) => draft.emit(Event::Initialized { uid, id: *id }),
        (None, Initialization::Failed(_)) => {}
    }
    configuration::decide::trigger_initial_backups_of(draft, uid);
    Ok(())
}

/// A repository that a session reads or writes is not deleted under its hands.
pub(crate) fn refuse_if_used(draft: &Draft, uid: Uid) -> Result<(), Rejection> {
    let key = draft.repository(uid).map(|found| found.key.clone()).unwrap_or_default();
    let writer = draft
        .backups()
        .find(|backup| backup.is_going() && backup.snapshots.iter().any(|s| s.repository == uid));
    if let Some(writer) = writer {
        return Err(Rejection::retry(key, format!("BackupSession {} writes to it", writer.key)));
    }
    let reader = draft.restores().find(|restore| {
        let source = restore.snapshot.and_then(|snapshot| draft.snapshot(snapshot));
        restore.is_going() && source.is_some_and(|snapshot| snapshot.repository == uid)
    });
    match reader {
        Some(reader) => {
            Err(Rejection::retry(key, format!("RestoreSession {} reads from it", reader.key)))
        }
        None => Ok(()),
    }
}

/// Begins a deletion, or begins it again when its wipe failed; `above` is the policy of whoever deletes
/// it, and the more thorough one holds.
pub(crate) fn begin_deletion(draft: &mut Draft, uid: Uid, above: DeletionPolicy) {
    let Some(repository) = draft.repository(uid) else { return };
    let (secret, own) = (repository.secret.clone(), repository.deletion);
    let wiping = Once::WipeRepository { repository: uid };
    if !draft.effects(|once| *once == wiping).is_empty() {
        return;
    }
    for superseded in draft.effects(|once| *once == Once::InitializeRepository { repository: uid })
    {
        draft.give_up(superseded, "the repository is being deleted");
    }
    if above == DeletionPolicy::WipeOut && own != above {
        draft.emit(Event::Updated { uid, secret, deletion: above });
    }
    draft.emit(Event::DeletionRequested { uid });
    if above != DeletionPolicy::WipeOut && own != DeletionPolicy::WipeOut {
        finish_deletion(draft, uid, false);
    }
}

fn wiped(draft: &mut Draft, uid: Uid, effect: EffectId, result: &Wipe) -> Result<(), Rejection> {
    let asked = Once::WipeRepository { repository: uid };
    draft.expect(effect, "repository", |once| *once == asked)?;
    match result {
        Wipe::Done => {
            draft.settle(effect);
            finish_deletion(draft, uid, true);
        }
        Wipe::Failed(failure) if failure.reason == storage::decide::SECRET_GONE => {
            draft.give_up(effect, failure.message.clone());
            finish_deletion(draft, uid, false);
        }
        Wipe::Failed(failure) => {
            draft.give_up(effect, failure.message.clone());
            draft.emit(Event::InitializationFailed {
                uid,
                failure: Failure {
                    reason: "WipeFailed".into(),
                    message: format!("wiping: {}", failure.message),
                    permanent: failure.permanent,
                },
            });
        }
    }
    Ok(())
}

fn finish_deletion(draft: &mut Draft, uid: Uid, wiped: bool) {
    let Some(repository) = draft.repository(uid) else { return };
    let (storage, configuration) = (repository.storage.clone(), repository.configuration);
    let inside: Vec<Uid> =
        draft.snapshots().filter(|s| s.repository == uid).map(|s| s.uid).collect();
    for snapshot in inside {
        snapshot::decide::forget(draft, snapshot, "its repository is gone");
    }
    draft.emit(Event::Deleted { uid, wiped });
    storage::decide::finish_deletion(draft, &storage);
    configuration::decide::finish_deletion(draft, configuration);
}
