//! A snapshot's description beside its data, and the lists that name it.

use std::path::PathBuf;

use holdfast_engine::{EffectId, Failure, Outcome, Uid};
use holdfast_eventlog::Ledger;

use super::backend::{METADATA, unusable};
use super::repository::{DESCRIPTION, SNAPSHOTS};
use super::{Local, document, place};
use crate::place::{Task, answered};
use crate::replace::{OPEN, replace};

/// Writes `snapshots/<name>.yaml`, and `repository.yaml` and `metadata.yaml` as they are now.
pub(super) fn upload(local: &Local, ledger: &Ledger, effect: EffectId, uid: Uid) -> Task {
    let prepared = files(local, ledger, uid);
    Task::blocking(move || {
        let written = prepared.and_then(|files| {
            files.into_iter().try_for_each(|(path, text)| {
                let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                made.and_then(|()| replace(&path, text.as_bytes(), OPEN))
                    .map_err(|error| unusable(&path, &error))
            })
        });
        let outcome = written.map_or_else(Outcome::Failed, |()| Outcome::Succeeded);
        answered(effect, outcome)
    })
}

fn files(local: &Local, ledger: &Ledger, uid: Uid) -> Result<Vec<(PathBuf, String)>, Failure> {
    let state = ledger.state();
    let gone = || Failure {
        reason: "SnapshotGone".into(),
        message: "the snapshot or its repository is not known any more".into(),
        permanent: true,
    };
    let found = state.snapshots.get(&uid).ok_or_else(gone)?;
    let repository = state.repositories.get(&found.repository).ok_or_else(gone)?;
    let storage = state.storage_named(&repository.storage).ok_or_else(gone)?;
    let catalog = local.catalog.get();
    let root = place::of_storage(ledger, &catalog, &local.volumes, storage)?;
    let directory = place::of_repository(ledger, &catalog, &local.volumes, repository)?;
    let snapshot = directory.join(SNAPSHOTS).join(format!("{}.yaml", found.key.name));
    Ok(vec![
        (snapshot, document::snapshot(state, uid)?),
        (directory.join(DESCRIPTION), document::repository(state, repository.uid)?),
        (root.join(METADATA), document::backend(state, storage)?),
    ])
}
