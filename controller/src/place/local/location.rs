//! Where storages and repositories lie, and what opens them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use holdfast_api::storage::{Backend, BackupStorage, LocalSpec};
use holdfast_engine::plan::{Located, Stored};
use holdfast_engine::survey::{Claim, Volume};
use holdfast_engine::{Failure, Key, TypedRef};
use holdfast_executor::store::{Access, url_below, url_of_directory};
use zeroize::Zeroizing;

use super::machine::Local;
use super::volumes::Volumes;
use crate::translate::backend;
use crate::translate::job::Place;
use crate::translate::kubestash::secret::PASSPHRASE;

/// All that is ours below the path of a Repository. KubeStash keeps restic's below `repository`, and never meets us.
const FOLDER: &str = "holdfast";

/// The folder of a repository's objects in it, by the version of the layout.
const LAYOUT: &str = "v1";

/// A storage, as tasks and jobs name it.
pub(super) struct Location {
    /// Its root.
    pub(super) url: String,
    /// What opens it.
    pub(super) access: Access,
}

/// A repository's paths below its storage.
pub(super) struct Paths {
    path: String,
}

impl Paths {
    pub(super) fn of(repository: &Located) -> Self {
        Self { path: repository.path.trim_matches('/').to_owned() }
    }

    /// A path below the repository's.
    pub(super) fn below(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        }
    }

    /// The path itself.
    pub(super) fn path(&self) -> String {
        self.path.clone()
    }

    /// All that is ours of its data.
    pub(super) fn folder(&self) -> String {
        self.below(FOLDER)
    }

    /// Its objects.
    pub(super) fn objects(&self) -> String {
        self.below(&format!("{FOLDER}/{LAYOUT}"))
    }
}

impl Local {
    /// Where a storage lies, and what opens it.
    ///
    /// It is read from the declaration that the engine decided on, so that a storage whose file is gone can still
    /// be wiped.
    ///
    /// # Errors
    /// When the storage cannot be reached from here, or what opens it is not there.
    pub(super) async fn location(&self, storage: &Stored) -> Result<Location, Failure> {
        let backend = self.backend(storage)?;
        match backend.provider.as_deref() {
            Some("local") => {
                let directory = self.directory(storage, backend.local.unwrap_or_default())?;
                Ok(Location { url: url_of_directory(&directory), access: Access::default() })
            }
            Some("s3") => {
                let url = backend::bucket_url(&backend.s3.clone().unwrap_or_default())
                    .map_err(|why| unsupported(storage, &why))?;
                let access = self.access(storage, &backend).await?;
                Ok(Location { url, access })
            }
            other => Err(unsupported(
                storage,
                &format!(
                    "provider {} cannot be reached by this build; use s3, or local with a hostPath",
                    other.unwrap_or_default()
                ),
            )),
        }
    }

    /// A repository as a job names it.
    ///
    /// # Errors
    /// As for [`Self::location`] and [`Self::passphrase`].
    pub(super) async fn place(&self, repository: &Located) -> Result<Place, Failure> {
        let Location { url, access } = self.location(&repository.storage).await?;
        Ok(Place {
            uid: repository.uid,
            url: url_below(&url, &Paths::of(repository).objects()),
            access,
            passphrase: self.passphrase(repository).await?,
            id: repository.id,
        })
    }

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

    /// What opens a bucket: its own Secret, as it is now.
    async fn access(&self, storage: &Stored, backend: &Backend) -> Result<Access, Failure> {
        let Some(name) = backend::secret_name(backend) else {
            return Err(backend::nothing_to_open_with(&storage.key.to_string()));
        };
        let secret = Key::core(storage.key.namespace.clone(), name);
        let mut values = BTreeMap::new();
        for key in backend::VARIABLES {
            if let Some(value) = self.secrets.value(&secret, key).await? {
                values.insert(key.to_owned(), value);
            }
        }
        backend::access(&secret.to_string(), values)
    }

    fn backend(&self, storage: &Stored) -> Result<Backend, Failure> {
        let damaged = |why: String| {
            failure("LogDamaged", format!("the declaration of {}: {why}", storage.key))
        };
        let document = self.attachments.load(&storage.hash).map_err(|e| damaged(e.to_string()))?;
        let document = document.ok_or_else(|| damaged("it is not in the log".into()))?;
        let object = serde_json::from_slice(&document).map_err(|e| damaged(e.to_string()))?;
        let object: BackupStorage =
            holdfast_api::read::read(&object).map_err(|e| damaged(e.to_string()))?;
        Ok(object.spec.storage.unwrap_or_default())
    }

    fn directory(&self, storage: &Stored, local: LocalSpec) -> Result<PathBuf, Failure> {
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
                claim: Some(Claim::named(claim.claim_name)),
                mount_path: local.mount_path.clone().unwrap_or_default(),
                ..Volume::default()
            };
            Volumes { catalog: &self.catalog.get(), root: &self.volumes }
                .directory(&target, &volume)?
        } else {
            let why = "spec.storage.local needs a hostPath or a persistentVolumeClaim here";
            return Err(unsupported(storage, why));
        };
        let base = match local.sub_path {
            Some(sub) => base.join(sub.trim_matches('/')),
            None => base,
        };
        if !base.is_absolute() {
            let why = format!("{} is not an absolute path", base.display());
            return Err(unsupported(storage, &why));
        }
        Ok(base)
    }
}

fn unsupported(storage: &Stored, why: &str) -> Failure {
    failure("UnsupportedBackend", format!("{}: {why}", storage.key))
}

fn failure(reason: &str, message: String) -> Failure {
    Failure { reason: reason.into(), message, permanent: true }
}
