//! Plain values, to be changed field by field.

use alloc::string::String;
use alloc::vec::Vec;

use crate::condition::Conditions;
use crate::dependency::Driver;
use crate::group::Group;
use crate::ids::{Key, TypedRef, Uid};
use crate::outcome::Failure;
use crate::report::Grade;
use crate::snapshot::state::{Component, Snapshot};
use crate::storage::DeletionPolicy;
use crate::time::{Millis, Timestamp};
use crate::{backup, restore, run};

/// A uid that is told from others by one number.
pub(crate) fn uid(number: u8) -> Uid {
    Uid([number; 16])
}

/// A snapshot that was just made.
pub(crate) fn snapshot() -> Snapshot {
    Snapshot {
        uid: uid(1),
        key: Key::new(Group::KubeStashStorage, "demo", "repo-app-nightly-1"),
        repository: uid(2),
        backup: Some(uid(3)),
        backup_key: Some(Key::new(Group::KubeStash, "demo", "app-nightly-1")),
        session: "nightly".into(),
        app: TypedRef::absent(),
        deletion: DeletionPolicy::Delete,
        taken: Timestamp(0),
        total: 0,
        components: Vec::new(),
        conditions: Conditions::default(),
        removal: None,
        updated: Timestamp(0),
    }
}

/// A component that is being written.
pub(crate) fn snapshot_component(name: &str) -> Component {
    Component {
        name: name.into(),
        path: String::new(),
        driver: Driver::Restic,
        outcome: None,
        commit: String::new(),
        partial: false,
        source_empty: false,
        grade: Grade::None,
        size: 0,
        duration: Millis(0),
        paths: Vec::new(),
    }
}

/// What happened to the run of a backup.
pub(crate) fn in_backup(event: run::Event) -> backup::Event {
    backup::Event::Run { event }
}

/// What happened to the run of a restore.
pub(crate) fn in_restore(event: run::Event) -> restore::Event {
    restore::Event::Run { event }
}

/// A failure that another try may heal.
pub(crate) fn failure(reason: &str) -> Failure {
    Failure { reason: reason.into(), message: "it went wrong".into(), permanent: false }
}
