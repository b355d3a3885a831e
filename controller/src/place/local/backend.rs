//! A storage's directory: made ready with its `metadata.yaml`, and wiped.

use std::io;
use std::path::Path;

use holdfast_engine::Failure;
use holdfast_engine::plan::{Description, Stored};

use super::{Local, document, trouble};
use crate::place::{Answer, Trouble};
use crate::replace::{OPEN, replace};

/// The description of a storage, at its root.
pub(super) const METADATA: &str = "metadata.yaml";

/// Makes the directory and writes its description: who cannot do that cannot store anything there.
pub(super) async fn initialize(local: &Local, storage: Description) -> Result<Answer, Trouble> {
    let here = local.here();
    super::blocking(move || {
        let root = here.of_storage(&storage.storage)?;
        let text = document::backend(&storage)?;
        std::fs::create_dir_all(&root)
            .and_then(|()| replace(&root.join(METADATA), text.as_bytes(), OPEN))
            .map_err(|error| trouble::because(unusable(&root, &error), &error))?;
        Ok(Answer::Done)
    })
    .await
}

/// Removes the description; repositories were wiped before.
pub(super) async fn wipe(local: &Local, storage: Stored) -> Result<Answer, Trouble> {
    let here = local.here();
    super::blocking(move || {
        let root = here.of_storage(&storage)?;
        match std::fs::remove_file(root.join(METADATA)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(trouble::because(unusable(&root, &error), &error))
            }
            _ => Ok(Answer::Done),
        }
    })
    .await
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
