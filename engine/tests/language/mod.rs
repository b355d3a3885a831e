//! The language of the scenarios: a line is a sentence, its words are looked up here.

mod restores;
mod surroundings;

use std::collections::BTreeMap;

use holdfast_engine::backup::phase::Phase;
use holdfast_engine::condition::{Condition, Conditions, Type};
use holdfast_engine::configuration::phase::{phase as configuration_phase, unready};
use holdfast_engine::configuration::{Concurrency, Retry, SessionSpec, Spec};
use holdfast_engine::hook::{Executor, HookSpec, Policy};
use holdfast_engine::run::limit::Limits;
use holdfast_engine::snapshot::phase::phase as snapshot_phase;
use holdfast_engine::storage::DeletionPolicy;
use holdfast_engine::testing::given::{self, NAMESPACE};
use holdfast_engine::usage::UsagePolicy;
use holdfast_engine::{
    Command, Group, Key, Millis, Timestamp, Uid, backup, configuration, dependency, due,
    repository, restore, run, snapshot, storage,
};

use crate::world::outside::Doing;
use crate::world::statuses::Statuses;
use crate::world::{World, minutes, uid};

/// Tells a story, and what the world has come to; panics with the line that does not come true.
pub fn tell(text: &str) -> World {
    let mut story = Story::new();
    let mut scene = "";
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        let sentence = match *first {
            "#" => continue,
            "given" | "when" | "then" => {
                scene = first;
                &words[1..]
            }
            "and" => &words[1..],
            _ => panic!("line {}: a sentence begins with given, when, then or and", number + 1),
        };
        story.line = format!("line {}: {}", number + 1, line.trim());
        match scene {
            "given" => story.given(sentence),
            "when" => story.when(sentence),
            "then" => story.then(sentence, line),
            _ => panic!("{}: nothing was given yet", story.line),
        }
    }
    assert_eq!(story.world.replay(), story.world.state, "replay = live");
    story.world
}

struct Story {
    world: World,
    line: String,
    sessions: Vec<SessionSpec>,
    periods: BTreeMap<String, i64>,
    paused: bool,
    allow_partial: bool,
    defaults_only: bool,
    begin: Timestamp,
    restores: BTreeMap<String, restore::Spec>,
}

fn configuration_uid() -> Uid {
    uid("configuration/app")
}

/// `10m`, `2h`, `1d` in milliseconds.
fn span(word: &str) -> i64 {
    let (number, unit) = word.split_at(word.len() - 1);
    let number: i64 = number.parse().unwrap_or_else(|_| panic!("{word:?} is no span of time"));
    minutes(
        number
            * match unit {
                "m" => 1,
                "h" => 60,
                "d" => 24 * 60,
                _ => panic!("{word:?}: units are m, h and d"),
            },
    )
}

fn millis(word: &str) -> Millis {
    Millis(u64::try_from(span(word)).expect("spans are positive"))
}

fn doing(word: &str) -> Doing {
    match word {
        "succeeds" => Doing::Succeed,
        "fails" => Doing::Fail,
        "fails-for-good" => Doing::FailForGood,
        "vanishes" => Doing::Vanish,
        "is-partial" => Doing::Partial,
        "finds-nothing" => Doing::Empty,
        "cannot-read-back" => Doing::NotReadBack,
        "cannot-start" => Doing::NotStart,
        _ => panic!("{word:?}: no worker does that"),
    }
}

impl Story {
    fn new() -> Self {
        let mut world = World::new();
        world.statuses = Some(Statuses::new());
        world.furnish();
        let begin = world.now;
        Self {
            world,
            line: String::new(),
            sessions: vec![],
            periods: BTreeMap::new(),
            paused: false,
            allow_partial: false,
            defaults_only: false,
            begin,
            restores: BTreeMap::new(),
        }
    }

    fn given(&mut self, words: &[&str]) {
        match words {
            ["storage", name, options @ ..] => {
                let mut storage = given::storage(name);
                storage.default = options.contains(&"default");
                if options.contains(&"wiped") {
                    storage.deletion = DeletionPolicy::WipeOut;
                }
                if options.contains(&"forbidden") {
                    storage.usage = None;
                }
                if options.contains(&"credentials") {
                    storage.secret = Some(Key::core(NAMESPACE, "credentials"));
                }
                if options.contains(&"same") {
                    storage.usage = Some(UsagePolicy::Same);
                }
                self.world.declare_storage(name, storage);
            }
            ["retention", name, "keeps", count, options @ ..] => {
                let mut policy = given::retention(count.parse().expect("a number"));
                policy.default = options.contains(&"default");
                self.world.declare_retention(name, policy);
            }
            ["hook", name] => self.world.declare_hook(name, Executor::Pod),
            ["hook", name, "as", "a", "Job"] => self.world.declare_hook(name, Executor::Function),
            ["pods", count] => self.world.outside.pods = count.parse().expect("a number"),
            ["secret", name, "of", namespace] => {
                self.world.secret(&Key::core(*namespace, *name), None);
            }
            ["secret", name, "of", namespace, "allowing", allowed] => {
                self.world.secret(&Key::core(*namespace, *name), Some(allowed));
            }
            [count, "worker" | "workers", "at", "once"] => {
                let cluster = Some(count.parse().expect("a number"));
                self.world.limit(Limits { cluster, ..Limits::default() });
            }
            ["no", "backends"] => self.defaults_only = true,
            ["partial", "backups", "allowed"] => self.allow_partial = true,
            ["session", name, "every", period, options @ ..] => {
                self.periods.insert((*name).into(), span(period));
                self.sessions.push(session(name, options));
            }
            ["repository", name, options @ ..] => self.repository(name, options),
            ["restore", name, "of", repository, options @ ..] => {
                self.give_restore(name, repository, options);
            }
            ["before", hook, options @ ..] => {
                let hook = hook_spec(hook, options);
                self.last_session().pre_hooks.push(hook);
            }
            ["after", hook, options @ ..] => {
                let hook = hook_spec(hook, options);
                self.last_session().post_hooks.push(hook);
            }
            _ => self.given_around(words),
        }
    }

    fn last_session(&mut self) -> &mut SessionSpec {
        self.sessions.last_mut().expect("a session was given before")
    }

    fn repository(&mut self, name: &str, options: &[&str]) {
        let mut wanted = given::repository(name);
        if self.defaults_only {
            wanted.backend.clear();
        }
        match options {
            [] => {}
            ["wiped"] => wanted.deletion = Some(DeletionPolicy::WipeOut),
            ["retained"] => wanted.deletion = Some(DeletionPolicy::Retain),
            ["with", secret, "of", namespace] => {
                wanted.secret = Some(Key::core(*namespace, *secret));
            }
            _ => panic!("{}: unknown words", self.line),
        }
        self.last_session().repositories.push(wanted);
    }

    /// What the outside does, in `given` and in `when`.
    fn outside(&mut self, words: &[&str]) {
        let outside = &mut self.world.outside;
        match words {
            ["workers", "take", time] => outside.work = span(time),
            ["the", "next", "worker", what] => outside.workers.push(doing(what)),
            ["the", "next", count, "workers", what] => {
                let count = count.parse().expect("a number");
                outside.workers.extend(std::iter::repeat_n(doing(what), count));
            }
            ["hook", name, "fails", times] => {
                let times = times.parse().expect("a number");
                outside.failing_hooks.insert((*name).into(), times);
            }
            ["repository", name, "opens", "with", reason] => {
                outside.broken_repositories.insert((*name).into(), (*reason).into());
            }
            ["storage", name, "is", "refused"] => {
                outside.broken_storages.insert((*name).into(), "access denied".into());
            }
            ["storage", name, "is", "reachable"] => {
                outside.broken_storages.remove(*name);
            }
            ["repository", name, "opens"] => {
                outside.broken_repositories.remove(*name);
            }
            ["the", "survey", "fails"] => outside.broken_survey = Some("no pods yet".into()),
            ["the", "survey", "works"] => outside.broken_survey = None,
            ["removal", "fails"] => outside.broken_removal = Some("the store is locked".into()),
            ["removal", "works"] => outside.broken_removal = None,
            ["nobody", "answers", kind] => {
                outside.silent.insert((*kind).into());
            }
            ["everybody", "answers"] => outside.silent.clear(),
            _ => panic!("{}: unknown sentence", self.line),
        }
    }

    fn when(&mut self, words: &[&str]) {
        match words {
            ["the", "configuration", "is", "applied"] => self.apply(),
            ["configuration", name, "is", "applied"] => {
                self.apply_as(name);
                self.sessions.clear();
                self.periods.clear();
            }
            ["the", "configuration", "is", "paused"] => {
                self.paused = true;
                self.apply();
            }
            ["the", "configuration", "is", "resumed"] => {
                self.paused = false;
                self.apply();
            }
            ["the", "configuration", "is", "deleted"] => {
                let uid = configuration_uid();
                self.ask(Command::Configuration(configuration::Command::Delete { uid }));
            }
            ["storage", name, "is", "deleted"] => {
                let uid = uid(&format!("storage/{name}"));
                self.ask(Command::Storage(storage::Command::Delete { uid }));
            }
            ["repository", name, "is", "deleted"] => {
                let uid = self.repository_named(name).expect("it is there");
                self.ask(Command::Repository(repository::Command::Delete { uid }));
            }
            ["the", "oldest", "snapshot", "of", name, "is", "deleted"] => {
                let uid = self.oldest_snapshot(name);
                self.ask(Command::Snapshot(snapshot::Command::Delete { uid }));
            }
            ["session", name, "is", "triggered", "by", "hand"] => self.create(name, None),
            ["a", "CronJob", "triggers", name, "for", slot] => {
                let slot = Timestamp(self.begin.0 + span(slot));
                self.create(name, Some(slot));
            }
            ["the", "last", "session", "is", "cancelled"] => {
                let session = self.last().0;
                let cause = "somebody said stop".into();
                self.ask(Command::Run(run::Command::Cancel { session, cause }));
            }
            ["the", "operator", "restarts"] => {
                self.world.restart();
                self.world.settle();
            }
            ["the", "operator", "is", "away", "for", time] => {
                self.world.now = Timestamp(self.world.now.0 + span(time));
                self.world.restart();
                self.world.settle();
            }
            ["secret", name, "changes"] => {
                self.world.secret(&Key::core(NAMESPACE, *name), None);
                self.world.settle();
            }
            ["secret", name, "is", "gone"] => {
                let object = dependency::state::secret(&Key::core(NAMESPACE, *name));
                let uid = self.world.state.objects[&object];
                self.ask(Command::Dependency(dependency::Command::Forget { uid }));
            }
            ["secret", name, "of", namespace, "allows", allowed] => {
                self.world.secret(&Key::core(*namespace, *name), Some(allowed));
                self.world.settle();
            }
            [time, "pass" | "passes"] => self.world.pass(span(time)),
            ["restore", name, "is", what] => self.when_restore(name, what),
            _ => self.when_around(words),
        }
    }

    fn ask(&mut self, command: Command) {
        if let Err(rejection) = self.world.ask(command) {
            panic!("{}: {rejection}", self.line);
        }
        self.world.settle();
    }

    fn apply(&mut self) {
        self.apply_as("app");
    }

    fn apply_as(&mut self, name: &str) {
        let mut spec: Spec = given::configuration(self.sessions.clone());
        spec.paused = self.paused;
        spec.allow_partial = self.allow_partial;
        if self.defaults_only {
            spec.backends.clear();
        }
        let periods: Vec<(String, i64)> =
            self.periods.iter().map(|(name, period)| (name.clone(), *period)).collect();
        self.world.declare(name, &spec, &periods);
        self.world.settle();
    }

    fn create(&mut self, session: &str, slot: Option<Timestamp>) {
        let command = backup::Command::Create {
            uid: uid(&format!("backup/{}", self.world.state.seq)),
            key: Key::new(Group::KubeStash, NAMESPACE, ""),
            configuration: "app".into(),
            session: session.into(),
            retry_left: 0,
            timeout: None,
            slot,
        };
        self.ask(Command::Backup(command));
    }

    fn repository_named(&self, name: &str) -> Option<Uid> {
        self.world
            .state
            .repository_named(&Key::new(Group::KubeStashStorage, NAMESPACE, name))
            .map(|found| found.uid)
    }

    fn last(&self) -> (Uid, Phase) {
        let sessions = self.world.sessions();
        let (backup, phase) = sessions.last().unwrap_or_else(|| panic!("{}: none", self.line));
        (backup.uid, *phase)
    }

    fn then(&mut self, words: &[&str], line: &str) {
        match words {
            ["the", "sessions", "are", phases @ ..] => {
                let sessions = self.world.sessions();
                let is: Vec<&str> = sessions.iter().map(|(_, phase)| phase.as_str()).collect();
                let says: Vec<&str> = phases.iter().map(|p| p.trim_end_matches(',')).collect();
                self.equal(&is, &says);
            }
            ["the", "configuration", "waits", "because", ..] => {
                let wanted = line.split_once("because ").expect("it says").1.trim();
                let found = &self.world.state.configurations[&configuration_uid()];
                self.says(&Vec::from_iter(unready(&self.world.state, found)), wanted);
            }
            ["there", "is", "no", "session"] => self.equal(&self.world.sessions().len(), &0),
            ["the", "last", "session", "is", phase] => {
                self.equal(&self.last().1.as_str(), phase);
            }
            ["the", "last", "session", "says", ..] => {
                let wanted = line.split_once("says ").expect("it says").1.trim();
                let backup = &self.world.state.backups[&self.last().0];
                self.says(&said_by(&backup.conditions), wanted);
            }
            ["the", "last", "session", "does", "not", "say", unwanted] => {
                let said = said_by(&self.world.state.backups[&self.last().0].conditions);
                let found = said.iter().any(|text| text.starts_with(unwanted));
                assert!(!found, "{}\n  is: {said:#?}", self.line);
            }
            ["the", "conditions", "are", names @ ..] => {
                let backup = &self.world.state.backups[&self.last().0];
                let is: Vec<&str> = backup.conditions.iter().map(|c| c.kind.as_str()).collect();
                let says: Vec<&str> = names.iter().map(|n| n.trim_end_matches(',')).collect();
                self.equal(&is, &says);
            }
            _ => self.then_around(words, line),
        }
    }

    /// What is true of things other than sessions.
    fn then_around(&mut self, words: &[&str], line: &str) {
        match words {
            ["restore", name, what @ ..] => self.then_restore(name, what, line),
            ["the", "configuration", ..] => self.then_configuration(words, line),
            _ => self.then_things(words, line),
        }
    }

    fn then_configuration(&self, words: &[&str], line: &str) {
        match words {
            ["the", "configuration", "is", "gone"] => {
                let state = &self.world.state;
                self.equal(&state.configurations.contains_key(&configuration_uid()), &false);
            }
            ["the", "configuration", "is", phase] => {
                let found = &self.world.state.configurations[&configuration_uid()];
                self.equal(&configuration_phase(&self.world.state, found).as_str(), phase);
            }
            ["the", "configuration", "says", ..] => {
                let wanted = line.split_once("says ").expect("it says").1.trim();
                let found = &self.world.state.configurations[&configuration_uid()];
                let condition = found.conditions.get(Type::ValidationPassed).expect("validated");
                self.says(&[format!("{} {}", condition.reason, condition.message)], wanted);
            }
            _ => panic!("{}: unknown sentence", self.line),
        }
    }

    fn then_things(&self, words: &[&str], line: &str) {
        match words {
            ["the", "hooks", "that", "ran", "are", names @ ..] => {
                let says: Vec<String> =
                    names.iter().map(|name| name.trim_end_matches(',').into()).collect();
                self.equal(&self.world.outside.hooks, &says);
            }
            ["the", "snapshots", "of", name, "are", phases @ ..] => {
                let mut found = self.snapshots_of(name);
                let says: Vec<&str> = phases.iter().map(|p| p.trim_end_matches(',')).collect();
                found.sort();
                self.equal(&found.iter().map(|(_, phase)| *phase).collect::<Vec<_>>(), &says);
            }
            ["a", "snapshot", "of", name, "says", ..] => {
                let wanted = line.split_once("says ").expect("it says").1.trim();
                let repository = self.repository_named(name).expect("it is there");
                let all = self.world.state.snapshots.values();
                let said: Vec<String> = all
                    .filter(|snapshot| snapshot.repository == repository)
                    .flat_map(|snapshot| said_by(&snapshot.conditions))
                    .collect();
                self.says(&said, wanted);
            }
            ["there", "is", "no", "snapshot", "of", name] => {
                self.equal(&self.snapshots_of(name).len(), &0);
            }
            ["nothing", "was", "removed"] => {
                self.equal(&self.world.outside.removed, &vec![]);
            }
            [count, "removed"] => {
                self.equal(&self.world.outside.removed.len().to_string().as_str(), count);
            }
            [name, "was", "wiped"] => {
                let wiped = self.world.outside.removed.iter().any(|removed| removed == name);
                self.equal(&wiped, &true);
            }
            [count, "workers", "were", "stopped"] => {
                self.equal(&self.world.outside.stopped.to_string().as_str(), count);
            }
            [count, "slots", "of", name, "were", "missed"] => {
                let schedule = self.world.state.schedule(configuration_uid(), name).expect("one");
                self.equal(&schedule.missed.to_string().as_str(), count);
            }
            ["nothing", "is", "due"] => {
                let now = self.world.now;
                self.equal(&due(&self.world.state, now, Millis(0)), &vec![]);
            }
            ["nothing", "is", "outstanding"] => {
                self.equal(&self.world.state.outbox.values().collect::<Vec<_>>(), &vec![]);
            }
            _ => self.then_backends(words, line),
        }
    }

    fn then_backends(&self, words: &[&str], line: &str) {
        let storage = |name: &str| &self.world.state.storages[&uid(&format!("storage/{name}"))];
        match words {
            ["repository", name, "is", "gone"] => {
                self.equal(&self.repository_named(name).is_some(), &false);
            }
            ["repository", name, "is", "ready"] => self.ready(name, None),
            ["repository", name, "is", "not", "ready:", reason] => self.ready(name, Some(reason)),
            ["storage", name, "is", "ready"] => {
                let found = storage(name);
                self.equal(&found.is_initialized(), &true);
            }
            ["storage", name, "is", "not", "ready:", ..] => {
                let found = storage(name);
                self.equal(&found.is_initialized(), &false);
                let said =
                    found.conditions.get(Type::BackendInitialized).map(|c| c.message.as_ref());
                self.equal(&said, &line.split_once("ready: ").map(|(_, wanted)| wanted.trim()));
            }
            _ => panic!("{}: unknown sentence", self.line),
        }
    }

    fn oldest_snapshot(&self, name: &str) -> Uid {
        let repository = self.repository_named(name).expect("it is there");
        let all = self.world.state.snapshots.values();
        let mine = all.filter(|snapshot| snapshot.repository == repository);
        let oldest = mine.min_by_key(|snapshot| snapshot.taken);
        oldest.unwrap_or_else(|| panic!("{}: none", self.line)).uid
    }

    fn snapshots_of(&self, name: &str) -> Vec<(Timestamp, &'static str)> {
        let Some(repository) = self.repository_named(name) else { return vec![] };
        let all = self.world.state.snapshots.values();
        all.filter(|snapshot| snapshot.repository == repository)
            .map(|snapshot| (snapshot.taken, snapshot_phase(snapshot).as_str()))
            .collect()
    }

    fn ready(&self, name: &str, reason: Option<&str>) {
        let uid = self.repository_named(name).unwrap_or_else(|| panic!("{}: gone", self.line));
        let found = &self.world.state.repositories[&uid];
        let is = found.failure.as_ref().map(|failure| failure.reason.as_str());
        self.equal(&is, &reason);
        self.equal(&found.is_ready(), &reason.is_none());
    }

    fn says(&self, said: &[String], wanted: &str) {
        assert!(said.iter().any(|text| text.contains(wanted)), "{}\n  is: {said:#?}", self.line);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&self, is: &T, says: &T) {
        assert_eq!(is, says, "{} (left: what is, right: what the story says)", self.line);
    }
}

fn said_by(conditions: &Conditions) -> Vec<String> {
    let line = |c: &Condition| format!("{}={} {}", c.kind.as_str(), c.status.as_str(), c.message);
    conditions.iter().map(line).collect()
}

fn session(name: &str, options: &[&str]) -> SessionSpec {
    // A story names its repositories.
    let mut session = SessionSpec { repositories: vec![], ..given::session(name) };
    let mut rest = options;
    loop {
        rest = match rest {
            [] => return session,
            ["timeout", time, rest @ ..] => {
                session.timeout = Some(millis(time));
                rest
            }
            ["retry", count, "after", delay, rest @ ..] => {
                let max = count.parse().expect("a number");
                session.retry = Some(Retry { max, delay: millis(delay) });
                rest
            }
            ["history", count, rest @ ..] => {
                session.history_limit = count.parse().expect("a number");
                rest
            }
            ["starting-deadline", time, rest @ ..] => {
                if let Some(scheduler) = &mut session.scheduler {
                    scheduler.starting_deadline = Some(millis(time));
                }
                rest
            }
            [policy @ ("forbid" | "replace"), rest @ ..] => {
                if let Some(scheduler) = &mut session.scheduler {
                    scheduler.concurrency = match *policy {
                        "forbid" => Concurrency::Forbid,
                        _ => Concurrency::Replace,
                    };
                }
                rest
            }
            [word, ..] => panic!("session {name}: unknown word {word:?}"),
        };
    }
}

fn hook_spec(name: &str, options: &[&str]) -> HookSpec {
    let mut hook = HookSpec {
        name: name.into(),
        template: Key::new(Group::KubeStash, NAMESPACE, name),
        params: vec![],
        max_retry: 0,
        timeout: None,
        policy: Policy::Always,
    };
    for option in options {
        match *option {
            "always" => hook.policy = Policy::Always,
            "on-success" => hook.policy = Policy::OnSuccess,
            "on-failure" => hook.policy = Policy::OnFailure,
            retries => hook.max_retry = retries.parse().expect("a policy, or how many retries"),
        }
    }
    hook
}
