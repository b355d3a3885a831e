//! One life of the operator: from the opening of its log to its end, whichever comes first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::run::limit::Limits;
use holdfast_engine::table::Table;
use holdfast_engine::{Millis, Rejection, State, StreamKind, Timestamp, Uid, next_wakeup};
use holdfast_eventlog::{Answer, Attachments, Files, Ledger, Memory, Options, Refusal};
use tokio::sync::Notify;

use super::clock::BEGINNING;
use super::place::Simulated;
use super::run::World;
use super::weather::Span;
use super::witness;
use crate::operator::Ports;
use crate::operator::dispatcher::Quiet;
use crate::operator::inbox::{Inbox, Order, Stopped};
use crate::operator::publisher::Readers;
use crate::operator::start::{Audience, Installed, StartError, Started, start};
use crate::place::Place as _;
use crate::sighting::Sightings;
use crate::sighting::changes::{Applied, Changes, Sighter};
use crate::sighting::known::Known;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;

/// Few enough that sessions wait for each other.
const WORKERS: u32 = 2;

/// How long all has to be quiet, with nothing recorded, until a run is over.
const REST: i64 = 15 * 60_000;

/// How long after the last step all has to be quiet.
pub(super) const PATIENCE: i64 = 20 * 60 * 60_000;

/// How long a session may be open after its deadline: what closing, hooks after the work and silent places may take,
/// and a minute.
const OVERDUE: i64 = (15 + 10 + 20 + 1) * 60_000;

/// Ends a life at a call of the place.
#[derive(Default)]
pub(crate) struct Fuse {
    left: Mutex<Option<(u64, u64)>>,
    turns: Mutex<u64>,
    burnt: Notify,
}

impl Fuse {
    fn new(left: Option<(u64, u64)>) -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(left), ..Self::default() })
    }

    /// A call of the place.
    pub(super) fn call(&self) {
        let mut left = self.left.lock().unwrap();
        match *left {
            Some((0 | 1, turns)) => {
                *self.turns.lock().unwrap() = turns;
                *left = None;
                self.burnt.notify_one();
            }
            Some((calls, turns)) => *left = Some((calls - 1, turns)),
            None => {}
        }
    }

    /// The operator dies here.
    pub(super) async fn die(&self) {
        self.burnt.notify_one();
        std::future::pending().await
    }

    async fn burns(&self) {
        self.burnt.notified().await;
        let turns = *self.turns.lock().unwrap();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

/// How a life ended.
#[derive(Debug)]
pub(super) enum End {
    /// By a crash, whatever it was.
    Crashed,
    /// In order: another one leads.
    Stopped,
    /// In order: nothing is left to do. The last state.
    Over(Box<State>),
}

/// How logs of simulations are kept: small, so that segments end and checkpoints are made.
pub(super) fn options() -> Options {
    Options { segment_bytes: 64 * 1024, checkpoint_every_events: 100, ..Options::default() }
}

struct Nobody;

impl Readers for Nobody {
    fn published(&mut self, _: StreamKind, _: Uid, _: &Published) {}
}

/// Lives one life, on a runtime of its own.
pub(super) fn live(world: &mut World, span: &Span) -> End {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let end = runtime.block_on(async {
        world.time.begin();
        let fuse = Fuse::new(span.calls);
        let crash = async {
            match span.millis {
                Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            () = fuse.burns() => End::Crashed,
            () = crash => End::Crashed,
            end = operate(world, &fuse, span) => end,
        };
        world.time.end(span.away);
        end
    });
    let left = match (&end, span.power) {
        (End::Crashed, Some(seed)) => world.memory.power_cut(seed),
        _ => world.memory.killed(),
    };
    drop(runtime);
    world.memory = left;
    end
}

async fn operate(world: &World, fuse: &Arc<Fuse>, span: &Span) -> End {
    let Ok(ledger) = open(&world.memory, span) else { return End::Crashed };
    let acknowledged = *world.acknowledged.lock().unwrap();
    if ledger.state().seq < acknowledged {
        let have = ledger.state().seq;
        world.cluster.breach(format!("the log ends at {have}, {acknowledged} was acknowledged"));
    }
    let former = ledger.state().epoch;
    let (time, weather) = (Arc::clone(&world.time), Arc::clone(&world.weather));
    let place =
        Simulated::new(Arc::clone(&world.cluster), weather, Arc::clone(&time), Arc::clone(fuse));
    let place = Arc::new(place);
    let ports = Ports { clock: time, ids: Arc::clone(&world.ids) };
    let attachments = ledger.attachments();
    let audience = Audience { statuses: Box::new(Nobody), progress: Arc::new(|_, _| {}) };
    let limits = Limits { cluster: Some(WORKERS), ..Limits::default() };
    let installed = Installed { limits, ..Installed::default() };
    let started = start(Arc::clone(&place), ledger, ports.clone(), audience, installed).await;
    let Started { dispatcher, inbox, looks } = match started {
        Ok(started) => started,
        Err(StartError::Lead(_) | StartError::Log(_)) => return End::Crashed,
    };
    if dispatcher.state().epoch != former + 1 || dispatcher.epoch() != former + 1 {
        world.cluster.breach(format!("after term {former} no other one has begun"));
    }
    place.meet(inbox.clone());
    let looked = looks.clone();
    let watcher = Watcher { inbox: inbox.clone(), attachments, ports, known: Known::default() };
    let run = dispatcher.run();
    tokio::pin!(run);
    let state = tokio::select! {
        biased;
        ended = &mut run => {
            // What was on its way may still come; nothing new begins.
            tokio::time::sleep(Duration::from_secs(3)).await;
            return match ended {
                Ok(()) => End::Stopped,
                Err(_) => End::Crashed,
            };
        }
        state = over(world, &inbox, looks) => state,
        ended = watcher.follow(&place, world) => {
            // Whoever cannot store documents ends.
            return if ended.is_err() { End::Crashed } else { End::Stopped };
        }
        () = user(world) => return End::Crashed,
        () = lose(span, &place) => return End::Crashed,
        () = inspect(world, &inbox) => return End::Crashed,
        () = witness::quiet(world, &inbox, &place, looked.clone()) => return End::Crashed,
        () = witness::asks(world, &inbox, looked) => return End::Crashed,
    };
    inbox.stop().await;
    match run.await {
        Ok(()) => End::Over(Box::new(state)),
        Err(_) => End::Crashed,
    }
}

fn open(memory: &Memory, span: &Span) -> Result<Ledger, holdfast_eventlog::Error> {
    if let Some(call) = span.disk {
        memory.fail_at(memory.calls() + call, holdfast_eventlog::Failure::Stop);
    }
    if let Some(call) = span.broken {
        memory.fail_at(memory.calls() + call, holdfast_eventlog::Failure::Io);
    }
    for call in &span.full {
        memory.fail_at(memory.calls() + call, holdfast_eventlog::Failure::NoSpace);
    }
    Ledger::open_in(&Files::memory(memory), options())
}

/// The user does what the script says, at its time.
async fn user(world: &World) {
    loop {
        match world.next_step() {
            Some(at) => world.time.until(at).await,
            None => std::future::pending().await,
        }
        world.act();
    }
}

async fn lose(span: &Span, place: &Simulated) {
    if let Some(after) = span.lead {
        tokio::time::sleep(Duration::from_millis(after)).await;
        place.lose();
    }
    std::future::pending().await
}

/// Waits until nothing is left to do, and says how things stand then.
async fn over(
    world: &World,
    inbox: &Inbox,
    mut looks: tokio::sync::watch::Receiver<Quiet>,
) -> State {
    world.time.until(world.last_step() + 60_000).await;
    let mut before = None;
    loop {
        let asked = async {
            looks.wait_for(|seen| seen.quiet).await.map_err(|_| Stopped)?;
            let seq = inbox.ask(|state| state.seq).await?;
            stays_quiet(world, inbox).await?;
            Ok(seq)
        };
        let rest = world.last_step() + PATIENCE - world.time.passed();
        let rest = Duration::from_millis(u64::try_from(rest).unwrap_or(0));
        let seq = match tokio::time::timeout(rest, asked).await {
            Ok(Ok(seq)) => Some(seq),
            // Somebody else ends it.
            Ok(Err(Stopped)) => std::future::pending().await,
            Err(_elapsed) => {
                world.cluster.breach("it does not come to rest".into());
                None
            }
        };
        if seq.is_none() || seq == before {
            match inbox.ask(Clone::clone).await {
                Ok(state) => return state,
                Err(Stopped) => std::future::pending().await,
            }
        }
        before = seq;
        tokio::time::sleep(Duration::from_millis(u64::try_from(REST).unwrap())).await;
    }
}

/// Where it is quiet, nothing is under way that nobody from outside began and no deadline wakes.
async fn stays_quiet(world: &World, inbox: &Inbox) -> Result<(), Stopped> {
    if world.weather.is_harmful() {
        return Ok(());
    }
    // Whether a trigger is shown is what the publisher found out last, and tries again by itself.
    let now = |state: &State| {
        let rest = State {
            seq: 0,
            last_at: Timestamp(0),
            configurations: Table::default(),
            ..state.clone()
        };
        (rest, next_wakeup(state, Millis(0)), state.seq)
    };
    let (before, wakes, first) = inbox.ask(now).await?;
    let soon = Timestamp(BEGINNING + world.time.passed() + 2_000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (after, _, last) = inbox.ask(now).await?;
    if after != before && wakes.is_none_or(|at| at > soon) {
        world.cluster.breach(format!("it was quiet at {first}, and comes to {last}"));
    }
    Ok(())
}

/// Looks every few minutes whether a session is open long after its deadline.
async fn inspect(world: &World, inbox: &Inbox) {
    loop {
        tokio::time::sleep(Duration::from_secs(300)).await;
        let asked = inbox.ask(|state| {
            let backups = state.backups.values().filter(|found| found.is_going());
            let backups = backups.filter_map(|found| Some((found.key.clone(), found.deadline?)));
            let restores = state.restores.values().filter(|found| found.is_going());
            let restores = restores.filter_map(|found| Some((found.key.clone(), found.deadline?)));
            (state.seq, state.last_at, backups.chain(restores).collect::<Vec<_>>())
        });
        let Ok((seq, _, open)) = asked.await else { return std::future::pending().await };
        world.acknowledge(seq);
        let now = super::clock::BEGINNING + world.time.passed();
        for (key, deadline) in open {
            // Nobody ends it while nobody is there.
            let begun = super::clock::BEGINNING + *world.begun.lock().unwrap();
            if now > deadline.0.max(begun) + OVERDUE {
                world.cluster.breach(format!("{key} is open long after its deadline"));
            }
        }
    }
}

/// Makes commands of what is seen, as every operator does.
struct Watcher {
    inbox: Inbox,
    attachments: Attachments,
    ports: Ports,
    known: Known,
}

enum Lost {
    Log,
    Stopped,
}

impl From<Stopped> for Lost {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<holdfast_eventlog::Error> for Lost {
    fn from(_: holdfast_eventlog::Error) -> Self {
        Self::Log
    }
}

impl Watcher {
    async fn follow(mut self, place: &Simulated, world: &World) -> Result<(), ()> {
        match self.looks(place, world).await {
            Err(Lost::Log) => Err(()),
            // The dispatcher says why.
            Ok(()) | Err(Lost::Stopped) => std::future::pending().await,
        }
    }

    async fn looks(&mut self, place: &Simulated, world: &World) -> Result<(), Lost> {
        let mut applied = Applied::new();
        loop {
            let look = place.watch().await;
            let changes = self.compare(&look, &mut applied, world).await?;
            for (name, why) in &changes.refused {
                world.cluster.breach(format!("{name} was refused: {why}"));
            }
            for orders in [changes.objects, changes.backups, changes.restores, changes.gone] {
                if !orders.is_empty() {
                    self.submit(orders, &mut applied, world).await?;
                }
            }
        }
    }

    async fn compare(
        &mut self,
        look: &Sightings,
        applied: &mut Applied,
        world: &World,
    ) -> Result<Changes, Lost> {
        let seq = self.known.seq;
        let news =
            self.inbox.ask(move |state| (state.seq != seq).then(|| Known::of(state))).await?;
        self.known = news.unwrap_or_else(|| std::mem::take(&mut self.known));
        world.acknowledge(self.known.seq);
        let sighter = Sighter {
            version_key: &[7; 32],
            attachments: &self.attachments,
            ids: &*self.ports.ids,
            now: self.ports.clock.now(),
        };
        Ok(sighter.changes(&self.known, look, applied)?)
    }

    async fn submit(
        &self,
        orders: Vec<(ObjectName, Order)>,
        applied: &mut Applied,
        world: &World,
    ) -> Result<(), Lost> {
        let (names, orders): (Vec<_>, Vec<_>) = orders.into_iter().unzip();
        for (name, answer) in names.into_iter().zip(self.inbox.submit(orders).await?) {
            match answer {
                Answer::Recorded { last, .. } => world.acknowledge(last),
                Answer::Repeated { .. } | Answer::Nothing => {}
                Answer::Refused(
                    Refusal::Rejected(Rejection::Retry { .. }) | Refusal::NoSpace(_),
                ) => {
                    applied.remove(&name);
                }
                Answer::Refused(refusal) => {
                    world.weather.tell(|| format!("{name}: {refusal}"));
                }
            }
        }
        Ok(())
    }
}
