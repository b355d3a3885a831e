//! What has happened, one variant per aggregate, and how it stands in the log.

use crate::ids::{CommandId, Uid};
pub use crate::stream::{StreamId, StreamKind};
use crate::time::Timestamp;
use crate::{
    backup, binding, configuration, dependency, hook, lease, namespace, outbox, reaction,
    repository, restore, retention, run, schedule, snapshot, storage,
};

/// Something that happened. Never encoded as such: the log has a frozen shape for every variant.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is its aggregate's own word")]
pub enum Event {
    Lease(lease::Event),
    Namespace(namespace::Event),
    Dependency(dependency::Event),
    Storage(storage::Event),
    Retention(retention::Event),
    Hook(hook::Event),
    Configuration(configuration::Event),
    Schedule(schedule::Event),
    Repository(repository::Event),
    Backup(backup::Event),
    Snapshot(snapshot::Event),
    Restore(restore::Event),
    Outbox(outbox::Event),
    Reaction(reaction::Event),
    Binding(binding::Event),
}

/// An event in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Place in the log; starts at 1, no gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The command that caused it.
    pub cause: CommandId,
    /// Term of leadership under which it was decided.
    pub epoch: u64,
    /// What happened.
    pub event: Event,
}

impl Event {
    /// The stream that this event belongs to.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        let (kind, uid) = match self {
            Self::Lease(_) => (StreamKind::Lease, Uid::default()),
            Self::Namespace(e) => (StreamKind::Namespace, e.uid()),
            Self::Dependency(e) => (StreamKind::Dependency, e.uid()),
            Self::Storage(e) => (StreamKind::Storage, e.uid()),
            Self::Retention(e) => (StreamKind::Retention, e.uid()),
            Self::Hook(e) => (StreamKind::Hook, e.uid()),
            Self::Configuration(e) => (StreamKind::Configuration, e.uid()),
            Self::Schedule(e) => (StreamKind::Schedule, e.uid()),
            Self::Repository(e) => (StreamKind::Repository, e.uid()),
            Self::Backup(e) => (StreamKind::Backup, e.uid()),
            Self::Snapshot(e) => (StreamKind::Snapshot, e.uid()),
            Self::Restore(e) => (StreamKind::Restore, e.uid()),
            Self::Outbox(e) => (StreamKind::Outbox, e.uid()),
            Self::Reaction(_) => (StreamKind::Reaction, Uid::default()),
            Self::Binding(e) => (e.made().kind, e.made().uid),
        };
        StreamId { kind, uid }
    }

    /// What happened to the run of a backup or a restore.
    #[must_use]
    pub fn run(&self) -> Option<&run::Event> {
        match self {
            Self::Backup(backup::Event::Run { event })
            | Self::Restore(restore::Event::Run { event }) => Some(event),
            _ => None,
        }
    }

    /// The object leaves the state with this event.
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        matches!(
            self,
            Self::Namespace(namespace::Event::Gone { .. })
                | Self::Dependency(dependency::Event::Gone { .. })
                | Self::Storage(storage::Event::Deleted { .. })
                | Self::Retention(retention::Event::Deleted { .. })
                | Self::Hook(hook::Event::Deleted { .. })
                | Self::Configuration(configuration::Event::Deleted { .. })
                | Self::Repository(repository::Event::Deleted { .. })
                | Self::Backup(backup::Event::Archived { .. })
                | Self::Snapshot(snapshot::Event::Forgotten { .. })
                | Self::Restore(restore::Event::Archived { .. })
        )
    }
}

/// An aggregate's event is an event.
macro_rules! from_aggregate {
    ($($variant:ident: $module:ident),* $(,)?) => {$(
        impl From<$module::Event> for Event {
            fn from(event: $module::Event) -> Self {
                Self::$variant(event)
            }
        }
    )*};
}

from_aggregate! {
    Lease: lease, Namespace: namespace, Dependency: dependency, Storage: storage,
    Retention: retention, Hook: hook, Configuration: configuration, Schedule: schedule,
    Repository: repository, Backup: backup, Snapshot: snapshot, Restore: restore, Outbox: outbox,
    Reaction: reaction, Binding: binding,
}
