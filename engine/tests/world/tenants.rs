//! Namespaces with many configurations whose slots are due at once, and the laws of places for workers.

use std::collections::BTreeMap;

use holdfast_engine::configuration::ScheduleEvaluation;
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{Facts, state as reference};
use holdfast_engine::run::component::ComponentState;
use holdfast_engine::run::limit::Limits;
use holdfast_engine::run::state::Run;
use holdfast_engine::testing::given::{self, hash, passphrase};
use holdfast_engine::{
    Command, Group, Key, Millis, State, Timestamp, TypedRef, Uid, configuration, dependency, lease,
};

use super::{World, uid};

/// The commands that declare a namespace's target and Secret, and so many configurations of one session,
/// `nightly`, whose first slot is at `slot`, and whose initial backups count as made.
pub fn tenant(namespace: &str, configurations: u64, slot: Timestamp, period: i64) -> Vec<Command> {
    let mut target = given::target();
    target.namespace = namespace.into();
    let secret = reference::secret(&Key::core(namespace, "key"));
    let observed =
        [(target.clone(), Facts::Target { replicas: Some(1) }), (secret, passphrase(1, None))];
    let observe = |(object, facts): (TypedRef, Facts)| {
        let uid = uid(&object.to_string());
        Command::Dependency(dependency::Command::Observe { uid, object, hash: hash(1), facts })
    };
    let declare = |number: u64| {
        let mut session = given::session("nightly");
        session.timeout = Some(Millis(3_600_000));
        session.history_limit = 1;
        session.repositories = vec![given::repository(&format!("repository-{number}"))];
        session.repositories[0].secret = Some(Key::core(namespace, "key"));
        session.repositories[0].directory = format!("{namespace}/{number}");
        let mut spec = given::configuration(vec![session]);
        spec.target = Some(target.clone());
        Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: configuration_uid(namespace, number),
                key: Key::new(Group::KubeStash, namespace, format!("configuration-{number}")),
                generation: 1,
                hash: hash(number),
                spec,
            },
            schedules: vec![ScheduleEvaluation {
                session: "nightly".into(),
                next: (0..3).map(|n| Timestamp(slot.0 + n * period)).collect(),
                error: None,
            }],
        })
    };
    observed.into_iter().map(observe).chain((0..configurations).map(declare)).collect()
}

/// The uid of a tenant's configuration.
pub fn configuration_uid(namespace: &str, number: u64) -> Uid {
    uid(&format!("configuration/{namespace}/{number}"))
}

/// All runs, with their namespaces.
pub fn runs(state: &State) -> impl Iterator<Item = (&str, &Run)> {
    let backups = state.backups.values().map(|one| (one.key.namespace.as_str(), &one.run));
    backups.chain(state.restores.values().map(|one| (one.key.namespace.as_str(), &one.run)))
}

impl World {
    pub fn limit(&mut self, limits: Limits) {
        self.ask(Command::Lease(lease::Command::Limit { limits })).expect("a limit is taken");
    }

    /// A tenant whose configurations were all backed up once.
    pub fn settle_tenant(&mut self, namespace: &str, count: u64, slot: Timestamp, period: i64) {
        for number in 0..count {
            let uid = configuration_uid(namespace, number);
            self.periods.insert((uid, "nightly".into()), period);
        }
        for command in tenant(namespace, count, slot, period) {
            self.ask(command).expect("a tenant is taken");
            self.settle();
        }
    }

    /// Workers that there may be now: those of attempts under way.
    pub fn working(&self) -> BTreeMap<&str, usize> {
        let mut found = BTreeMap::new();
        for (namespace, run) in runs(&self.state) {
            let running = run.components.iter().filter(|known| known.is_running()).count();
            *found.entry(namespace).or_default() += running;
        }
        found.retain(|_, count| *count > 0);
        found
    }

    /// Looked at whenever an attempt begins: a limit that is lowered ends nobody's work.
    pub fn no_limit_is_passed(&self) {
        let limits = self.state.limits;
        let within =
            |limit: Option<u32>, held: usize| limit.is_none_or(|limit| held <= limit as usize);
        let working = self.working();
        let newest = self.state.last_at;
        let begun =
            |known: &&ComponentState| known.is_running() && known.started_at == Some(newest);
        assert!(within(limits.cluster, working.values().sum()), "{working:?} {limits:?}");
        for (namespace, run) in runs(&self.state) {
            if run.components.iter().any(|known| begun(&known)) {
                let held = working.get(namespace).copied().unwrap_or_default();
                assert!(within(limits.namespace, held), "{working:?} {limits:?}");
            }
        }
    }
}
