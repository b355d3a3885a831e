//! Objects of [`holdfast_engine::testing::given`], declared in a world and in any family.

use holdfast_engine::configuration::{AddonRef, ScheduleEvaluation, Spec};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{self, Facts, state as reference};
use holdfast_engine::hook::{self, Executor};
use holdfast_engine::testing::given::{
    self, NAMESPACE, core, hash, passphrase, target, task, template,
};
use holdfast_engine::{
    Command, Family, Group, Hash, Key, StreamKind, Timestamp, TypedRef, Uid, configuration,
    restore, retention, storage,
};

use super::{World, uid};

/// A restore of the newest snapshot of a repository.
pub fn restore(repository: &str) -> restore::Spec {
    let mut spec = given::restore(&[]);
    spec.source.repository = Some(repository.into());
    spec
}

impl World {
    /// What every scenario starts with: the Addon, its Function, the target, the encryption Secret.
    pub fn furnish(&mut self) {
        let addon = addon(self.family);
        let tasks = vec![task("logical-backup", false), task("logical-backup-restore", true)];
        self.observe(addon.object(), Facts::Addon { tasks });
        for function in ["workload-backup", "workload-restore"] {
            self.observe(addon.function(function), Facts::Function { supported: true });
        }
        self.observe(target(), Facts::Target { replicas: Some(1) });
        self.secret(&core("key"), None);
    }

    /// The name of something of the family.
    pub fn key(&self, kind: StreamKind, name: &str) -> Key {
        Key::new(self.family.group(kind), NAMESPACE, name)
    }

    /// The uid of what somebody declares under a name.
    pub fn uid_for(&self, kind: StreamKind, name: &str) -> Uid {
        let kind = format!("{kind:?}").to_lowercase();
        match self.family {
            Family::KubeStash => uid(&format!("{kind}/{name}")),
            family => uid(&format!("{family:?}/{kind}/{name}")),
        }
    }

    /// A spec that refers to objects of its own family.
    fn of_family(&self, spec: &Spec) -> Spec {
        let mut spec = spec.clone();
        let own = |key: &mut Key, kind| key.group = self.family.group(kind);
        for backend in &mut spec.backends {
            backend.storage.iter_mut().for_each(|key| own(key, StreamKind::Storage));
            backend.retention.iter_mut().for_each(|key| own(key, StreamKind::Retention));
        }
        for session in &mut spec.sessions {
            session.addon.group = addon(self.family).group;
            let hooks = session.pre_hooks.iter_mut().chain(&mut session.post_hooks);
            hooks.for_each(|hook| own(&mut hook.template, StreamKind::Hook));
        }
        spec
    }

    pub fn observe(&mut self, object: TypedRef, facts: Facts) {
        let uid = uid(&format!("{}/{object}", object.api_group));
        let command = dependency::Command::Observe { uid, object, hash: Hash::default(), facts };
        self.ask(Command::Dependency(command)).expect("observations are taken");
    }

    pub fn secret(&mut self, key: &Key, allows: Option<&str>) {
        self.observe(reference::secret(key), passphrase(self.state.seq, allows));
    }

    pub fn declare_storage(&mut self, name: &str, spec: storage::Spec) {
        let command = storage::Command::Declare(Declared {
            uid: self.uid_for(StreamKind::Storage, name),
            key: self.key(StreamKind::Storage, name),
            generation: 1,
            hash: hash(self.state.seq),
            spec,
        });
        self.ask(Command::Storage(command)).expect("a storage is taken");
    }

    pub fn declare_retention(&mut self, name: &str, spec: retention::Spec) {
        let command = retention::Command::Declare(Declared {
            uid: self.uid_for(StreamKind::Retention, name),
            key: self.key(StreamKind::Retention, name),
            generation: 1,
            hash: hash(self.state.seq),
            spec,
        });
        self.ask(Command::Retention(command)).expect("a policy is taken");
    }

    pub fn declare_hook(&mut self, name: &str, executor: Executor) {
        let command = hook::Command::Declare(Declared {
            uid: self.uid_for(StreamKind::Hook, name),
            key: self.key(StreamKind::Hook, name),
            generation: 1,
            hash: hash(self.state.seq),
            spec: template(executor),
        });
        self.ask(Command::Hook(command)).expect("a template is taken");
    }

    /// Declares a restore; an object that comes after another of its name has a uid of its own.
    pub fn declare_restore(&mut self, name: &str, spec: &restore::Spec) -> Uid {
        let fresh = uid(&format!("restore/{name}/{}", self.state.seq));
        let uid = self.restore_named(name).unwrap_or(fresh);
        let command = restore::Command::Declare(Declared {
            uid,
            key: Key::new(Group::KubeStash, NAMESPACE, name),
            generation: 1,
            hash: hash(self.state.seq),
            spec: spec.clone(),
        });
        self.ask(Command::Restore(command)).expect("a restore is taken");
        uid
    }

    pub fn restore_named(&self, name: &str) -> Option<Uid> {
        self.state.uid_of(StreamKind::Restore, &Key::new(Group::KubeStash, NAMESPACE, name))
    }

    /// Declares a configuration; each session's period is in milliseconds.
    pub fn declare(&mut self, name: &str, spec: &Spec, periods: &[(String, i64)]) -> Uid {
        let uid = self.uid_for(StreamKind::Configuration, name);
        let schedules = periods
            .iter()
            .map(|(session, period)| {
                self.periods.insert((uid, session.clone()), *period);
                let first = self.now.0 - self.now.0.rem_euclid(*period) + period;
                ScheduleEvaluation {
                    session: session.clone(),
                    next: (0..3).map(|n| Timestamp(first + n * period)).collect(),
                    error: None,
                }
            })
            .collect();
        let command = configuration::Command::Declare {
            declared: Declared {
                uid,
                key: self.key(StreamKind::Configuration, name),
                generation: 1,
                hash: hash(self.state.seq),
                spec: self.of_family(spec),
            },
            schedules,
        };
        let _ = self.ask(Command::Configuration(command));
        uid
    }
}

/// The Addon of a family.
pub fn addon(family: Family) -> AddonRef {
    let group = family.group(StreamKind::Dependency);
    AddonRef { group, name: "workload-addon".into(), tasks: vec![], pod: Default::default() }
}
