//! Reactions: in whatever order their rows stand, and in however many steps they are done, they come to the
//! same.

mod history;
mod world;

use std::collections::BTreeSet;

use history::{Action, act, action, begin, meddling, surroundings};
use holdfast_engine::condition::Type;
use holdfast_engine::configuration::state::Configuration;
use holdfast_engine::declared::Declared;
use holdfast_engine::reactions::ROWS;
use holdfast_engine::testing::given::{self, NAMESPACE};
use holdfast_engine::usage::UsagePolicy;
use holdfast_engine::{
    Actor, Command, CommandId, Due, Envelope, Event, Group, Key, Millis, Once, Recorded, State,
    Timestamp, Uid, apply, configuration, decide, dependency, due, lease, limits, namespace,
    outbox, reaction, repository, retention, storage,
};
use proptest::prelude::*;
use world::{World, minutes, uid};

fn anything() -> impl Strategy<Value = Action> {
    prop_oneof![4 => action(), 3 => meddling(), 5 => surroundings()]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// [`world::reordered`] says what is compared.
    #[test]
    fn it_does_not_matter_in_which_manner_reactions_are_done(
        seed in any::<u64>(),
        actions in prop::collection::vec(anything(), 1..60),
    ) {
        let mut world = begin();
        world.reordered = Some(seed);
        world.pass(minutes(10));
        for action in &actions {
            act(&mut world, action);
        }
    }
}

/// However few hooks are taken on at once, none of a former leader goes on.
#[test]
fn hooks_of_a_former_leader_end_in_whatever_pieces() {
    for seed in 0..8 {
        let mut world = begin();
        world.outside.silent.insert("RunHook".into());
        act(&mut world, &Action::Neighbour { paused: false });
        world.pass(minutes(1));
        let hooks = world.state.outbox.values().filter(|once| matches!(once, Once::RunHook { .. }));
        assert_eq!(hooks.count(), 2);
        // Pieces of one, two and three.
        world.reordered = Some(seed << 8);
        world.restart();
    }
}

/// A first backup rests on all of its repositories: those that have to be opened anew are first, in whatever pieces
/// and whichever row comes first.
#[test]
fn a_first_backup_waits_for_repositories_that_are_opened_anew() {
    for seed in 0..12_u64 {
        let mut world = World::new();
        world.furnish();
        world.outside.silent.insert("InitializeRepository".into());
        world.declare_retention("keep", given::retention(2));
        world.declare_storage("store", given::storage("store"));
        let mut declare = |name: &str, paused: bool, repositories: &[&str]| {
            let mut session = given::session("nightly");
            session.repositories =
                repositories.iter().map(|name| given::repository(name)).collect();
            let spec = configuration::Spec { paused, ..given::configuration(vec![session]) };
            world.declare(name, &spec, &[("nightly".into(), minutes(60))]);
        };
        // Those of another one are opened first.
        declare("neighbour", true, &["two", "three", "four", "five", "six", "seven"]);
        declare("app", false, &["one"]);
        world.settle();
        let names = world.state.repositories.values().map(|known| known.key.name.as_str());
        let mine = names.clone().position(|name| name == "one").unwrap();
        assert_eq!((names.count(), mine > 1), (7, true));
        // Its policy is closed while they are opened, so it has no first backup yet.
        let closed = retention::Spec { usage: None, ..given::retention(2) };
        world.declare_retention("keep", closed);
        world.outside.silent.clear();
        world.restart();
        world.settle();
        assert!(world.state.repositories.values().all(|known| known.id.is_some()));
        // Their backend breaks, and the policy opens meanwhile.
        world.outside.broken_storages.insert("store".into(), "AccessDenied".into());
        act(&mut world, &Action::Storage);
        world.settle();
        world.declare_retention("keep", given::retention(2));
        world.settle();
        assert!(world.state.backups.is_empty(), "{:#?}", world.state.backups);
        // It works again; pieces of one, two and three.
        world.outside.broken_storages.clear();
        let before = world.log.len();
        world.reordered = Some(seed << 8);
        world.pass(minutes(2));
        let home = world.state.repositories.keys().nth(mine).copied().unwrap();
        let of = |wanted: &dyn Fn(&Event) -> bool| {
            let all = world.log.iter().enumerate().skip(before);
            let all = all.filter(|(_, recorded)| wanted(&recorded.event));
            all.map(|(number, _)| number).collect::<Vec<_>>()
        };
        let opened = of(&|event| match event {
            Event::Repository(repository::Event::Initialized { uid, .. }) => *uid == home,
            _ => false,
        });
        let triggered = of(&|event| {
            use configuration::Event as Of;
            matches!(event, Event::Configuration(Of::InitialBackupTriggered { .. }))
        });
        assert_eq!((opened.len(), triggered.len()), (1, 1), "{opened:?} {triggered:?}");
        assert!(triggered[0] > opened[0], "not before its repository is open");
    }
}

#[test]
fn the_table_stands_in_the_architecture() {
    let document = include_str!("../../docs/architecture.md");
    let (_, table) = document.split_once("| Row | What happened |").expect("the table");
    let shown: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let rows = ROWS.iter();
    let told: Vec<String> = rows
        .map(|row| format!("| {} | {} | {} | {} |", row.name, row.cause, row.reaction, row.why))
        .collect();
    assert_eq!(shown, told);
}

/// How many configurations an event concerns.
const MANY: usize = 2_000;

/// The engine and its log, without the laws of [`world::World`], which look at all that there is after each
/// command.
struct Log {
    state: State,
    now: Timestamp,
    commands: u64,
    /// Events of each step.
    steps: Vec<usize>,
}

impl Log {
    fn new() -> Self {
        let now = Timestamp(1_700_438_400_000);
        let mut log = Self { state: State::default(), now, commands: 0, steps: Vec::new() };
        log.lead();
        log
    }

    fn lead(&mut self) {
        let begin = lease::Command::Begin { holder: "operator".into() };
        self.submit(self.state.epoch + 1, Command::Lease(begin));
    }

    fn ask(&mut self, command: Command) -> Vec<Event> {
        self.submit(self.state.epoch, command)
    }

    fn submit(&mut self, epoch: u64, command: Command) -> Vec<Event> {
        self.commands += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.commands.to_be_bytes());
        let id = CommandId(id);
        let envelope = Envelope { id, at: self.now, actor: Actor::Operator, epoch, command };
        let events = decide(&self.state, &envelope).expect("it is taken");
        for event in events.clone() {
            let seq = self.state.seq + 1;
            let recorded = Recorded { seq, at: self.now, cause: id, epoch, event };
            apply(&mut self.state, &recorded).expect("it follows");
        }
        self.steps.push(events.len());
        events
    }

    /// One step of what waits; false when nothing does.
    fn go_on(&mut self) -> bool {
        let first = due(&self.state, self.now, Millis(0)).into_iter().next();
        let waits = first == Some(Due::Continue);
        assert_eq!(waits, !self.state.waiting.is_empty(), "what waits is due before all else");
        if waits {
            self.ask(Command::Reaction(reaction::Command::Continue));
        }
        waits
    }

    /// Answers the one effect of this kind that is waited for.
    fn done(&mut self, fits: impl Fn(&Once) -> bool) -> Vec<Event> {
        let found = self.state.outbox.iter().find(|(_, once)| fits(once));
        let effect = *found.expect("it is asked for").0;
        let answer = outbox::Answer::Done;
        self.ask(Command::Outbox(outbox::Command::Answer { effect, answer }))
    }

    /// Goes on until nothing waits; between two steps the operator starts anew, or somebody asks for something.
    fn finish(&mut self) {
        let mut between = 0;
        while self.go_on() {
            between += 1;
            match between % 3 {
                0 => self.lead(),
                1 => {
                    let labels = [("seen".to_string(), self.commands.to_string())].into();
                    let (uid, name) = (uid("namespace/elsewhere"), "elsewhere".to_string());
                    let seen =
                        namespace::Command::Observe { uid, name, labels, allowed_namespaces: None };
                    let happened = self.ask(Command::Namespace(seen));
                    assert_eq!(happened.len(), 1, "other commands are decided as ever");
                }
                _ => {}
            }
        }
        let replayed = self.state.clone();
        assert!(replayed.is_indexed());
        let most = self.steps.iter().max().copied().unwrap_or_default();
        assert!(most <= limits::EVENTS_A_STEP + SLACK, "a step of {most} events");
    }
}

/// What the last reaction of a step may add, and the records of what waits.
const SLACK: usize = limits::EVENTS_A_REACTION + 64;

fn key(name: &str) -> Key {
    Key::new(Group::KubeStashStorage, NAMESPACE, name)
}

fn policy(hash: u64, usage: Option<UsagePolicy>) -> Command {
    let spec = retention::Spec { usage, ..given::retention(2) };
    let (uid, key) = (uid("retention/keep"), key("keep"));
    let hash = given::hash(hash);
    Command::Retention(retention::Command::Declare(Declared {
        uid,
        key,
        generation: 1,
        hash,
        spec,
    }))
}

/// Many configurations, each with a repository of its own in one storage, whose backend was not checked yet.
fn many() -> Log {
    let mut log = Log::new();
    let mut furnished = World::new();
    furnished.furnish();
    for (uid, known) in &furnished.state.dependencies {
        let (object, facts) = (known.object.clone(), known.facts.clone());
        let (uid, hash) = (*uid, known.hash);
        log.ask(Command::Dependency(dependency::Command::Observe { uid, object, hash, facts }));
    }
    log.ask(policy(1, Some(UsagePolicy::All)));
    log.ask(Command::Storage(storage::Command::Declare(Declared {
        uid: uid("storage/store"),
        key: key("store"),
        generation: 1,
        hash: given::hash(1),
        spec: given::storage("store"),
    })));
    for number in 0..MANY {
        let mut session = given::session("s");
        session.repositories = vec![given::repository(&format!("r{number}"))];
        let name = format!("c{number}");
        log.ask(Command::Configuration(configuration::Command::Declare {
            declared: Declared {
                uid: uid(&format!("configuration/{name}")),
                key: Key::new(Group::KubeStash, NAMESPACE, name),
                generation: 1,
                hash: given::hash(1),
                spec: given::configuration(vec![session]),
            },
            schedules: vec![],
        }));
    }
    let one = log.state.configurations.values().next();
    assert_eq!(log.state.repositories.len(), MANY, "{one:#?}");
    log.steps.clear();
    log
}

#[test]
fn a_backend_that_works_has_thousands_of_repositories_opened_step_by_step() {
    let mut log = many();
    log.done(|once| matches!(once, Once::InitializeBackend { .. }));
    assert!(!log.state.waiting.is_empty());
    assert!(log.state.waiting.len() < 8, "{:?}", log.state.waiting);
    log.finish();
    assert!(log.steps.len() > MANY * 2 / limits::EVENTS_A_STEP, "{:?}", log.steps);
    assert!(log.state.repositories.values().all(|known| known.initializing));
    let asked: BTreeSet<Uid> = log
        .state
        .outbox
        .values()
        .map(|once| match once {
            Once::InitializeRepository { repository } => *repository,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, log.state.repositories.keys().copied().collect());
    assert_eq!(log.state.outbox.len(), MANY, "each is asked for once");
}

#[test]
fn a_policy_that_is_closed_makes_thousands_of_configurations_invalid_and_one_that_opens_valid() {
    let mut log = many();
    let valid = |log: &Log| {
        let passed = |known: &&Configuration| known.conditions.is_true(Type::ValidationPassed);
        log.state.configurations.values().filter(passed).count()
    };
    assert_eq!(valid(&log), MANY);
    log.ask(policy(2, None));
    assert!(valid(&log) > MANY / 2, "not all at once");
    // What is news meanwhile is news for all of them.
    log.ask(policy(3, Some(UsagePolicy::All)));
    log.finish();
    assert_eq!(valid(&log), MANY);
    log.ask(policy(4, None));
    log.finish();
    assert_eq!(valid(&log), 0);
}

#[test]
fn a_storage_goes_with_thousands_of_repositories_and_their_configurations_ask_for_new_ones() {
    let mut log = many();
    let before: BTreeSet<Uid> = log.state.repositories.keys().copied().collect();
    log.ask(Command::Storage(storage::Command::Delete { uid: uid("storage/store") }));
    log.finish();
    assert!(log.state.storages.is_empty());
    let after: BTreeSet<Uid> = log.state.repositories.keys().copied().collect();
    assert_eq!(after.len(), MANY);
    assert!(after.is_disjoint(&before));
}
