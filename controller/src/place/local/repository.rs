//! A repository's data: opened or made, and wiped.

use std::io;
use std::path::{Path, PathBuf};

use holdfast_engine::plan::Located;
use holdfast_engine::view::object::{Object, RepositoryObject};
use holdfast_engine::{Failure, Timestamp, Uid};
use holdfast_executor::digest::RepoId;
use holdfast_executor::error::Error;
use holdfast_executor::repo::{InitOptions, Repo, Unlock};

use super::backend::unusable;
use super::{Local, document, place, trouble};
use crate::place::{Answer, Trouble};
use crate::replace::{OPEN, replace};

/// The description of a repository, at its path.
pub(super) const DESCRIPTION: &str = "repository.yaml";

/// Descriptions of its snapshots, below its path.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// Opens the repository; makes it only where provably nothing is, and never where the log remembers one.
pub(super) async fn initialize(
    local: &Local,
    place: Located,
    described: RepositoryObject,
) -> Result<Answer, Trouble> {
    let here = local.here();
    let directory = here.of_repository(&place)?;
    let passphrase = local.passphrase(&place).await?;
    let (known, now) = (place.id.map(|id| RepoId(id.0)), local.clock.now());
    super::blocking(move || {
        let text = document::of(&Object::Repository(Box::new(described)))?;
        let id = open(&directory, &passphrase, known, now)?;
        replace(&directory.join(DESCRIPTION), text.as_bytes(), OPEN)
            .map_err(|error| trouble::because(unusable(&directory, &error), &error))?;
        Ok(Answer::Repository { id })
    })
    .await
}

fn open(
    directory: &Path,
    passphrase: &[u8],
    known: Option<RepoId>,
    now: Timestamp,
) -> Result<Uid, Trouble> {
    let place = Repo::at(place::store(directory)?);
    let unlock = Unlock { expected: known, write: true };
    let repo = match place.open(passphrase, unlock) {
        Err(Error::NoRepository) if known.is_none() => {
            let options =
                InitOptions { label: "encryption Secret", now_ms: now.0, ..InitOptions::default() };
            match place.init(passphrase, options) {
                // An earlier try that nobody waits for any more was quicker.
                Err(Error::AlreadyInitialised { .. }) => place.open(passphrase, unlock),
                made => made,
            }
        }
        other => other,
    };
    repo.map(|repo| Uid(repo.id().0))
        .map_err(|error| trouble::because(failure(directory, &error), &error))
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
pub(super) async fn wipe(local: &Local, place: Located) -> Result<Answer, Trouble> {
    let here = local.here();
    super::blocking(move || {
        let directory = here.of_repository(&place)?;
        remove(&directory, &place.path)
            .map_err(|error| trouble::because(unusable(&directory, &error), &error))?;
        Ok(Answer::Done)
    })
    .await
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
