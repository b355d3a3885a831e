//! A storage's directory: made ready with its `metadata.yaml`, and wiped.

use std::io;
use std::path::Path;

use holdfast_engine::{EffectId, Failure, Outcome, Uid};
use holdfast_eventlog::Ledger;

use super::{Local, document, place};
use crate::place::{Task, answered};
use crate::replace::{OPEN, replace};

/// The description of a storage, at its root.
pub(super) const METADATA: &str = "metadata.yaml";

/// Makes the directory and writes its description: who cannot do that cannot store anything there.
pub(super) fn initialize(
    local: &Local,
    ledger: &Ledger,
    effect: EffectId,
    uid: Uid,
) -> Option<Task> {
    let storage = ledger.state().storages.get(&uid)?;
    let prepared = place::of_storage(ledger, &local.catalog.get(), &local.volumes, storage)
        .and_then(|root| Ok((root, document::backend(ledger.state(), storage)?)));
    Some(Task::blocking(move || {
        let outcome = match prepared.and_then(|(root, text)| write(&root, &text)) {
            Ok(()) => Outcome::Succeeded,
            Err(failure) => Outcome::Failed(failure),
        };
        answered(effect, outcome)
    }))
}

fn write(root: &Path, text: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(root)
        .and_then(|()| replace(&root.join(METADATA), text.as_bytes(), OPEN))
        .map_err(|error| unusable(root, &error))
}

/// Removes the description; repositories were wiped before.
pub(super) fn wipe(local: &Local, ledger: &Ledger, effect: EffectId, uid: Uid) -> Option<Task> {
    let storage = ledger.state().storages.get(&uid)?;
    let root = place::of_storage(ledger, &local.catalog.get(), &local.volumes, storage);
    Some(Task::blocking(move || {
        let removed = root.and_then(|root| match std::fs::remove_file(root.join(METADATA)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&root, &error)),
            _ => Ok(()),
        });
        let outcome = removed.map_or_else(Outcome::Failed, |()| Outcome::Succeeded);
        answered(effect, outcome)
    }))
}

/// Why a directory cannot be used, and what to do about it.
pub(super) fn unusable(path: &Path, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "let this user write there, or choose another directory",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space",
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing, or choose another directory",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "a file stands in its way",
        _ => "make it reachable",
    };
    Failure {
        reason: "StoreUnreachable".into(),
        message: format!("cannot write to {}: {error}; {advice}", path.display()),
        permanent: false,
    }
}
