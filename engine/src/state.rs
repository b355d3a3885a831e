//! Everything the engine knows: the fold of all events. Ordered maps only, so that two replays of one
//! log give equal bytes.
//!
//! Live objects only (design 4.3): what is archived or forgotten leaves the maps, its events stay in
//! the log.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::backup::state::Backup;
use crate::binding::Made;
use crate::configuration::state::Configuration;
use crate::dependency::Facts;
use crate::dependency::state::Dependency;
use crate::effect::Once;
use crate::event::StreamKind;
use crate::hook::state::HookTemplate;
use crate::ids::{EffectId, Key, TypedRef, Uid};
use crate::index::{Index, Looked};
use crate::namespace::state::Namespace;
use crate::reaction::Reaction;
use crate::repository::state::Repository;
use crate::restore::state::Restore;
use crate::retention::state::RetentionPolicy;
use crate::run::limit::Limits;
use crate::schedule::state::Schedule;
use crate::snapshot::state::Snapshot;
use crate::storage::state::Storage;
use crate::table::Table;
use crate::time::Timestamp;
use crate::usage::References;

/// The fold of all events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Sequence number of the last event; zero before the first.
    pub seq: u64,
    /// Current term of leadership; zero before the first.
    pub epoch: u64,
    /// Time of the last event.
    pub last_at: Timestamp,
    /// Who leads.
    pub leader: String,
    /// Stretches of the log whose loss was accepted: first and last sequence number.
    pub gaps: Vec<(u64, u64)>,
    /// How far references across namespaces go, as the operator was installed.
    pub references: References,
    /// How many workers there may be at once.
    pub limits: Limits,
    /// Namespaces.
    pub namespaces: Table<Namespace>,
    /// Secrets, Addons, Functions, targets.
    pub dependencies: Table<Dependency>,
    /// BackupStorages.
    pub storages: Table<Storage>,
    /// RetentionPolicies.
    pub retentions: Table<RetentionPolicy>,
    /// HookTemplates.
    pub hooks: Table<HookTemplate>,
    /// BackupConfigurations.
    pub configurations: Table<Configuration>,
    /// Schedules by configuration and session name.
    pub schedules: Table<BTreeMap<String, Schedule>>,
    /// Repositories.
    pub repositories: Table<Repository>,
    /// BackupSessions.
    pub backups: Table<Backup>,
    /// Snapshots.
    pub snapshots: Table<Snapshot>,
    /// RestoreSessions.
    pub restores: Table<Restore>,
    /// Uids by kind and name.
    pub names: BTreeMap<(StreamKind, Key), Uid>,
    /// Uids of dependencies by reference.
    pub objects: BTreeMap<TypedRef, Uid>,
    /// Uids of live objects that we made, where they have others than ours.
    pub bound: BTreeMap<Made, Uid>,
    /// Once-effects whose outcome is not known yet: what a new leader has to look after.
    pub outbox: BTreeMap<EffectId, Once>,
    /// What earlier events mean for other objects and nobody has decided on yet, by the number that it waits
    /// under.
    pub waiting: BTreeMap<u64, Reaction>,
    /// Sets that follow from all this; no part of its bytes.
    #[serde(skip)]
    pub index: Index,
}

impl State {
    /// The uid behind a name.
    #[must_use]
    pub fn uid_of(&self, kind: StreamKind, key: &Key) -> Option<Uid> {
        self.names.get(&(kind, key.clone())).copied()
    }

    /// The storage of this name.
    #[must_use]
    pub fn storage_named(&self, key: &Key) -> Option<&Storage> {
        self.storages.get(&self.uid_of(StreamKind::Storage, key)?)
    }

    /// The retention policy of this name.
    #[must_use]
    pub fn retention_named(&self, key: &Key) -> Option<&RetentionPolicy> {
        self.retentions.get(&self.uid_of(StreamKind::Retention, key)?)
    }

    /// The hook template of this name.
    #[must_use]
    pub fn hook_named(&self, key: &Key) -> Option<&HookTemplate> {
        self.hooks.get(&self.uid_of(StreamKind::Hook, key)?)
    }

    /// The configuration of this name.
    #[must_use]
    pub fn configuration_named(&self, key: &Key) -> Option<&Configuration> {
        self.configurations.get(&self.uid_of(StreamKind::Configuration, key)?)
    }

    /// The repository of this name.
    #[must_use]
    pub fn repository_named(&self, key: &Key) -> Option<&Repository> {
        self.repositories.get(&self.uid_of(StreamKind::Repository, key)?)
    }

    /// The snapshot of this name.
    #[must_use]
    pub fn snapshot_named(&self, key: &Key) -> Option<&Snapshot> {
        self.snapshots.get(&self.uid_of(StreamKind::Snapshot, key)?)
    }

    /// The namespace of this name.
    #[must_use]
    pub fn namespace_named(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get(&self.uid_of(StreamKind::Namespace, &Key::core("", name))?)
    }

    /// Labels of a namespace; one that was never seen has none.
    #[must_use]
    pub fn labels_of(&self, namespace: &str) -> BTreeMap<String, String> {
        self.namespace_named(namespace).map(|found| found.labels.clone()).unwrap_or_default()
    }

    /// A dependency by reference.
    #[must_use]
    pub fn dependency(&self, object: &TypedRef) -> Option<&Dependency> {
        self.dependencies.get(self.objects.get(object)?)
    }

    /// What is known of a dependency.
    #[must_use]
    pub fn facts(&self, object: &TypedRef) -> Option<&Facts> {
        self.dependency(object).map(|dependency| &dependency.facts)
    }

    /// The snapshots in a repository, in order of their uids.
    pub fn snapshots_in(&self, repository: Uid) -> impl Iterator<Item = &Snapshot> {
        let inside = self.index.lookers(&Looked::Home(repository));
        let inside = inside.filter(|(kind, _)| *kind == StreamKind::Snapshot);
        inside.filter_map(|(_, uid)| self.snapshots.get(&uid))
    }

    /// Takes a name; a new object of the same name takes it over.
    pub(crate) fn take_name(&mut self, kind: StreamKind, key: &Key, uid: Uid) {
        self.names.insert((kind, key.clone()), uid);
    }

    /// Gives a name back, unless another object has taken it over.
    pub(crate) fn drop_name(&mut self, kind: StreamKind, key: &Key, uid: Uid) {
        if self.uid_of(kind, key) == Some(uid) {
            self.names.remove(&(kind, key.clone()));
        }
    }

    /// The schedule of one session of a configuration.
    #[must_use]
    pub fn schedule(&self, configuration: Uid, session: &str) -> Option<&Schedule> {
        self.schedules.get(&configuration)?.get(session)
    }
}

/// What an event says about an object that is not there.
pub(crate) fn unknown(what: &str, uid: Uid) -> String {
    alloc::format!("no {what} {uid}")
}

/// What a check has to look up, in the state or in a decision that is being made.
pub trait Known {
    /// The storage of this name.
    fn storage_named(&self, key: &Key) -> Option<&Storage>;
    /// The retention policy of this name.
    fn retention_named(&self, key: &Key) -> Option<&RetentionPolicy>;
    /// The hook template of this name.
    fn hook_named(&self, key: &Key) -> Option<&HookTemplate>;
    /// What is known of a dependency.
    fn facts(&self, object: &TypedRef) -> Option<&Facts>;
}

impl Known for State {
    fn storage_named(&self, key: &Key) -> Option<&Storage> {
        Self::storage_named(self, key)
    }

    fn retention_named(&self, key: &Key) -> Option<&RetentionPolicy> {
        Self::retention_named(self, key)
    }

    fn hook_named(&self, key: &Key) -> Option<&HookTemplate> {
        Self::hook_named(self, key)
    }

    fn facts(&self, object: &TypedRef) -> Option<&Facts> {
        Self::facts(self, object)
    }
}
