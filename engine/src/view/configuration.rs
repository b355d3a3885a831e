//! `status` of a BackupConfiguration: a join over storages, policies, repositories and dependencies.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::phases::{self, InvokerFacts, InvokerPhase, Readiness};
use super::storage;
use crate::condition::{Condition, Type};
use crate::configuration::state::{ChosenBackend, Configuration};
use crate::dependency::Facts;
use crate::dependency::state::secret;
use crate::event::StreamKind;
use crate::ids::{Key, TypedRef};
use crate::state::State;
use crate::time::Timestamp;
use crate::usage;

/// `status` of a BackupConfiguration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// `phase`.
    pub phase: InvokerPhase,
    /// `targetFound`; true without a target.
    pub target_found: bool,
    /// `backends`.
    pub backends: Vec<BackendStatus>,
    /// `repositories`.
    pub repositories: Vec<RepositoryEntry>,
    /// `dependencies`: what it needs, and whether that is there.
    pub dependencies: Vec<(TypedRef, bool)>,
    /// `sessions`.
    pub sessions: Vec<SessionEntry>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `backends`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// `name`; empty for the unnamed one.
    pub name: String,
    /// `ready`.
    pub ready: bool,
    /// `storage.ref`.
    pub storage: Key,
    /// `storage.phase`; absent while there is no such storage.
    pub storage_phase: Option<Readiness>,
    /// `storage.reason`.
    pub storage_reason: Option<String>,
    /// `retentionPolicy.ref`.
    pub retention: Key,
    /// `retentionPolicy.found`.
    pub retention_found: bool,
    /// `retentionPolicy.reason`.
    pub retention_reason: Option<String>,
}

/// One entry of `repositories`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryEntry {
    /// `name`.
    pub name: String,
    /// `phase`.
    pub phase: Readiness,
    /// `reason`.
    pub reason: Option<String>,
}

/// One entry of `sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// `name`.
    pub name: String,
    /// `nextSchedule`; absent while it is paused or suspended.
    pub next_schedule: Option<Timestamp>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of a configuration.
#[must_use]
pub fn status(state: &State, configuration: &Configuration) -> ConfigurationStatus {
    let target_found =
        configuration.target.as_ref().is_none_or(|target| state.dependency(target).is_some());
    let chosen = configuration.resolved_backends();
    let backends: Vec<BackendStatus> =
        chosen.iter().map(|backend| self::backend(state, configuration, backend)).collect();
    let sessions: Vec<SessionEntry> = sessions(state, configuration);
    let ensured = configuration.sessions.iter();
    let ensured = ensured.filter(|s| s.conditions.is_true(Type::SchedulerEnsured)).count();
    // Without a backend of its own it has the default one.
    let wanted = configuration.backends.len().max(1);
    let phase = phases::invoker(InvokerFacts {
        invalid: configuration.conditions.is_false(Type::ValidationPassed),
        target_found,
        backends: (wanted, backends.len(), backends.iter().filter(|b| b.ready).count()),
        sessions: (
            usize::try_from(configuration.session_count).unwrap_or(usize::MAX),
            sessions.len(),
            ensured,
        ),
    });
    ConfigurationStatus {
        phase,
        target_found,
        backends,
        repositories: repositories(state, configuration),
        dependencies: dependencies(state, configuration),
        sessions,
        conditions: super::conditions(&configuration.conditions),
    }
}

fn backend(state: &State, configuration: &Configuration, chosen: &ChosenBackend) -> BackendStatus {
    let using = &configuration.key.namespace;
    let labels = state.labels_of(using);
    let denied = |policy: Option<&usage::UsagePolicy>, own: &Key| {
        let allowed = usage::allowed(policy, &own.namespace, using, Some(&labels));
        (!allowed).then(|| format!("its usagePolicy does not allow namespace {using}"))
    };
    let (storage_phase, storage_reason) = match state.storage_named(&chosen.storage) {
        None => (None, Some(format!("BackupStorage {} is not there", chosen.storage))),
        Some(found) => {
            let reason = denied(found.spec.usage.as_ref(), &chosen.storage);
            (Some(storage::phase(state, found)), reason.or_else(|| storage::reason(state, found)))
        }
    };
    let (retention_found, retention_reason) = match state.retention_named(&chosen.retention) {
        None => (false, Some(format!("RetentionPolicy {} is not there", chosen.retention))),
        Some(found) => {
            let problem = denied(found.spec.usage.as_ref(), &chosen.retention);
            (true, problem.or_else(|| found.spec.invalid.clone()))
        }
    };
    BackendStatus {
        name: chosen.name.clone(),
        ready: storage_phase == Some(Readiness::Ready)
            && storage_reason.is_none()
            && retention_found
            && retention_reason.is_none(),
        storage: chosen.storage.clone(),
        storage_phase,
        storage_reason,
        retention: chosen.retention.clone(),
        retention_found,
        retention_reason,
    }
}

fn sessions(state: &State, configuration: &Configuration) -> Vec<SessionEntry> {
    let entries = configuration.sessions.iter().map(|session| {
        let suspended = session.spec.scheduler.as_ref().is_none_or(|scheduler| scheduler.suspend);
        let schedule = state.schedule(configuration.uid, &session.spec.name);
        let next = schedule.and_then(|schedule| {
            schedule.next.iter().find(|slot| Some(**slot) > schedule.last_slot).copied()
        });
        SessionEntry {
            name: session.spec.name.clone(),
            next_schedule: next.filter(|_| !suspended && !configuration.is_paused()),
            conditions: super::conditions(&session.conditions),
        }
    });
    entries.collect()
}

fn repositories(state: &State, configuration: &Configuration) -> Vec<RepositoryEntry> {
    let mut seen = BTreeSet::new();
    let named = configuration.sessions.iter().flat_map(|session| &session.spec.repositories);
    let distinct = named.filter(|repository| seen.insert(repository.name.clone()));
    let entries = distinct.map(|repository| {
        let key = configuration.key.sibling(StreamKind::Repository, &*repository.name);
        let found = state.repository_named(&key);
        let ready = found.is_some_and(crate::repository::state::Repository::is_ready);
        let reason = match found {
            Some(found) => found.failure.as_ref().map(|failure| failure.message.clone()),
            None => Some("it has not been made yet".into()),
        };
        RepositoryEntry { name: repository.name.clone(), phase: Readiness::from(ready), reason }
    });
    entries.collect()
}

/// Addons always; of Functions and Secrets only what is missing.
fn dependencies(state: &State, configuration: &Configuration) -> Vec<(TypedRef, bool)> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<(TypedRef, bool)> = Vec::new();
    let mut add = |object: TypedRef, found: bool| {
        if seen.insert(object.clone()) {
            all.push((object, found));
        }
    };
    for session in configuration.sessions.iter().map(|session| &session.spec) {
        let addon = session.addon.object();
        let facts = state.facts(&addon);
        add(addon, facts.is_some());
        if let Some(Facts::Addon { tasks }) = facts {
            let named = session.addon.tasks.iter();
            let tasks = named.filter_map(|r| tasks.iter().find(|t| !t.restore && t.name == r.name));
            for function in tasks.map(|task| session.addon.function(&task.function)) {
                if state.facts(&function).is_none() {
                    add(function, false);
                }
            }
        }
        for secret in session.repositories.iter().filter_map(|r| r.secret.as_ref()).map(secret) {
            if state.facts(&secret).is_none() {
                add(secret, false);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::Spec;
    use crate::dependency::state::{addon, function};
    use crate::table::Table;
    use crate::testing::given::{self, core, stored};
    use crate::testing::world::{APP, BACK, World, named};
    use crate::{retention, storage as store};

    fn of(world: &World) -> ConfigurationStatus {
        status(&world.state, &world.state.configurations[&APP])
    }

    fn spec(change: impl FnOnce(&mut Spec)) -> Spec {
        let mut spec = given::configuration(vec![given::session("nightly")]);
        change(&mut spec);
        spec
    }

    #[test]
    fn a_ready_one_lists_everything_as_there() {
        let world = World::ready();
        let shown = of(&world);
        assert_eq!((shown.phase, shown.target_found), (InvokerPhase::Ready, true));
        assert_eq!(
            shown.backends,
            [BackendStatus {
                name: "main".into(),
                ready: true,
                storage: stored("store"),
                storage_phase: Some(Readiness::Ready),
                storage_reason: None,
                retention: stored("keep"),
                retention_found: true,
                retention_reason: None,
            }]
        );
        let one = RepositoryEntry { name: "one".into(), phase: Readiness::Ready, reason: None };
        assert_eq!(shown.repositories, [one]);
        assert_eq!(shown.dependencies, [(addon("workload-addon"), true)]);
        assert_eq!(shown.sessions[0].next_schedule, world.midnights().first().copied());
        let kinds: Vec<&str> =
            shown.sessions[0].conditions.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(kinds, ["InitialBackupTriggered", "SchedulerEnsured"]);
    }

    #[test]
    fn a_backend_says_what_is_wrong_with_either_of_its_references() {
        // What is done to a Ready world; reasons of the storage and of the policy.
        type Case = (fn(&mut World), Option<&'static str>, Option<&'static str>);
        let cases: [Case; 5] = [
            (
                |world| world.state.storages = Table::default(),
                Some("BackupStorage demo/store is not there"),
                None,
            ),
            (
                |world| {
                    world.ask(retention::Command::Delete { uid: named("retention/keep") });
                },
                None,
                Some("RetentionPolicy demo/keep is not there"),
            ),
            (
                |world| {
                    let closed = store::Spec { usage: None, ..given::storage("store") };
                    world.declare_storage("store", closed);
                },
                Some("its usagePolicy does not allow namespace demo"),
                None,
            ),
            (
                |world| {
                    let closed = retention::Spec { usage: None, ..given::retention(1) };
                    world.declare_retention("keep", closed);
                },
                None,
                Some("its usagePolicy does not allow namespace demo"),
            ),
            (
                |world| {
                    let invalid = Some("it is odd".into());
                    let odd = retention::Spec { invalid, ..given::retention(1) };
                    world.declare_retention("keep", odd);
                },
                None,
                Some("it is odd"),
            ),
        ];
        for (change, storage_reason, retention_reason) in cases {
            let mut world = World::ready();
            change(&mut world);
            let shown = of(&world).backends.remove(0);
            assert!(!shown.ready);
            assert_eq!(shown.storage_reason.as_deref(), storage_reason);
            assert_eq!(shown.retention_reason.as_deref(), retention_reason);
        }
    }

    #[test]
    fn repositories_say_why_they_are_not_ready() {
        let mut world = World::ready();
        let uid = world.repository("one");
        let failure = crate::testing::failure("WrongPassphrase");
        world.record(crate::repository::Event::InitializationFailed {
            uid,
            failure,
            retry_at: None,
        });
        let entry = |world: &World| {
            let entry = of(world).repositories.remove(0);
            (entry.phase, entry.reason)
        };
        assert_eq!(entry(&world), (Readiness::NotReady, Some("it went wrong".into())));
        world.state.repositories = Table::default();
        assert_eq!(entry(&world), (Readiness::NotReady, Some("it has not been made yet".into())));
        assert_eq!(of(&world).phase, InvokerPhase::Ready, "they are not consulted");
    }

    #[test]
    fn a_repository_of_two_sessions_is_listed_once() {
        let world = World::with(vec![given::session("nightly"), given::session("weekly")]);
        assert_eq!(of(&world).repositories.len(), 1);
        assert_eq!(of(&world).dependencies.len(), 1);
        assert_eq!(of(&world).sessions.len(), 2);
    }

    #[test]
    fn only_what_is_missing_of_functions_and_secrets_is_listed() {
        let mut world = World::ready();
        world.forget(&function("workload-backup"));
        world.forget(&secret(&core("key")));
        assert_eq!(
            of(&world).dependencies,
            [
                (addon("workload-addon"), true),
                (function("workload-backup"), false),
                (secret(&core("key")), false),
            ]
        );
        world.forget(&addon("workload-addon"));
        assert_eq!(
            of(&world).dependencies,
            [(addon("workload-addon"), false), (secret(&core("key")), false)]
        );
    }

    #[test]
    fn a_slot_is_shown_only_when_it_will_be_taken() {
        let mut world = World::restorable();
        let next = |world: &World| of(world).sessions[0].next_schedule;
        assert!(next(&world).is_some());
        world.restoring(given::restore(&["pod-0"]));
        assert_eq!(next(&world), None, "a restore holds the target");
        world.reported(BACK, "pod-0");
        assert!(next(&world).is_some());
        world.declare(&spec(|spec| spec.paused = true));
        assert_eq!(next(&world), None);
        world.declare(&spec(|spec| {
            spec.sessions[0].scheduler.as_mut().unwrap().suspend = true;
        }));
        assert_eq!(next(&world), None);
        world.declare(&spec(|_| {}));
        let slot = next(&world).unwrap();
        world.now = slot;
        let trigger = world.creation(named("cron"), "nightly", Some(slot));
        world.ask(trigger);
        assert!(next(&world).unwrap() > slot, "one that was taken is no next one");
    }

    #[test]
    fn an_invalid_one_is_invalid_whatever_else_is_missing() {
        let mut world = World::ready();
        world.forget(&given::target());
        assert_eq!(of(&world).phase, InvokerPhase::NotReady);
        assert!(!of(&world).target_found);
        world.declare(&spec(|spec| spec.invalid = Some("it is odd".into())));
        assert_eq!(of(&world).phase, InvokerPhase::Invalid);
    }
}
