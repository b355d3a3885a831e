//! What sightings need of the state: which objects the log knows, and which of their versions.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_api::Kind;
use holdfast_engine::binding::Made;
use holdfast_engine::{
    Command, Hash, Key, State, StreamKind, Uid, backup, configuration, dependency, hook, namespace,
    restore, retention, storage,
};

use super::made;
use super::name::ObjectName;

/// The objects that the log knows, at one sequence number.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The sequence number.
    pub seq: u64,
    versions: BTreeMap<ObjectName, Version>,
    observed: BTreeMap<ObjectName, Uid>,
    sessions: BTreeSet<ObjectName>,
    /// What was made and bound.
    bound: Vec<(ObjectName, Made, Uid)>,
    /// What ends each of them when it is gone; users before what they use.
    ends: Vec<(ObjectName, Command)>,
}

/// A version of a declared object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The object.
    pub uid: Uid,
    /// Counts versions of the spec.
    pub generation: u64,
    /// The document.
    pub hash: Hash,
}

impl Known {
    /// What a state knows.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let sessions = state.names.keys().filter(|(kind, _)| *kind == StreamKind::Backup);
        let sessions = sessions.map(|(_, key)| ObjectName::own(Kind::BackupSession, key));
        Self {
            seq: state.seq,
            versions: versions(state),
            observed: observed(state),
            sessions: sessions.collect(),
            bound: made::bound(state),
            ends: ends(state),
        }
    }

    /// The version of a declared object of our own kinds.
    #[must_use]
    pub fn version(&self, name: &ObjectName) -> Option<Version> {
        self.versions.get(name).copied()
    }

    /// The uid of an object that is only observed.
    #[must_use]
    pub fn observed(&self, name: &ObjectName) -> Option<Uid> {
        self.observed.get(name).copied()
    }

    /// Whether there is a run of this name.
    #[must_use]
    pub fn has_session(&self, name: &ObjectName) -> bool {
        self.sessions.contains(name)
    }

    /// Commands for what we made and the place does not have any more.
    #[must_use]
    pub fn missing(&self, live: &made::Live) -> Vec<(ObjectName, Command)> {
        made::missing(&self.bound, live)
    }

    /// Commands for what nobody declares any more; users go before what they use.
    #[must_use]
    pub fn gone(&self, is_declared: impl Fn(&ObjectName) -> bool) -> Vec<(ObjectName, Command)> {
        self.ends.iter().filter(|(name, _)| !is_declared(name)).cloned().collect()
    }
}

fn versions(state: &State) -> BTreeMap<ObjectName, Version> {
    // A name that another object has taken over is that one's.
    let holds = |kind, key: &Key, uid| state.uid_of(kind, key) == Some(uid);
    let mut versions = BTreeMap::new();
    let mut add = |kind: Kind, stream, key: &Key, version: Version| {
        if holds(stream, key, version.uid) {
            versions.insert(ObjectName::own(kind, key), version);
        }
    };
    for o in state.storages.values() {
        let version = Version { uid: o.uid, generation: o.generation, hash: o.hash };
        add(Kind::BackupStorage, StreamKind::Storage, &o.key, version);
    }
    for o in state.retentions.values() {
        let version = Version { uid: o.uid, generation: o.generation, hash: o.hash };
        add(Kind::RetentionPolicy, StreamKind::Retention, &o.key, version);
    }
    for o in state.hooks.values() {
        let version = Version { uid: o.uid, generation: o.generation, hash: o.hash };
        add(Kind::HookTemplate, StreamKind::Hook, &o.key, version);
    }
    for o in state.configurations.values() {
        let version = Version { uid: o.uid, generation: o.generation, hash: o.hash };
        add(Kind::BackupConfiguration, StreamKind::Configuration, &o.key, version);
    }
    for o in state.restores.values() {
        let version = Version { uid: o.uid, generation: o.generation, hash: o.hash };
        add(Kind::RestoreSession, StreamKind::Restore, &o.key, version);
    }
    versions
}

fn observed(state: &State) -> BTreeMap<ObjectName, Uid> {
    let objects = state.objects.iter().map(|(object, uid)| (ObjectName::from(object), *uid));
    let namespaces = state.names.iter().filter(|((kind, _), _)| *kind == StreamKind::Namespace);
    let namespaces =
        namespaces.map(|((_, key), uid)| (ObjectName::new("", "Namespace", "", &key.name), *uid));
    objects.chain(namespaces).collect()
}

fn ends(state: &State) -> Vec<(ObjectName, Command)> {
    let mut ends: Vec<(ObjectName, Command)> = Vec::new();
    for found in state.restores.values() {
        let name = ObjectName::own(Kind::RestoreSession, &found.key);
        let session = found.uid;
        ends.push((name, Command::Restore(restore::Command::Delete { session })));
    }
    for found in state.backups.values().filter(|b| b.trigger == backup::Trigger::Manual) {
        let name = ObjectName::own(Kind::BackupSession, &found.key);
        let session = found.uid;
        ends.push((name, Command::Backup(backup::Command::Delete { session })));
    }
    for found in state.configurations.values().filter(|c| !c.deleting) {
        let (name, uid) = (ObjectName::own(Kind::BackupConfiguration, &found.key), found.uid);
        ends.push((name, Command::Configuration(configuration::Command::Delete { uid })));
    }
    for found in state.storages.values().filter(|s| !s.deleting) {
        let (name, uid) = (ObjectName::own(Kind::BackupStorage, &found.key), found.uid);
        ends.push((name, Command::Storage(storage::Command::Delete { uid })));
    }
    for found in state.retentions.values() {
        let (name, uid) = (ObjectName::own(Kind::RetentionPolicy, &found.key), found.uid);
        ends.push((name, Command::Retention(retention::Command::Delete { uid })));
    }
    for found in state.hooks.values() {
        let (name, uid) = (ObjectName::own(Kind::HookTemplate, &found.key), found.uid);
        ends.push((name, Command::Hook(hook::Command::Delete { uid })));
    }
    for (uid, found) in &state.dependencies {
        let (name, uid) = (ObjectName::from(&found.object), *uid);
        ends.push((name, Command::Dependency(dependency::Command::Forget { uid })));
    }
    for (uid, found) in &state.namespaces {
        let (name, uid) = (ObjectName::new("", "Namespace", "", &found.name), *uid);
        ends.push((name, Command::Namespace(namespace::Command::Forget { uid })));
    }
    ends
}
