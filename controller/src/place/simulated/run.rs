//! A whole run: a script and a weather, life after life, until all is quiet; and what came of it.

use std::sync::{Arc, Mutex};

use holdfast_engine::State;
use holdfast_eventlog::{Files, Memory, Reader, Until};

use super::clock::{BEGINNING, Time};
use super::cluster::Cluster;
use super::life::{self, End};
use super::panics;
use super::script::Script;
use super::shown;
use super::weather::{Begun, Weather};
use crate::ports::ids;
use crate::ports::ids::tests::Seeded;

/// The only slot of all schedules within a run, by the time of the simulation.
const SLOT: i64 = 60 * 60_000;

/// Lives that a run may have: more than the weather has crashes, or it does not come forward.
const LIVES: u64 = 40;

/// Everything that outlives a life of the operator.
pub(super) struct World {
    pub(super) time: Arc<Time>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) weather: Arc<Weather>,
    pub(super) ids: ids::Handle,
    pub(super) memory: Memory,
    /// The last sequence number that anybody was told of.
    pub(super) acknowledged: Mutex<u64>,
    /// When the present life began.
    pub(super) begun: Mutex<i64>,
    script: Script,
    next: Mutex<usize>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How everything stands at the end and what was created and deleted, in lines that no seed changes.
    pub(super) lines: Vec<String>,
    /// What must not be.
    pub(super) breaches: Vec<String>,
    /// The chain value at the end of the log: equal where all bytes are.
    pub(super) chain: String,
    /// What the weather did.
    pub(super) told: Vec<String>,
    /// Calls for effects, in their order.
    pub(super) begun: Vec<Begun>,
    /// When something could not be shown, where somebody says until when.
    pub(super) unseen: Vec<i64>,
    /// What was recorded and when, in milliseconds since the beginning, where something is wrong or fixed.
    pub(super) log: Vec<(i64, String)>,
    /// Events that were recorded.
    pub(super) events: u64,
    /// Lives of the operator.
    pub(super) lives: u64,
}

impl Outcome {
    /// What was recorded, one line each.
    pub(super) fn log(&self) -> String {
        let lines =
            self.log.iter().map(|(at, event)| format!("{:.3} min: {event}", *at as f64 / 60_000.0));
        lines.collect::<Vec<_>>().join("\n  ")
    }
}

impl World {
    /// A world in which nothing has happened.
    pub(super) fn new(script: Script, weather: impl FnOnce(Arc<Time>) -> Arc<Weather>) -> Self {
        let time = Time::new();
        let weather = weather(Arc::clone(&time));
        // A worker that takes long to stop may meet one of the next session; in benign weather none does.
        let cluster = Arc::new(Cluster::new(Arc::clone(&time), !weather.is_harmful()));
        {
            let mut inner = cluster.now();
            inner.endings = script.endings.clone();
            inner.hook_fates = script.hooks.clone();
        }
        Self {
            weather,
            time,
            cluster,
            ids: Seeded::of(7),
            memory: Memory::default(),
            acknowledged: Mutex::default(),
            begun: Mutex::default(),
            script,
            next: Mutex::default(),
        }
    }

    /// Somebody was told of everything up to here.
    pub(super) fn acknowledge(&self, seq: u64) {
        let mut acknowledged = self.acknowledged.lock().unwrap();
        *acknowledged = seq.max(*acknowledged);
    }

    /// When the user does the next thing.
    pub(super) fn next_step(&self) -> Option<i64> {
        self.script.steps.get(*self.next.lock().unwrap()).map(|step| step.at)
    }

    /// When nothing comes from outside any more: neither from the user nor from a schedule.
    pub(super) fn last_step(&self) -> i64 {
        self.script.steps.last().map_or(0, |step| step.at).max(SLOT)
    }

    /// He does it.
    pub(super) fn act(&self) {
        let mut next = self.next.lock().unwrap();
        if let Some(step) = self.script.steps.get(*next) {
            *next += 1;
            step.puts.iter().for_each(|object| self.cluster.declare(object.clone()));
            step.removes.iter().for_each(|name| self.cluster.remove(name));
            self.cluster.meddle(step.at.unsigned_abs());
        }
    }

    /// Lives until all is quiet.
    pub(super) fn run(mut self) -> Outcome {
        panics::watch();
        let mut lives = 0;
        let state = loop {
            lives += 1;
            if lives > LIVES {
                self.cluster.breach("it does not come forward".into());
                break Box::default();
            }
            *self.begun.lock().unwrap() = self.time.passed();
            let span = self.weather.life();
            if let End::Over(state) = life::live(&mut self, &span) {
                break state;
            }
        };
        for panic in panics::seen() {
            self.cluster.breach(format!("a panic: {panic}"));
        }
        self.judge(state, lives)
    }

    fn judge(self, state: Box<State>, lives: u64) -> Outcome {
        let (files, cluster) = (Files::memory(&self.memory), &self.cluster);
        let (chain, events) = match Reader::open_in(&files, None) {
            Ok(reader) => {
                match reader.state_at(Until::End) {
                    Ok(replayed) if replayed == *state => {}
                    Ok(_) => cluster.breach("the log replays to another state".into()),
                    Err(error) => cluster.breach(format!("the log cannot be replayed: {error}")),
                }
                let head = reader.head();
                (format!("{head:?}"), state.seq)
            }
            Err(error) => {
                cluster.breach(format!("the log cannot be read: {error}"));
                (String::new(), 0)
            }
        };
        shown::look_for_leaks(cluster, &state);
        shown::compare(cluster, &state);
        let is_wanted = std::env::var_os("HOLDFAST_EVENTS").is_some();
        let is_told = is_wanted || self.weather.is_fixed() || !cluster.breaches().is_empty();
        let reader = is_told.then(|| Reader::open_in(&files, None).ok()).flatten();
        let recorded = reader.and_then(|reader| reader.range(1, events).ok()).unwrap_or_default();
        let log = recorded
            .iter()
            .map(|recorded| (recorded.at.0 - BEGINNING, format!("{:?}", recorded.event)));
        Outcome {
            lines: shown::lines(cluster),
            breaches: cluster.breaches(),
            chain,
            told: self.weather.told(),
            begun: self.weather.begun(),
            unseen: self.weather.unseen(),
            events,
            lives,
            log: log.collect(),
        }
    }
}
