//! Where storages and repositories lie, and what opens them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_api::storage::BackupStorage;
use holdfast_engine::plan::{Located, Stored};
use holdfast_engine::survey::Volume;
use holdfast_engine::{Failure, TypedRef};
use holdfast_eventlog::Attachments;
use holdfast_executor::store::{Access, SharedStore};
use zeroize::Zeroizing;

use super::Local;
use super::volumes::Volumes;
use crate::place::local::declared::catalog::Catalog;
use crate::translate::kubestash::secret::PASSPHRASE;

/// All that is ours below the path of a Repository. KubeStash keeps restic's below `repository`, and never meets us.
pub(super) const FOLDER: &str = "holdfast";

/// The folder of a repository's objects in it, by the version of the layout.
const LAYOUT: &str = "v1";

/// What tells where things lie: the declared objects as they were at one moment, and the documents of the log.
pub(super) struct Here {
    pub(super) catalog: Arc<Catalog>,
    pub(super) attachments: Attachments,
    pub(super) volumes: PathBuf,
}

impl Here {
    /// The directory of a storage.
    ///
    /// It is read from the declaration that the engine decided on, so that a storage whose file is gone can still
    /// be wiped.
    ///
    /// # Errors
    /// When no directory stands for the storage.
    pub(super) fn of_storage(&self, storage: &Stored) -> Result<PathBuf, Failure> {
        of_storage(&self.attachments, &self.catalog, &self.volumes, storage)
    }

    /// The directory of a repository: its `repository.yaml`, its snapshots' descriptions, its data.
    ///
    /// # Errors
    /// When its storage has no directory.
    pub(super) fn of_repository(&self, repository: &Located) -> Result<PathBuf, Failure> {
        Ok(self.of_storage(&repository.storage)?.join(repository.path.trim_matches('/')))
    }
}

fn of_storage(
    attachments: &Attachments,
    catalog: &Catalog,
    volumes: &Path,
    storage: &Stored,
) -> Result<PathBuf, Failure> {
    let document = attachments
        .load(&storage.hash)
        .map_err(|error| failure("LogDamaged", error.to_string()))?
        .ok_or_else(|| {
            failure("LogDamaged", format!("the declaration of {} is not in the log", storage.key))
        })?;
    let object: BackupStorage = serde_json::from_slice(&document)
        .map_err(|error| error.to_string())
        .and_then(|object| holdfast_api::read::read(&object).map_err(|error| error.to_string()))
        .map_err(|error| {
            failure("LogDamaged", format!("the declaration of {}: {error}", storage.key))
        })?;
    let backend = object.spec.storage.unwrap_or_default();
    if backend.provider.as_deref() != Some("local") {
        return Err(failure(
            "UnsupportedBackend",
            format!(
                "provider {} cannot be reached by this build; use local with a hostPath",
                backend.provider.unwrap_or_default()
            ),
        ));
    }
    let local = backend.local.unwrap_or_default();
    let base = if let Some(host_path) = local.source.host_path {
        PathBuf::from(host_path.path)
    } else if let Some(claim) = local.source.persistent_volume_claim {
        let target = TypedRef {
            api_group: String::new(),
            kind: "PersistentVolumeClaim".into(),
            namespace: storage.key.namespace.clone(),
            name: claim.claim_name.clone(),
        };
        let volume = Volume {
            name: claim.claim_name.clone(),
            claim: Some(claim.claim_name),
            mount_path: local.mount_path.clone().unwrap_or_default(),
        };
        Volumes { catalog, root: volumes }.directory(&target, &volume)?
    } else {
        return Err(failure(
            "UnsupportedBackend",
            format!(
                "{}: spec.storage.local needs a hostPath or a persistentVolumeClaim here",
                storage.key
            ),
        ));
    };
    let base = match local.sub_path {
        Some(sub) => base.join(sub.trim_matches('/')),
        None => base,
    };
    if !base.is_absolute() {
        return Err(failure(
            "UnsupportedBackend",
            format!("{}: {} is not an absolute path", storage.key, base.display()),
        ));
    }
    Ok(base)
}

impl Local {
    /// The passphrase of a repository.
    ///
    /// # Errors
    /// When no Secret is named, or it is not declared, or has no passphrase.
    pub(super) async fn passphrase(
        &self,
        repository: &Located,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Some(secret) = &repository.secret else {
            return Err(failure(
                "EncryptionSecretNotFound",
                format!(
                    "Repository {} names no encryptionSecret, and data is never stored without encryption",
                    repository.key
                ),
            ));
        };
        match self.secrets.value(secret, PASSPHRASE).await? {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(failure(
                "EncryptionSecretNotFound",
                format!("encryption Secret {secret} is not declared, or its {PASSPHRASE} is empty"),
            )),
        }
    }
}

/// The URL of a repository's data.
#[must_use]
pub fn url(directory: &Path) -> String {
    let mut url = String::from("file://");
    for byte in directory.join(FOLDER).join(LAYOUT).as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// The store of a repository's data.
///
/// # Errors
/// When the directory cannot be used.
pub fn store(directory: &Path) -> Result<SharedStore, Failure> {
    holdfast_executor::store::open_url(&url(directory), &Access::default()).map_err(|error| {
        Failure {
            reason: "StoreUnreachable".into(),
            message: format!("{}: {error}", directory.display()),
            permanent: false,
        }
    })
}

fn failure(reason: &str, message: String) -> Failure {
    Failure { reason: reason.into(), message, permanent: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_and_percents_is_escaped() {
        assert_eq!(url(Path::new("/srv/a b/50%")), "file:///srv/a%20b/50%25/holdfast/v1");
    }
}
