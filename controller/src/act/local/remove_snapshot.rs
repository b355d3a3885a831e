//! A snapshot's commits and description, removed from its repository. The space comes back with the next
//! collection.

use std::path::PathBuf;

use holdfast_engine::{Command, EffectId, Failure, Outcome, Uid, backup, snapshot};
use holdfast_eventlog::Ledger;
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::repo::Repo;

use super::repository::SNAPSHOTS;
use super::{Local, place};

/// What is removed.
struct Doomed {
    directory: PathBuf,
    description: String,
    commits: Vec<String>,
}

/// Removes a snapshot's data, when its removal asks for that, and answers whoever asked.
pub(super) fn remove(local: &Local, ledger: &Ledger, effect: EffectId, uid: Uid, by: Option<Uid>) {
    let doomed = find(local, ledger, uid);
    local.spawn_blocking(move || {
        let removed = doomed.and_then(|doomed| doomed.as_ref().map_or(Ok(()), carry_out));
        let outcome = removed.map_or_else(Outcome::Failed, |()| Outcome::Succeeded);
        match by {
            Some(session) => Command::Backup(backup::Command::RemovalReported {
                session,
                effect,
                snapshot: uid,
                outcome,
            }),
            None => Command::Snapshot(snapshot::Command::RemovalReported { uid, effect, outcome }),
        }
    });
}

fn find(local: &Local, ledger: &Ledger, uid: Uid) -> Result<Option<Doomed>, Failure> {
    let state = ledger.state();
    let Some(found) = state.snapshots.get(&uid) else { return Ok(None) };
    if !found.removal.as_ref().is_some_and(|removal| removal.wipe) {
        return Ok(None);
    }
    let Some(repository) = state.repositories.get(&found.repository) else { return Ok(None) };
    let commits =
        found.components.iter().map(|c| c.commit.clone()).filter(|commit| !commit.is_empty());
    Ok(Some(Doomed {
        directory: place::of_repository(ledger, &local.catalog.get(), &local.volumes, repository)?,
        description: format!("{}.yaml", found.key.name),
        commits: commits.collect(),
    }))
}

fn carry_out(doomed: &Doomed) -> Result<(), Failure> {
    if !doomed.commits.is_empty() {
        let repo = Repo::at(place::store(&doomed.directory)?);
        for commit in doomed.commits.iter().filter_map(|commit| SnapshotName::from_hex(commit)) {
            repo.forget(&commit).map_err(|error| failed(error.to_string()))?;
        }
    }
    // The commits first: a description without data would promise what is gone.
    match std::fs::remove_file(doomed.directory.join(SNAPSHOTS).join(&doomed.description)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed(error.to_string()))
        }
        _ => Ok(()),
    }
}

fn failed(message: String) -> Failure {
    Failure { reason: "RemovalFailed".into(), message, permanent: false }
}
