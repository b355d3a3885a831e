//! Random histories: what users do, and what the outside does to them.
#![allow(dead_code, reason = "two test programs use it, each a part")]

use std::collections::BTreeMap;

use holdfast_engine::configuration::{Concurrency, Retry, Spec};
use holdfast_engine::declared::Declared;
use holdfast_engine::dependency::{Facts, state as reference};
use holdfast_engine::hook::{Executor, HookSpec, Policy};
use holdfast_engine::run::limit::Limits;
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::testing::given::{self, NAMESPACE};
use holdfast_engine::usage::{References, Selector, UsagePolicy};
use holdfast_engine::{
    Command, Event, Group, Key, Millis, Rejection, StreamKind, TypedRef, Uid, backup,
    configuration, dependency, lease, namespace, repository, restore, retention, run, snapshot,
    storage,
};
use proptest::prelude::*;

use crate::world::outside::{self, Doing};
use crate::world::spec;
use crate::world::{World, minutes, uid};

/// What a history is made of.
#[derive(Clone, Debug)]
pub enum Action {
    Pass(i64),
    Limit(Limits),
    Pods(u32),
    Declare { paused: bool, sessions: u8, replace: bool },
    DeleteConfiguration,
    Create { session: u8 },
    Cancel,
    DeleteSession,
    Restore { number: u8, hooks: bool, timeout: bool },
    CancelRestore { number: u8 },
    DeleteRestore { number: u8 },
    LoseTarget(bool),
    DeleteSnapshot,
    DeleteRepository { wipe: bool },
    DeleteStorage,
    Worker(Doing),
    Silence(&'static str),
    Listen,
    BreakRepository(bool),
    BreakRemoval(bool),
    FailHook(u32),
    Restart,
    Stale,
    Arrive(usize),
    Secret { there: bool },
    Policy(Allows),
    Neighbour { paused: bool },
    Labels(u8),
    Storage,
    Guest { paused: bool },
    Vault { there: bool, allows: bool },
    Elsewhere { allows: bool },
    References { any: bool },
    Template(Option<Allows>),
    Function { supported: bool },
}

/// Whom something allows to use it.
#[derive(Clone, Copy, Debug)]
pub enum Allows {
    Nobody,
    All,
    Team,
}

impl Allows {
    fn usage(self) -> Option<UsagePolicy> {
        let team = Selector {
            match_labels: [("team".to_string(), "1".to_string())].into(),
            ..Selector::default()
        };
        match self {
            Self::Nobody => None,
            Self::All => Some(UsagePolicy::All),
            Self::Team => Some(UsagePolicy::Selector(team)),
        }
    }
}

fn doing() -> impl Strategy<Value = Doing> {
    prop::sample::select(vec![
        Doing::Succeed,
        Doing::Fail,
        Doing::FailForGood,
        Doing::Vanish,
        Doing::Partial,
        Doing::Empty,
        Doing::NotReadBack,
        Doing::NotStart,
    ])
}

pub const EFFECTS: [&str; 10] = [
    "InitializeBackend",
    "InitializeRepository",
    "WipeRepository",
    "WipeBackend",
    "Survey",
    "RunHook",
    "StartWorker",
    "StopWorker",
    "UploadMetadata",
    "RemoveSnapshot",
];

fn limits() -> impl Strategy<Value = Limits> {
    let limit = |most: u32| prop::option::of(1..most);
    let all = (limit(4), limit(3), limit(3), prop::option::weighted(0.25, 1_u32..3));
    all.prop_map(|(cluster, namespace, node, storage)| Limits { cluster, namespace, node, storage })
}

pub fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1_i64..200).prop_map(Action::Pass),
        2 => (any::<bool>(), 1_u8..3, any::<bool>())
            .prop_map(|(paused, sessions, replace)| Action::Declare { paused, sessions, replace }),
        2 => limits().prop_map(Action::Limit),
        1 => (0_u32..4).prop_map(Action::Pods),
        1 => Just(Action::DeleteConfiguration),
        3 => (0_u8..2).prop_map(|session| Action::Create { session }),
        1 => Just(Action::Cancel),
        1 => Just(Action::DeleteSession),
        3 => (0_u8..2, any::<bool>(), any::<bool>())
            .prop_map(|(number, hooks, timeout)| Action::Restore { number, hooks, timeout }),
        1 => (0_u8..2).prop_map(|number| Action::CancelRestore { number }),
        1 => (0_u8..2).prop_map(|number| Action::DeleteRestore { number }),
        1 => any::<bool>().prop_map(Action::LoseTarget),
        1 => Just(Action::DeleteSnapshot),
        1 => any::<bool>().prop_map(|wipe| Action::DeleteRepository { wipe }),
        1 => Just(Action::DeleteStorage),
        4 => doing().prop_map(Action::Worker),
        3 => prop::sample::select(EFFECTS.to_vec()).prop_map(Action::Silence),
        3 => Just(Action::Listen),
        1 => any::<bool>().prop_map(Action::BreakRepository),
        1 => any::<bool>().prop_map(Action::BreakRemoval),
        1 => (0_u32..4).prop_map(Action::FailHook),
        1 => Just(Action::Restart),
        2 => Just(Action::Stale),
    ]
}

fn allows() -> impl Strategy<Value = Allows> {
    prop::sample::select(vec![Allows::Nobody, Allows::All, Allows::Team])
}

/// What changes around configurations, of which there may be two that share their repositories.
pub fn surroundings() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => any::<bool>().prop_map(|there| Action::Secret { there }),
        3 => allows().prop_map(Action::Policy),
        2 => any::<bool>().prop_map(|paused| Action::Guest { paused }),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(there, allows)| Action::Vault { there, allows }),
        2 => any::<bool>().prop_map(|allows| Action::Elsewhere { allows }),
        1 => any::<bool>().prop_map(|any| Action::References { any }),
        2 => prop::option::weighted(0.8, allows()).prop_map(Action::Template),
        1 => any::<bool>().prop_map(|supported| Action::Function { supported }),
        2 => any::<bool>().prop_map(|paused| Action::Neighbour { paused }),
        2 => (0_u8..3).prop_map(Action::Labels),
        2 => Just(Action::Storage),
        2 => any::<bool>().prop_map(Action::LoseTarget),
    ]
}

/// What people do while answers are on their way, in any order: hardly any time passes.
pub fn meddling() -> impl Strategy<Value = Action> {
    prop_oneof![
        16 => (0_usize..8).prop_map(Action::Arrive),
        2 => (1_i64..40).prop_map(Action::Pass),
        1 => limits().prop_map(Action::Limit),
        1 => (0_u32..4).prop_map(Action::Pods),
        3 => (any::<bool>(), 1_u8..3, any::<bool>())
            .prop_map(|(paused, sessions, replace)| Action::Declare { paused, sessions, replace }),
        1 => Just(Action::DeleteConfiguration),
        4 => (0_u8..2).prop_map(|session| Action::Create { session }),
        3 => Just(Action::Cancel),
        2 => Just(Action::DeleteSession),
        4 => (0_u8..2, any::<bool>(), any::<bool>())
            .prop_map(|(number, hooks, timeout)| Action::Restore { number, hooks, timeout }),
        3 => (0_u8..2).prop_map(|number| Action::CancelRestore { number }),
        2 => (0_u8..2).prop_map(|number| Action::DeleteRestore { number }),
        2 => Just(Action::DeleteSnapshot),
        1 => any::<bool>().prop_map(|wipe| Action::DeleteRepository { wipe }),
        1 => Just(Action::DeleteStorage),
        1 => Just(Action::Restart),
    ]
}

fn hook(name: &str, policy: Policy) -> HookSpec {
    HookSpec {
        name: name.into(),
        template: Key::new(Group::KubeStash, NAMESPACE, name),
        params: vec![],
        max_retry: 1,
        timeout: Some(Millis(60_000)),
        policy,
    }
}

/// Two sessions with everything that a session can have.
fn configured(sessions: u8, paused: bool, replace: bool) -> Spec {
    let all = (0..sessions).map(|number| {
        let mut session = given::session(&format!("s{number}"));
        session.repositories = vec![given::repository("one"), given::repository("two")];
        session.repositories[1].deletion = Some(DeletionPolicy::WipeOut);
        session.timeout = Some(Millis(30 * 60_000));
        session.retry = Some(Retry { max: 2, delay: Millis(60_000) });
        session.history_limit = 2;
        session.pre_hooks = vec![hook("freeze", Policy::Always)];
        session.post_hooks = vec![hook("thaw", Policy::Always), hook("alarm", Policy::OnFailure)];
        if let (true, Some(scheduler)) = (replace, &mut session.scheduler) {
            scheduler.concurrency = Concurrency::Replace;
        }
        session
    });
    Spec { paused, ..given::configuration(all.collect()) }
}

fn declare(world: &mut World, sessions: u8, paused: bool, replace: bool) {
    let spec = configured(sessions, paused, replace);
    let periods: Vec<(String, i64)> =
        (0..sessions).map(|n| (format!("s{n}"), minutes(60 + 30 * i64::from(n)))).collect();
    world.declare("app", &spec, &periods);
}

pub fn begin() -> World {
    let mut world = World::new();
    world.outside.work = minutes(7);
    world.furnish();
    world.declare_hook("freeze", Executor::Pod);
    world.declare_hook("thaw", Executor::Operator);
    world.declare_hook("alarm", Executor::Function);
    world.declare_retention("keep", given::retention(2));
    world.declare_storage("store", given::storage("store"));
    declare(&mut world, 2, false, false);
    world
}

/// Refusals are part of the game: whatever a user asks is answered, and the laws hold after it.
pub fn ask(world: &mut World, command: impl Into<Option<Command>>) {
    if let Some(command) = command.into() {
        let _ = world.ask(command);
    }
}

pub fn act(world: &mut World, action: &Action) {
    let configuration = uid("configuration/app");
    let last = world.state.backups.keys().next_back().copied();
    match action {
        Action::Pass(span) => world.pass(minutes(*span)),
        Action::Limit(limits) => world.limit(*limits),
        Action::Pods(pods) => world.outside.pods = *pods,
        Action::Declare { paused, sessions, replace } => {
            declare(world, *sessions, *paused, *replace);
        }
        Action::DeleteConfiguration => {
            let uid = configuration;
            ask(world, Command::Configuration(configuration::Command::Delete { uid }));
        }
        Action::Create { session } => create(world, *session),
        Action::Cancel => ask(
            world,
            last.map(|session| {
                Command::Run(run::Command::Cancel { session, cause: "enough".into() })
            }),
        ),
        Action::DeleteSession => {
            ask(world, last.map(|session| Command::Backup(backup::Command::Delete { session })))
        }
        Action::Restore { number, hooks, timeout } => restore(world, *number, *hooks, *timeout),
        Action::CancelRestore { number } => {
            let (session, cause) = (restore_uid(world, *number), "enough".into());
            ask(world, Command::Run(run::Command::Cancel { session, cause }));
        }
        Action::DeleteRestore { number } => {
            let session = restore_uid(world, *number);
            ask(world, Command::Restore(restore::Command::Delete { session }));
        }
        Action::LoseTarget(true) => forget(world, &given::target()),
        Action::LoseTarget(false) => {
            world.observe(given::target(), Facts::Target { replicas: Some(1) });
        }
        Action::DeleteSnapshot | Action::DeleteRepository { .. } | Action::DeleteStorage => {
            delete(world, action);
        }
        Action::Restart => world.restart(),
        Action::Stale => stale(world),
        Action::Arrive(pick) => world.arrive_any(*pick),
        Action::Secret { .. }
        | Action::Neighbour { .. }
        | Action::Guest { .. }
        | Action::Storage => act_around(world, action),
        // One that goes is not checked any more, and shows what it refers to.
        Action::Policy(_)
        | Action::Labels(_)
        | Action::Vault { .. }
        | Action::Elsewhere { .. }
        | Action::References { .. }
        | Action::Template(_)
        | Action::Function { .. } => {
            if !world.state.configurations.values().any(|known| known.deleting) {
                act_on_rights(world, action);
            }
        }
        _ => act_outside(world, action),
    }
}

/// What goes, and leaves something behind.
fn delete(world: &mut World, action: &Action) {
    match action {
        Action::DeleteSnapshot => {
            let first = world.state.snapshots.keys().next().copied();
            ask(world, first.map(|uid| Command::Snapshot(snapshot::Command::Delete { uid })));
        }
        Action::DeleteRepository { wipe } => {
            let found = world
                .state
                .repositories
                .values()
                .find(|r| (r.deletion == DeletionPolicy::WipeOut) == *wipe);
            let uid = found.map(|found| found.uid);
            ask(world, uid.map(|uid| Command::Repository(repository::Command::Delete { uid })));
        }
        Action::DeleteStorage => {
            let uid = uid("storage/store");
            ask(world, Command::Storage(storage::Command::Delete { uid }));
        }
        _ => unreachable!("{action:?} deletes nothing"),
    }
}

/// What changes about who may use what, and what there is to be used.
fn act_on_rights(world: &mut World, action: &Action) {
    match action {
        Action::Policy(allows) => {
            let usage = allows.usage();
            world.declare_retention("keep", retention::Spec { usage, ..given::retention(2) });
        }
        Action::Labels(team) => {
            let labels = [("team".to_string(), team.to_string())].into();
            observe_namespace(world, NAMESPACE, labels, None);
        }
        Action::Vault { there: true, allows } => {
            world.secret(&vault(), allows.then_some(NAMESPACE));
        }
        Action::Vault { there: false, .. } => forget(world, &reference::secret(&vault())),
        Action::Elsewhere { allows } => {
            let allows = allows.then(|| format!("{NAMESPACE}:jobs"));
            observe_namespace(world, ELSEWHERE, BTreeMap::new(), allows);
        }
        Action::References { any } => {
            let references = if *any { References::Any } else { References::Annotated };
            ask(world, Command::Lease(lease::Command::Configure { references }));
        }
        Action::Template(Some(allows)) => {
            let (key, generation) = (world.key(StreamKind::Hook, "thaw"), 1);
            let spec = holdfast_engine::hook::Spec {
                usage: allows.usage(),
                executor: Executor::Operator,
                params: vec![],
                invalid: None,
            };
            let (uid, hash) = (uid("hook/thaw"), given::hash(world.state.seq));
            let command = holdfast_engine::hook::Command::Declare(Declared {
                uid,
                key,
                generation,
                hash,
                spec,
            });
            ask(world, Command::Hook(command));
        }
        Action::Template(None) => {
            let uid = uid("hook/thaw");
            ask(world, Command::Hook(holdfast_engine::hook::Command::Delete { uid }));
        }
        Action::Function { supported } => {
            let function = spec::addon(world.family).function("workload-backup");
            world.observe(function, Facts::Function { supported: *supported });
        }
        _ => unreachable!("{action:?} is no matter of rights"),
    }
}

/// A namespace of others, in which the guest's target is.
const ELSEWHERE: &str = "elsewhere";

/// A Secret of others.
fn vault() -> Key {
    Key::core("security", "vault")
}

fn forget(world: &mut World, object: &TypedRef) {
    let uid = world.state.objects.get(object).copied();
    ask(world, uid.map(|uid| Command::Dependency(dependency::Command::Forget { uid })));
}

fn observe_namespace(
    world: &mut World,
    name: &str,
    labels: BTreeMap<String, String>,
    allowed_namespaces: Option<String>,
) {
    let (uid, name) = (uid(&format!("namespace/{name}")), name.to_string());
    let seen = namespace::Command::Observe { uid, name, labels, allowed_namespaces };
    ask(world, Command::Namespace(seen));
}

/// What changes around the configurations.
fn act_around(world: &mut World, action: &Action) {
    let secret = Key::core(NAMESPACE, "key");
    match action {
        Action::Secret { there: true } => world.secret(&secret, None),
        Action::Secret { there: false } => forget(world, &reference::secret(&secret)),
        Action::Neighbour { paused } => {
            let spec = configured(1, *paused, false);
            world.declare("neighbour", &spec, &[("s0".into(), minutes(60))]);
        }
        Action::Guest { paused } => {
            let mut spec = configured(1, *paused, false);
            let target = TypedRef { namespace: ELSEWHERE.into(), ..given::target() };
            world.observe(target.clone(), Facts::Target { replicas: Some(1) });
            spec.target = Some(target);
            spec.sessions[0].repositories = vec![given::repository("three")];
            spec.sessions[0].repositories[0].secret = Some(vault());
            world.declare("guest", &spec, &[("s0".into(), minutes(90))]);
        }
        Action::Storage => {
            let command = storage::Command::Declare(Declared {
                uid: uid("storage/store"),
                key: Key::new(Group::KubeStashStorage, NAMESPACE, "store"),
                generation: 1,
                hash: given::hash(world.state.seq),
                spec: storage::Spec { secret: Some(secret), ..given::storage("store") },
            });
            ask(world, Command::Storage(command));
        }
        _ => unreachable!("{action:?} is no matter of what is around"),
    }
}

/// What the outside does from now on.
fn act_outside(world: &mut World, action: &Action) {
    match action {
        Action::Worker(doing) => world.outside.workers.push(*doing),
        Action::Silence(kind) => {
            world.outside.silent.insert((*kind).into());
        }
        Action::Listen => world.outside.silent.clear(),
        Action::BreakRepository(broken) => {
            let broken = broken.then(|| ("one".to_string(), "WrongPassphrase".to_string()));
            world.outside.broken_repositories = broken.into_iter().collect();
        }
        Action::BreakRemoval(broken) => {
            world.outside.broken_removal = broken.then(|| "locked".into());
        }
        Action::FailHook(times) => {
            world.outside.failing_hooks.insert("freeze".into(), *times);
        }
        _ => unreachable!("{action:?} is no matter of the outside"),
    }
}

pub fn restore_uid(world: &World, number: u8) -> Uid {
    world.restore_named(&format!("r{number}")).unwrap_or_default()
}

fn restore(world: &mut World, number: u8, hooks: bool, timeout: bool) {
    let mut spec = spec::restore("one");
    spec.timeout = timeout.then_some(Millis(20 * 60_000));
    if hooks {
        spec.pre_hooks = vec![hook("freeze", Policy::Always)];
        spec.post_hooks = vec![hook("thaw", Policy::Always), hook("alarm", Policy::OnFailure)];
    }
    world.declare_restore(&format!("r{number}"), &spec);
}

fn create(world: &mut World, session: u8) {
    let made = world.state.seq;
    let command = backup::Command::Create {
        uid: uid(&format!("backup/{made}")),
        key: Key::new(Group::KubeStash, NAMESPACE, format!("by-hand-{made}")),
        configuration: "app".into(),
        session: format!("s{session}"),
        retry_left: 1,
        timeout: None,
        slot: None,
    };
    ask(world, Command::Backup(command));
}

/// Old epochs and answers to effects that nobody waits for change nothing.
fn stale(world: &mut World) {
    let before = world.state.clone();
    let old = world.state.epoch - 1;
    let begin = Command::Lease(lease::Command::Begin { holder: "ghost".into() });
    assert!(matches!(world.submit(old, begin), Err(Rejection::StaleEpoch { .. })));
    let ended = |of_backup: bool| {
        let mine = world
            .log
            .iter()
            .rev()
            .filter(|recorded| matches!(recorded.event, Event::Backup(_)) == of_backup);
        mine.filter_map(|recorded| recorded.event.run()).find_map(|event| match event {
            run::Event::ComponentEnded { uid, component, number, .. } => {
                let component = component.clone();
                Some(holdfast_engine::Attempt { session: *uid, component, number: *number })
            }
            _ => None,
        })
    };
    for attempt in [ended(true), ended(false)].into_iter().flatten() {
        let failure = outside::failure("Ghost", "an echo");
        let echo = Command::Run(run::Command::WorkerVanished { attempt, failure });
        assert!(matches!(world.ask(echo), Err(Rejection::Conflict { .. })));
    }
    assert_eq!(world.state, before);
}
