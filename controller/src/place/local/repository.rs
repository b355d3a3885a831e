//! A repository's data: opened or made, and wiped.

use std::io;
use std::path::{Path, PathBuf};

use holdfast_engine::outbox::Answer;
use holdfast_engine::{EffectId, Failure, Uid};
use holdfast_eventlog::Ledger;
use holdfast_executor::digest::RepoId;
use holdfast_executor::error::Error;
use holdfast_executor::repo::{InitOptions, Repo, Unlock};
use zeroize::Zeroizing;

use super::backend::unusable;
use super::{Local, document, place};
use crate::place::{Task, answered};
use crate::ports::clock;
use crate::replace::{OPEN, replace};

/// The description of a repository, at its path.
pub(super) const DESCRIPTION: &str = "repository.yaml";

/// Descriptions of its snapshots, below its path.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// Opens the repository; makes it only where provably nothing is, and never where the log remembers one.
pub(super) fn initialize(
    local: &Local,
    ledger: &Ledger,
    effect: EffectId,
    uid: Uid,
) -> Option<Task> {
    let repository = ledger.state().repositories.get(&uid)?;
    let catalog = local.catalog.get();
    let known = repository.id.map(|id| RepoId(id.0));
    let prepared =
        place::of_repository(ledger, &catalog, &local.volumes, repository).and_then(|directory| {
            let passphrase = Zeroizing::new(place::passphrase(&catalog, repository, None)?);
            Ok((directory, passphrase, document::repository(ledger.state(), uid)?))
        });
    Some(Task::blocking(move || {
        let opened = prepared.and_then(|(directory, passphrase, text)| {
            let id = open(&directory, &passphrase, known)?;
            replace(&directory.join(DESCRIPTION), text.as_bytes(), OPEN)
                .map_err(|error| unusable(&directory, &error))?;
            Ok(id)
        });
        answered(effect, opened.map_or_else(Answer::Failed, |id| Answer::Repository { id }))
    }))
}

fn open(directory: &Path, passphrase: &[u8], known: Option<RepoId>) -> Result<Uid, Failure> {
    let place = Repo::at(place::store(directory)?);
    let unlock = Unlock { expected: known, write: true };
    let repo = match place.open(passphrase, unlock) {
        Err(Error::NoRepository) if known.is_none() => {
            let options = InitOptions {
                label: "encryption Secret",
                now_ms: clock::now().0,
                ..InitOptions::default()
            };
            match place.init(passphrase, options) {
                // An earlier try that nobody waits for any more was quicker.
                Err(Error::AlreadyInitialised { .. }) => place.open(passphrase, unlock),
                made => made,
            }
        }
        other => other,
    };
    repo.map(|repo| Uid(repo.id().0)).map_err(|error| failure(directory, &error))
}

/// An error of the executor in the words of a status.
fn failure(directory: &Path, error: &Error) -> Failure {
    let (reason, permanent) = match error {
        Error::NoRepository => ("RepositoryNotFound", true),
        Error::ConfigLost { .. } | Error::Damaged { .. } => ("RepositoryDamaged", true),
        Error::AlreadyInitialised { .. } => ("RepositoryExists", false),
        Error::NotEmpty { .. } => ("PathNotEmpty", true),
        Error::RepositoryReplaced { .. } => ("RepositoryReplaced", true),
        Error::WrongPassphrase { .. } => ("WrongPassphrase", true),
        Error::KeySlotDamaged { .. } | Error::KeySlotTampered { .. } | Error::NoKeySlot => {
            ("KeySlotDamaged", true)
        }
        Error::Unsupported { .. } => ("RepositoryUnsupported", true),
        Error::Store(store) => ("StoreUnreachable", store.permanent()),
        _ => ("RepositoryUnusable", false),
    };
    let mut message = format!("{}: {error}", directory.display());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    Failure { reason: reason.into(), message, permanent }
}

/// Removes what belongs to the repository: another one may lie below its path.
pub(super) fn wipe(local: &Local, ledger: &Ledger, effect: EffectId, uid: Uid) -> Option<Task> {
    let repository = ledger.state().repositories.get(&uid)?;
    let directory = place::of_repository(ledger, &local.catalog.get(), &local.volumes, repository);
    let path = repository.path.clone();
    Some(Task::blocking(move || {
        let wiped = directory.and_then(|directory| {
            remove(&directory, &path).map_err(|error| unusable(&directory, &error))
        });
        answered(effect, wiped.map_or_else(Answer::Failed, |()| Answer::Done))
    }))
}

fn remove(directory: &Path, path: &str) -> io::Result<()> {
    for part in [place::FOLDER, SNAPSHOTS] {
        ignore_missing(std::fs::remove_dir_all(directory.join(part)))?;
    }
    ignore_missing(std::fs::remove_file(directory.join(DESCRIPTION)))?;
    // The folders that its path made go as far as they are empty.
    let mut folder = PathBuf::from(directory);
    for _ in path.split('/').filter(|part| !part.is_empty()) {
        if std::fs::remove_dir(&folder).is_err() || !folder.pop() {
            break;
        }
    }
    Ok(())
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wipe_leaves_what_belongs_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in [
            "a/b/holdfast/v1",
            "a/b/snapshots",
            "a/b/c/holdfast/v1",
            "a/b/repository/v1",
            "x/holdfast",
        ] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("a/b/repository.yaml"), "x").unwrap();
        remove(&at("a/b"), "a/b").unwrap();
        assert!(!at("a/b/holdfast").exists() && !at("a/b/repository.yaml").exists());
        assert!(at("a/b/c/holdfast/v1").exists() && at("a/b/repository/v1").exists());
        remove(&at("x"), "x").unwrap();
        assert!(!at("x").exists() && dir.path().exists());
        remove(&at("gone"), "gone").unwrap();
    }
}
