//! A snapshot's description beside its data, and the lists that name it.

use std::path::PathBuf;

use holdfast_engine::plan::Metadata;
use holdfast_engine::view::object::Object;

use super::backend::{METADATA, unusable};
use super::repository::{DESCRIPTION, SNAPSHOTS};
use super::{Local, document, trouble};
use crate::place::{Answer, Trouble};
use crate::replace::{OPEN, replace};

/// Writes `snapshots/<name>.yaml`, and `repository.yaml` and `metadata.yaml` as they are now.
pub(super) async fn upload(local: &Local, metadata: Metadata) -> Result<Answer, Trouble> {
    let here = local.here();
    super::blocking(move || {
        let Metadata { snapshot, repository, place, storage } = metadata;
        let (root, directory) = (here.of_storage(&storage.storage)?, here.of_repository(&place)?);
        let name = format!("{}.yaml", snapshot.snapshot.key.name);
        let files: [(PathBuf, String); 3] = [
            (
                directory.join(SNAPSHOTS).join(name),
                document::of(&Object::Snapshot(Box::new(snapshot)))?,
            ),
            (directory.join(DESCRIPTION), document::of(&Object::Repository(Box::new(repository)))?),
            (root.join(METADATA), document::backend(&storage)?),
        ];
        for (path, text) in files {
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| replace(&path, text.as_bytes(), OPEN))
                .map_err(|error| trouble::because(unusable(&path, &error), &error))?;
        }
        Ok(Answer::Done)
    })
    .await
}
