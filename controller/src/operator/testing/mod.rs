//! An operator on a made-up clock, in a place that does what a test tells it.

pub(crate) mod furnished;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_api::Kind;
use holdfast_engine::Once;
use holdfast_engine::backup::Worker;
use holdfast_engine::declared::Declared;
use holdfast_engine::plan::{Attended, Plan};
use holdfast_engine::storage::{self, DeletionPolicy, Provider};
use holdfast_engine::usage::UsagePolicy;
use holdfast_engine::{
    Actor, Attempt, Command, EffectId, Failure, Hash, Key, Millis, State, StreamKind, Timestamp,
    Uid, namespace,
};
use holdfast_eventlog::{Answer as Submitted, Ledger, Options};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Ports;
use super::dispatcher::{Inbox, Order, Quiet};
use super::progress::Teller;
use super::publisher::Readers;
use super::start::{Audience, Installed, Started, start};
use crate::place::{Answer, End, Place, Standing, Term, Trigger, Trouble};
use crate::ports::clock::tests::Virtual;
use crate::ports::ids::tests::Seeded;
use crate::sighting::Sightings;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;

/// When every test begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_795_230_000_000);

/// What a place does about a call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Answer(Answer),
    Trouble { transient: bool },
    Panic,
    Never,
    After(Duration, Box<Act>),
}

impl Act {
    pub(crate) fn after(seconds: u64, act: Act) -> Self {
        Self::After(Duration::from_secs(seconds), Box::new(act))
    }

    async fn perform(mut self) -> Result<Answer, Trouble> {
        loop {
            match self {
                Self::Answer(answer) => return Ok(answer),
                Self::Trouble { transient } => {
                    return Err(Trouble { failure: failure("trouble"), transient });
                }
                Self::Panic => panic!("no luck"),
                Self::Never => std::future::pending().await,
                Self::After(wait, act) => {
                    tokio::time::sleep(wait).await;
                    self = *act;
                }
            }
        }
    }
}

type Behaviour = dyn Fn(&Plan, usize) -> Act + Send + Sync;
type Ends = dyn Fn(&Attempt) -> (Duration, End) + Send + Sync;
type Stands = dyn Fn(&Attempt) -> (Duration, Standing) + Send + Sync;
type Shows = dyn Fn(usize) -> (Duration, bool) + Send + Sync;

/// A place that does what it is told, and notes it.
pub(crate) struct Stage {
    /// What a call does, by its plan and its number, from 1.
    pub(crate) behaves: Box<Behaviour>,
    /// How workers end, and after what time.
    pub(crate) ends: Box<Ends>,
    /// How attempts stand, and how long it takes to say so.
    pub(crate) stands: Box<Stands>,
    /// How long it takes to show something, by its number, and whether it succeeds.
    pub(crate) shows: Box<Shows>,
    pub(crate) ends_when_dropped: bool,
    pub(crate) begun: Instant,
    pub(crate) calls: Mutex<usize>,
    pub(crate) notes: Mutex<Vec<(Duration, String)>>,
    pub(crate) shown: Mutex<Vec<(ObjectName, Option<Value>)>>,
    pub(crate) shows_asked: Mutex<usize>,
    pub(crate) stopped: watch::Sender<BTreeSet<Attempt>>,
    pub(crate) lost: watch::Sender<bool>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            behaves: Box::new(|_, _| Act::Answer(Answer::Done)),
            ends: Box::new(|_| (Duration::from_secs(60), End::Vanished(failure("vanished")))),
            stands: Box::new(|_| (Duration::ZERO, Standing::Works)),
            shows: Box::new(|_| (Duration::ZERO, true)),
            ends_when_dropped: false,
            begun: Instant::now(),
            calls: Mutex::default(),
            notes: Mutex::default(),
            shown: Mutex::default(),
            shows_asked: Mutex::default(),
            stopped: watch::Sender::default(),
            lost: watch::Sender::new(false),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    fn note(&self, note: String) {
        locked(&self.notes).push((self.begun.elapsed(), note));
    }

    /// What happened, in order.
    pub(crate) fn notes(&self) -> Vec<String> {
        locked(&self.notes).iter().map(|(_, note)| note.clone()).collect()
    }

    /// When what is noted like this happened, since the beginning.
    pub(crate) fn times(&self, like: &str) -> Vec<Duration> {
        let notes = locked(&self.notes);
        notes.iter().filter(|(_, note)| note.starts_with(like)).map(|(at, _)| *at).collect()
    }

    /// Everything that was shown, in order; a retraction shows nothing.
    pub(crate) fn shown(&self) -> Vec<(ObjectName, Option<Value>)> {
        locked(&self.shown).clone()
    }

    /// The lead is somebody else's.
    pub(crate) fn lose(&self) {
        self.lost.send_replace(true);
    }

    async fn show(&self, name: ObjectName, object: Option<Value>) -> Result<(), Trouble> {
        let number = {
            let mut asked = locked(&self.shows_asked);
            *asked += 1;
            *asked
        };
        let (wait, succeeds) = (self.shows)(number);
        tokio::time::sleep(wait).await;
        if !succeeds {
            return Err(Trouble { failure: failure("cannot be shown"), transient: true });
        }
        locked(&self.shown).push((name, object));
        Ok(())
    }
}

pub(crate) fn failure(message: &str) -> Failure {
    Failure { reason: "Test".into(), message: message.into(), permanent: false }
}

struct Ending<'a>(&'a Stage, usize);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.note(format!("{} ends", self.1));
    }
}

impl Place for Stage {
    async fn watch(&self) -> Sightings {
        std::future::pending().await
    }

    async fn carry_out(&self, _: EffectId, plan: Plan) -> Result<Answer, Trouble> {
        let number = {
            let mut calls = locked(&self.calls);
            *calls += 1;
            *calls
        };
        self.note(format!("{number} begins"));
        let _ending = Ending(self, number);
        if let Plan::StopWorker(attempt) = &plan {
            self.stopped.send_modify(|stopped| {
                stopped.insert(attempt.clone());
            });
        }
        (self.behaves)(&plan, number).perform().await
    }

    fn ends_when_dropped(&self, _: &Once) -> bool {
        self.ends_when_dropped
    }

    async fn attend(&self, attended: &Attended, _: &Teller) -> End {
        self.note(format!("attended {}", attended.attempt.component));
        let (wait, end) = (self.ends)(&attended.attempt);
        let mut stopped = self.stopped.subscribe();
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| stopped.contains(&attended.attempt)) => {
                End::Vanished(failure("stopped"))
            }
            () = tokio::time::sleep(wait) => end,
        }
    }

    async fn survey(&self, attended: &Attended) -> Standing {
        let (wait, standing) = (self.stands)(&attended.attempt);
        tokio::time::sleep(wait).await;
        self.note(format!("surveyed {}", attended.attempt.component));
        standing
    }

    async fn release(&self, attempt: &Attempt) {
        self.note(format!("released {}", attempt.component));
    }

    async fn tidy(&self, _: &[Attempt]) {
        self.note("tidied".into());
    }

    fn declared(&self, _: Kind, _: &Key) -> Option<Value> {
        None
    }

    async fn publish(&self, object: &Published) -> Result<Option<Uid>, Trouble> {
        let name = ObjectName::own(object.kind, &object.key);
        self.show(name, Some(object.object.clone())).await.map(|()| None)
    }

    async fn retract(&self, name: &ObjectName, _: Option<Uid>) -> Result<(), Trouble> {
        self.show(name.clone(), None).await
    }

    async fn trigger(&self, _: &Trigger) -> Result<Option<Uid>, Trouble> {
        Ok(None)
    }

    async fn sweep(&self, known: &[ObjectName]) {
        self.note(format!("swept all but {}", known.len()));
    }

    async fn lease(&self) -> Result<Term, Trouble> {
        self.note("leads".into());
        Ok(Term::new("me".into(), self.lost.subscribe()))
    }
}

struct Nobody;

impl Readers for Nobody {
    fn published(&mut self, _: StreamKind, _: Uid, _: &Published) {}
}

/// An operator at work.
pub(crate) struct World {
    pub(crate) stage: Arc<Stage>,
    pub(crate) inbox: Inbox,
    pub(crate) looks: watch::Receiver<Quiet>,
    dispatcher: JoinHandle<Result<(), holdfast_eventlog::Error>>,
}

impl World {
    /// An operator on a log in `dir`.
    pub(crate) async fn start(dir: &std::path::Path, stage: Stage, seed: u64) -> Self {
        Self::start_later(dir, stage, seed, Duration::ZERO).await
    }

    /// The same, some time after the last event of the log.
    pub(crate) async fn start_later(
        dir: &std::path::Path,
        stage: Stage,
        seed: u64,
        later: Duration,
    ) -> Self {
        let ledger = Ledger::open(dir, Options::default()).unwrap();
        let later = Millis(u64::try_from(later.as_millis()).unwrap());
        let now = BEGIN.max(ledger.state().last_at).plus(later);
        let ports = Ports { clock: Virtual::at(now), ids: Seeded::of(seed) };
        let stage = Arc::new(stage);
        let audience = Audience { statuses: Box::new(Nobody), progress: Arc::new(|_, _| {}) };
        let started =
            start(Arc::clone(&stage), ledger, ports, audience, Installed::default()).await.unwrap();
        let Started { dispatcher, inbox, looks } = started;
        let dispatcher = tokio::spawn(dispatcher.run());
        Self { stage, inbox, looks, dispatcher }
    }

    pub(crate) async fn submit(&self, commands: Vec<Command>) -> Vec<Submitted> {
        let orders = commands.into_iter().map(|c| Order::new(Actor::Operator, c)).collect();
        self.inbox.submit(orders).await.unwrap()
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State) -> T + Send + 'static,
    ) -> T {
        self.inbox.ask(question).await.unwrap()
    }

    /// Waits until nothing is left to do; within a limit on the made-up clock.
    pub(crate) async fn quiet(&mut self) {
        let before = self.looks.borrow().look;
        self.ask(|_| ()).await;
        let quiet = self.looks.wait_for(|seen| seen.quiet && seen.look > before);
        let limit = Duration::from_secs(48 * 3600);
        tokio::time::timeout(limit, quiet).await.expect("it never gets quiet").unwrap();
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        self.inbox.stop().await;
        self.dispatcher.await.unwrap().unwrap();
    }

    /// Ends in the middle of everything.
    pub(crate) async fn crash(self) {
        self.dispatcher.abort();
        let _ = self.dispatcher.await;
    }
}

pub(crate) fn seen(number: u8) -> Command {
    Command::Namespace(namespace::Command::Observe {
        uid: Uid([number; 16]),
        name: format!("n{number}"),
        labels: BTreeMap::new(),
        allowed_namespaces: None,
    })
}

/// The storage that [`declared`] declares.
pub(crate) const STORAGE: Uid = Uid([9; 16]);

/// The storage `demo/store`; each version has other content.
pub(crate) fn declared(version: u8) -> Command {
    declared_as(STORAGE, "store", version)
}

/// A storage in `demo`.
pub(crate) fn declared_as(uid: Uid, name: &str, version: u8) -> Command {
    Command::Storage(storage::Command::Declare(Declared {
        uid,
        key: Key::new(holdfast_engine::Group::KubeStashStorage, "demo", name),
        generation: version.into(),
        hash: Hash([version; 32]),
        spec: storage::Spec {
            provider: Provider::Local,
            identity: name.into(),
            secret: None,
            usage: Some(UsagePolicy::All),
            default: false,
            deletion: DeletionPolicy::Delete,
            own_namespace_only: false,
            invalid: None,
        },
    }))
}

/// Acts in their order, and success after them.
pub(crate) fn acts(acts: impl IntoIterator<Item = Act>) -> Box<Behaviour> {
    let acts = Mutex::new(acts.into_iter().collect::<VecDeque<_>>());
    Box::new(move |_, _| locked(&acts).pop_front().unwrap_or(Act::Answer(Answer::Done)))
}

/// A worker of this number.
pub(crate) fn worker(number: u8) -> Worker {
    Worker { job: Uid([number; 16]), pod: Uid([number; 16]) }
}
