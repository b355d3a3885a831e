//! One object with all that its rendering needs, taken from the state at once: plain owned data that can be rendered
//! elsewhere while the state goes on.

use alloc::boxed::Box;
use alloc::string::String;

use super::backup::{self, BackupStatus};
use super::configuration::{self, ConfigurationStatus};
use super::phases;
use super::repository::{self, RepositoryStatus};
use super::restore::{self, RestoreStatus};
use super::snapshot::{self, SnapshotStatus};
use super::storage::{self, StorageStatus};
use crate::backup::state::Backup;
use crate::binding::Made;
use crate::event::StreamKind;
use crate::group::Group;
use crate::ids::{Key, TypedRef, Uid};
use crate::repository::state::Repository;
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::storage::state::Storage;
use crate::time::Timestamp;

/// An object that has a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A BackupStorage.
    Storage(Box<StorageObject>),
    /// A BackupConfiguration.
    Configuration(Box<ConfigurationObject>),
    /// A Repository.
    Repository(Box<RepositoryObject>),
    /// A BackupSession.
    Backup(Box<BackupObject>),
    /// A Snapshot.
    Snapshot(Box<SnapshotObject>),
    /// A RestoreSession.
    Restore(Box<RestoreObject>),
}

/// A BackupStorage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageObject {
    /// What is known of it.
    pub storage: Storage,
    /// `status`.
    pub status: StorageStatus,
    /// Why it is not Ready, when it is not.
    pub reason: Option<String>,
}

/// A BackupConfiguration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationObject {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// When it was first declared.
    pub created_at: Timestamp,
    /// What is backed up.
    pub target: Option<TypedRef>,
    /// `status`.
    pub status: ConfigurationStatus,
}

/// A Repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryObject {
    /// What is known of it.
    pub repository: Repository,
    /// `status`.
    pub status: RepositoryStatus,
}

/// A BackupSession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupObject {
    /// What is known of it.
    pub backup: Backup,
    /// Its configuration, while that is known.
    pub configuration: Option<Owner>,
    /// `status`.
    pub status: BackupStatus,
    /// Why it failed, when it did.
    pub reason: Option<String>,
}

/// A Snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotObject {
    /// What is known of it.
    pub snapshot: Snapshot,
    /// Its repository, while that is known.
    pub repository: Option<Owner>,
    /// Name of the session that made it, while that is known.
    pub backup: Option<String>,
    /// `status`.
    pub status: SnapshotStatus,
}

/// A RestoreSession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreObject {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// When it was first declared.
    pub created_at: Timestamp,
    /// `status`.
    pub status: RestoreStatus,
    /// Why it failed or what it waits for, when it does.
    pub reason: Option<String>,
}

/// The object that another one belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its API group.
    pub group: Group,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Uid,
}

impl Owner {
    fn of(key: &Key, uid: Uid) -> Self {
        Self { group: key.group, name: key.name.clone(), uid }
    }
}

/// The object of a stream. None for what has no status, and for what is not known any more.
#[must_use]
pub fn object(state: &State, kind: StreamKind, uid: Uid) -> Option<Object> {
    Some(match kind {
        StreamKind::Storage => Object::Storage(Box::new(of_storage(state, uid)?)),
        StreamKind::Configuration => Object::Configuration(Box::new(of_configuration(state, uid)?)),
        StreamKind::Repository => Object::Repository(Box::new(of_repository(state, uid)?)),
        StreamKind::Backup => Object::Backup(Box::new(of_backup(state, uid)?)),
        StreamKind::Snapshot => Object::Snapshot(Box::new(of_snapshot(state, uid)?)),
        StreamKind::Restore => Object::Restore(Box::new(of_restore(state, uid)?)),
        _ => return None,
    })
}

fn of_storage(state: &State, uid: Uid) -> Option<StorageObject> {
    let storage = state.storages.get(&uid)?;
    Some(StorageObject {
        status: storage::status(state, storage),
        reason: storage::reason(state, storage),
        storage: storage.clone(),
    })
}

fn of_configuration(state: &State, uid: Uid) -> Option<ConfigurationObject> {
    let found = state.configurations.get(&uid)?;
    Some(ConfigurationObject {
        uid,
        key: found.key.clone(),
        generation: found.generation,
        created_at: found.created_at,
        target: found.target.clone(),
        status: configuration::status(state, found),
    })
}

/// A Repository.
#[must_use]
pub fn of_repository(state: &State, uid: Uid) -> Option<RepositoryObject> {
    let repository = state.repositories.get(&uid)?;
    let status = repository::status(state, repository);
    Some(RepositoryObject { repository: repository.clone(), status })
}

fn of_backup(state: &State, uid: Uid) -> Option<BackupObject> {
    let backup = state.backups.get(&uid)?;
    let configuration = state.configurations.get(&backup.configuration);
    Some(BackupObject {
        configuration: configuration.map(|found| Owner::of(&found.key, found.uid)),
        status: backup::status(state, backup),
        reason: phases::backup_error(backup),
        backup: backup.clone(),
    })
}

/// A Snapshot.
#[must_use]
pub fn of_snapshot(state: &State, uid: Uid) -> Option<SnapshotObject> {
    let snapshot = state.snapshots.get(&uid)?;
    let repository = state.repositories.get(&snapshot.repository);
    Some(SnapshotObject {
        repository: repository.map(|found| {
            let made = Made::whole(StreamKind::Repository, found.uid);
            Owner::of(&found.key, state.live_uid(&made))
        }),
        backup: snapshot.backup_key.as_ref().map(|key| key.name.clone()),
        status: snapshot::status(snapshot),
        snapshot: snapshot.clone(),
    })
}

fn of_restore(state: &State, uid: Uid) -> Option<RestoreObject> {
    let found = state.restores.get(&uid)?;
    let status = restore::status(state, found);
    Some(RestoreObject {
        uid,
        key: found.key.clone(),
        generation: found.generation,
        created_at: found.created_at,
        reason: phases::restore_error(found).or_else(|| status.waiting.clone()),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world::{World, named};

    #[test]
    fn a_snapshot_names_its_session_when_that_is_long_gone() {
        let mut world = World::ready();
        let session = world.succeed();
        let snapshot = world.snapshot_of(session);
        let named = world.backup(session).key.name.clone();
        world.ask(crate::backup::Command::Delete { session });
        assert!(!world.state.backups.contains_key(&session));
        assert_eq!(of_snapshot(&world.state, snapshot).unwrap().backup, Some(named));
        let adopted = world.adopt("found", &["pod-0"]);
        assert_eq!(of_snapshot(&world.state, adopted).unwrap().backup, None);
    }

    #[test]
    fn every_kind_that_has_a_status_is_an_object_and_nothing_else() {
        let mut world = World::restorable();
        world.declare_restore(crate::testing::given::restore(&[]));
        let state = &world.state;
        let all = [
            (StreamKind::Storage, state.storages.keys().next()),
            (StreamKind::Configuration, state.configurations.keys().next()),
            (StreamKind::Repository, state.repositories.keys().next()),
            (StreamKind::Snapshot, state.snapshots.keys().next()),
            (StreamKind::Restore, state.restores.keys().next()),
        ];
        for (kind, uid) in all {
            assert!(object(state, kind, *uid.unwrap()).is_some(), "{kind:?}");
            assert!(object(state, kind, named("nobody")).is_none(), "{kind:?}");
        }
        assert!(object(state, StreamKind::Lease, named("nobody")).is_none());
    }
}
