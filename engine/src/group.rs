//! API groups of the objects that the state has names of, and the families that they belong to.
//!
//! Two families have kinds of the same name: a Repository of Stash and one of KubeStash may both be called
//! `demo/app`, and are two objects with schedules, sessions and snapshots of their own.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::event::StreamKind;

/// An API group; the number is written to disk and never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum Group {
    /// The group without a name: Secrets, namespaces, claims, pods.
    #[default]
    Core = 0,
    /// What is backed up, when, and how; sessions and restores.
    KubeStash = 1,
    /// Storages, repositories, snapshots, retention.
    KubeStashStorage = 2,
    /// Addons and Functions.
    KubeStashAddons = 3,
    /// All of Stash but its snapshots.
    Stash = 4,
    /// Snapshots of Stash.
    StashRepositories = 5,
    /// What no other product has a word for.
    Holdfast = 6,
    /// Jobs and CronJobs.
    Batch = 7,
    /// Workloads.
    Apps = 8,
    /// Rights of what we make.
    Rbac = 9,
    /// VolumeSnapshots and their contents.
    VolumeSnapshots = 10,
}

/// Groups whose objects refer to one another by bare names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the products' own names")]
pub enum Family {
    Kubernetes,
    KubeStash,
    Stash,
    Holdfast,
}

impl Group {
    /// All groups, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Core,
        Self::KubeStash,
        Self::KubeStashStorage,
        Self::KubeStashAddons,
        Self::Stash,
        Self::StashRepositories,
        Self::Holdfast,
        Self::Batch,
        Self::Apps,
        Self::Rbac,
        Self::VolumeSnapshots,
    ];

    /// The group as `apiVersion` spells it, without a version.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "",
            Self::KubeStash => "core.kubestash.com",
            Self::KubeStashStorage => "storage.kubestash.com",
            Self::KubeStashAddons => "addons.kubestash.com",
            Self::Stash => "stash.appscode.com",
            Self::StashRepositories => "repositories.stash.appscode.com",
            Self::Holdfast => "holdfast.dev",
            Self::Batch => "batch",
            Self::Apps => "apps",
            Self::Rbac => "rbac.authorization.k8s.io",
            Self::VolumeSnapshots => "snapshot.storage.k8s.io",
        }
    }

    /// The group of this name, when it is one that the state has names of.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == name)
    }

    /// The family that the group belongs to.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::KubeStash | Self::KubeStashStorage | Self::KubeStashAddons => Family::KubeStash,
            Self::Stash | Self::StashRepositories => Family::Stash,
            Self::Holdfast => Family::Holdfast,
            Self::Core | Self::Batch | Self::Apps | Self::Rbac | Self::VolumeSnapshots => {
                Family::Kubernetes
            }
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Family {
    /// The group in which this family keeps its objects of a kind.
    #[must_use]
    pub fn group(self, kind: StreamKind) -> Group {
        match (self, kind) {
            (_, StreamKind::Namespace) | (Self::Kubernetes, _) => Group::Core,
            (Self::Holdfast, _) | (_, StreamKind::Lease | StreamKind::Outbox) => Group::Holdfast,
            (Self::KubeStash, StreamKind::Dependency) => Group::KubeStashAddons,
            (
                Self::KubeStash,
                StreamKind::Storage
                | StreamKind::Retention
                | StreamKind::Repository
                | StreamKind::Snapshot,
            ) => Group::KubeStashStorage,
            (Self::KubeStash, _) => Group::KubeStash,
            (Self::Stash, StreamKind::Snapshot) => Group::StashRepositories,
            (Self::Stash, _) => Group::Stash,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::{self, ScheduleEvaluation};
    use crate::declared::Declared;
    use crate::dependency::{self, Facts};
    use crate::ids::{Key, Uid};
    use crate::outcome::Outcome;
    use crate::testing::given::{self, hash, key, stored};
    use crate::testing::world::{APP, World, named};
    use crate::{backup, retention, storage};

    const TWIN: Uid = Uid([0x77; 16]);

    fn of_stash(kind: StreamKind, name: &str) -> Key {
        Key::new(Family::Stash.group(kind), given::NAMESPACE, name)
    }

    /// The configuration of Stash that is called like [`APP`], as is all that it refers to.
    fn declare_twin(world: &mut World) {
        let (generation, hash) = (1, hash(7));
        let (store, keep) =
            (of_stash(StreamKind::Storage, "store"), of_stash(StreamKind::Retention, "keep"));
        let mut session = given::session("nightly");
        session.addon.group = Group::Stash;
        for (object, facts) in [
            (session.addon.object(), Facts::Addon { tasks: given::tasks() }),
            (session.addon.function("workload-backup"), Facts::Function { supported: true }),
        ] {
            let uid = named(&alloc::format!("twin of {object}"));
            world.ask(dependency::Command::Observe { uid, object, hash, facts });
        }
        world.ask(storage::Command::Declare(Declared {
            uid: named("twin/store"),
            key: store.clone(),
            generation,
            hash,
            spec: given::storage("twin"),
        }));
        world.answer_backends();
        world.ask(retention::Command::Declare(Declared {
            uid: named("twin/keep"),
            key: keep.clone(),
            generation,
            hash,
            spec: given::retention(2),
        }));
        let mut spec = given::configuration(vec![session]);
        spec.backends[0].storage = Some(store);
        spec.backends[0].retention = Some(keep);
        world.ask(configuration::Command::Declare {
            declared: Declared {
                uid: TWIN,
                key: of_stash(StreamKind::Configuration, "app"),
                generation,
                hash,
                spec,
            },
            schedules: vec![ScheduleEvaluation {
                session: "nightly".into(),
                next: world.midnights(),
                error: None,
            }],
        });
        world.answer_repositories();
        world.record(configuration::Event::InitialBackupTriggered {
            uid: TWIN,
            session: "nightly".into(),
            backup: named("initial twin"),
        });
        world.ask(configuration::Command::SchedulerReported {
            uid: TWIN,
            session: "nightly".into(),
            outcome: Outcome::Succeeded,
        });
    }

    /// A session of the twin, from its beginning to its end.
    fn run_twin(world: &mut World) -> Uid {
        let uid = named("twin/backup");
        world.ask(backup::Command::Create {
            uid,
            key: of_stash(StreamKind::Backup, ""),
            configuration: "app".into(),
            session: "nightly".into(),
            retry_left: 0,
            timeout: None,
            slot: None,
        });
        world.surveyed(uid, 1);
        world.started(uid, "pod-0");
        world.reported(uid, "pod-0");
        world.closed();
        uid
    }

    #[test]
    fn objects_of_one_name_in_two_families_live_side_by_side() {
        let mut world = World::ready();
        declare_twin(&mut world);
        let (mine, twin) = (world.succeed(), run_twin(&mut world));
        let (mine, twin) = (world.backup(mine), world.backup(twin));
        assert_eq!((mine.configuration, twin.configuration), (APP, TWIN));
        assert_eq!(mine.key, Key { group: Group::KubeStash, ..twin.key.clone() });
        assert_eq!(twin.key.group, Group::Stash);

        let state = &world.state;
        let snapshots = [mine, twin].map(|session| &state.snapshots[&session.snapshots[0].uid]);
        assert_eq!(snapshots[0].key.name, snapshots[1].key.name);
        let groups = snapshots.map(|snapshot| snapshot.key.group);
        assert_eq!(groups, [Group::KubeStashStorage, Group::StashRepositories]);
        let repositories = snapshots.map(|snapshot| &state.repositories[&snapshot.repository].key);
        assert_eq!(repositories, [&stored("one"), &of_stash(StreamKind::Repository, "one")]);
        assert_eq!(state.schedules.len(), 2);
        for found in state.configurations.values() {
            assert_eq!(crate::view::configuration::status(state, found).phase.as_str(), "Ready");
        }

        world.ask(configuration::Command::Delete { uid: TWIN });
        assert_eq!(world.state.configuration_named(&key("app")).unwrap().uid, APP);
        assert!(world.state.schedule(APP, "nightly").is_some());
        assert!(world.state.repository_named(&stored("one")).is_some());
    }

    #[test]
    fn a_default_of_another_family_is_none() {
        let mut world = World::ready();
        let mut default = given::storage("twin");
        default.default = true;
        world.ask(storage::Command::Declare(Declared {
            uid: named("twin/store"),
            key: of_stash(StreamKind::Storage, "store"),
            generation: 1,
            hash: hash(7),
            spec: default,
        }));
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.backends[0].storage = None;
        world.declare(&spec);
        assert!(world.state.configurations[&APP].resolved_backends().is_empty());
    }

    #[test]
    fn numbers_and_names_are_frozen() {
        for (number, group) in Group::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(group as u8), number);
            assert_eq!(Group::named(group.as_str()), Some(group));
        }
        assert_eq!(Group::named("kubedb.com"), None);
    }

    #[test]
    fn what_a_family_makes_is_of_the_family() {
        for family in [Family::KubeStash, Family::Stash, Family::Holdfast] {
            for kind in [
                StreamKind::Storage,
                StreamKind::Retention,
                StreamKind::Hook,
                StreamKind::Configuration,
                StreamKind::Repository,
                StreamKind::Backup,
                StreamKind::Snapshot,
                StreamKind::Restore,
            ] {
                assert_eq!(family.group(kind).family(), family, "{family:?} {kind:?}");
            }
        }
        assert_eq!(Family::Stash.group(StreamKind::Snapshot), Group::StashRepositories);
        assert_eq!(Family::KubeStash.group(StreamKind::Snapshot), Group::KubeStashStorage);
    }
}
