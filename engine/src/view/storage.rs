//! `status` of a BackupStorage: a join over its Secret and its repositories.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::phases::{self, Readiness};
use super::repository;
use crate::condition::{Condition, Conditions, Type};
use crate::dependency::state::secret;
use crate::state::State;
use crate::storage::state::Storage;
use crate::units::format_size;

/// `status` of a BackupStorage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// `phase`.
    pub phase: Readiness,
    /// `totalSize`; empty while unknown.
    pub total_size: String,
    /// `repositories`, by name.
    pub repositories: Vec<StoredRepository>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `repositories`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRepository {
    /// `name`.
    pub name: String,
    /// `namespace`.
    pub namespace: String,
    /// `path`.
    pub path: String,
    /// `size`; empty while unknown.
    pub size: String,
    /// `synced`: it opens.
    pub synced: bool,
    /// `error`: why it does not.
    pub error: Option<String>,
}

/// Whether the credential Secret is there; absent when the storage names none.
#[must_use]
pub fn secret_found(state: &State, storage: &Storage) -> Option<bool> {
    let key = storage.spec.secret.as_ref()?;
    Some(state.dependency(&secret(key)).is_some())
}

/// The phase of a storage.
#[must_use]
pub fn phase(state: &State, storage: &Storage) -> Readiness {
    phases::storage(storage.is_initialized(), secret_found(state, storage))
}

/// Why a storage is not Ready, in one sentence; absent when it is.
#[must_use]
pub fn reason(state: &State, storage: &Storage) -> Option<String> {
    if phase(state, storage) == Readiness::Ready {
        return None;
    }
    let missing = || {
        let key = storage.spec.secret.as_ref()?;
        (secret_found(state, storage) == Some(false))
            .then(|| alloc::format!("Secret {key} is not there"))
    };
    let known = storage.conditions.get(Type::BackendInitialized);
    missing()
        .or_else(|| known.map(|condition| condition.message.clone()))
        .or_else(|| Some("its backend has not been checked yet".into()))
}

/// The status of a storage.
#[must_use]
pub fn status(state: &State, storage: &Storage) -> StorageStatus {
    let mut mine: Vec<_> = state
        .repositories
        .values()
        .filter(|repository| repository.storage == storage.key)
        .collect();
    mine.sort_by(|a, b| a.key.cmp(&b.key));
    let sizes: Vec<u64> =
        mine.iter().filter_map(|known| repository::bytes(state, known.uid)).collect();
    let total = sizes.iter().fold(0u64, |sum, size| sum.saturating_add(*size));
    let repositories = mine.iter().map(|known| StoredRepository {
        name: known.key.name.clone(),
        namespace: known.key.namespace.clone(),
        path: known.path.clone(),
        size: repository::bytes(state, known.uid).map(format_size).unwrap_or_default(),
        synced: known.is_ready(),
        error: known.failure.as_ref().map(|failure| failure.message.clone()),
    });
    StorageStatus {
        phase: phase(state, storage),
        total_size: if sizes.is_empty() { String::new() } else { format_size(total) },
        repositories: repositories.collect(),
        conditions: conditions(state, storage),
    }
}

/// The joined condition has no event of its own; it stands since the storage was last checked.
fn conditions(state: &State, storage: &Storage) -> Vec<Condition> {
    let mut joined = Conditions::default();
    let checked = storage.conditions.get(Type::BackendInitialized);
    let since = checked.map_or(storage.created_at, |condition| condition.since);
    if let (Some(found), Some(key)) = (secret_found(state, storage), &storage.spec.secret) {
        let missing = alloc::format!("Secret {key} is not there.");
        joined.state(since, Type::BackendSecretFound, (!found).then_some(missing.as_str()));
    }
    joined.iter().chain(storage.conditions.iter()).cloned().collect()
}
