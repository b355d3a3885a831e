//! A midnight at which 10,000 sessions are due at once: how long the log takes to decide about all of them with
//! 50 workers, the slowest answer meanwhile, and in which order namespaces are served. Some nights later it is a
//! log of a million events with 10,000 finished and 1,000 open sessions: how long it takes to open, also after an
//! unclean end, and how much memory the process has that holds it.
//!
//! The commands are those that the dispatcher sends, in its batches; what places and workers answer is made up. To
//! be read against two syncs on the same disk for each batch. No framework: it is one night, not a mean of many.
#![allow(missing_docs, clippy::unwrap_used)] // a bench may panic

#[path = "../../engine/tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_engine::condition::Type;
use holdfast_engine::run::limit::Limits;
use holdfast_engine::testing::given;
use holdfast_engine::{
    Actor, Command, CommandId, Due, EffectId, Envelope, Millis, Outcome, State, Timestamp,
    configuration, deadline, due, lease, next_wakeup, schedule,
};
use holdfast_eventlog::{Ledger, Options};
use world::outside::Outside;
use world::tenants::{configuration_uid, tenant};
use world::{World, minutes};

/// What the dispatcher decides together.
const BATCH: usize = 128;
const WORKERS: u32 = 50;
const DAY: i64 = 24 * 60;
/// Configurations of each namespace: one with most of them, and many with few.
const TENANTS: [(&str, u64); 4] = [("large", 7_000), ("middle", 2_900), ("small", 99), ("one", 1)];
const EVENTS: u64 = 1_000_000;
const OPEN: u64 = 1_000;
/// Says to a child which log to open.
const LOG: &str = "HOLDFAST_BENCH_LOG";

struct Night {
    ledger: Ledger,
    outside: Outside,
    /// Answers that are on their way.
    arrivals: BTreeMap<(Timestamp, u64), Command>,
    seen: EffectId,
    now: Timestamp,
    asked: u64,
    slowest: Duration,
}

impl Night {
    fn submit(&mut self, commands: Vec<Command>) {
        let epoch = self.ledger.state().epoch.max(1);
        let envelopes: Vec<Envelope> = commands
            .into_iter()
            .map(|command| {
                self.asked += 1;
                let id = CommandId(u128::from(self.asked).to_be_bytes());
                Envelope { id, at: self.now, actor: Actor::Operator, epoch, command }
            })
            .collect();
        let start = Instant::now();
        self.ledger.submit(&envelopes).unwrap();
        self.slowest = self.slowest.max(start.elapsed());
        let state = self.ledger.state();
        for (id, once) in state.outbox.range((Excluded(self.seen), Unbounded)) {
            for (when, command) in self.outside.answer(state, self.now, *id, once) {
                self.asked += 1;
                self.arrivals.insert((when, self.asked), command);
            }
        }
        self.seen = state.outbox.keys().next_back().copied().unwrap_or(self.seen).max(self.seen);
    }

    /// What has arrived or is due now, in one batch; false when nothing is.
    fn step(&mut self) -> bool {
        let mut batch = Vec::new();
        while let Some(entry) = self.arrivals.first_entry().filter(|one| one.key().0 <= self.now) {
            if batch.len() == BATCH {
                break;
            }
            batch.push(entry.remove());
        }
        if batch.is_empty() {
            let passed = due(self.ledger.state(), self.now, Millis(0)).into_iter().take(BATCH);
            batch.extend(passed.filter_map(|due| command(self.ledger.state(), due)));
        }
        let any = !batch.is_empty();
        if any {
            self.submit(batch);
        }
        any
    }

    fn settle(&mut self) {
        while self.step() {}
    }

    /// Lets everything happen up to an instant.
    fn until(&mut self, end: Timestamp) {
        loop {
            self.settle();
            let arrival = self.arrivals.keys().next().map(|(when, _)| *when);
            let next = next_wakeup(self.ledger.state(), Millis(0)).into_iter().chain(arrival).min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
    }
}

fn command(state: &State, due: Due) -> Option<Command> {
    deadline::command(due, |configuration, session, version| {
        let slot = state.schedule(configuration, &session)?.next[0];
        let next = (1..=3).map(|n| Timestamp(slot.0 + n * minutes(DAY))).collect();
        let missed = 0;
        let wake = schedule::Command::Wake { configuration, session, version, slot, missed, next };
        Some(Command::Schedule(wake))
    })
}

/// A log with all configurations, backed up once, and the midnight at which they are due.
fn furnished(dir: &Path) -> (Night, Timestamp) {
    let mut world = World::new();
    world.furnish();
    world.declare_retention("keep", given::retention(1));
    world.declare_storage("store", given::storage("store"));
    world.settle();
    let mut ledger = Ledger::open(dir, Options::default()).unwrap();
    ledger.submit(&world.asked).unwrap();
    assert_eq!(*ledger.state(), world.state);
    let (now, arrivals) = (world.now, BTreeMap::new());
    let outside = Outside { work: minutes(1), ..Outside::default() };
    let seen = EffectId(world.state.seq);
    let (asked, slowest) = (1_000_000, Duration::ZERO);
    let mut night = Night { ledger, outside, arrivals, seen, now, asked, slowest };
    let midnight = Timestamp(now.0 + minutes(DAY));
    for (namespace, count) in TENANTS {
        let commands = tenant(namespace, count, midnight, minutes(DAY));
        for some in commands.chunks(BATCH) {
            night.submit(some.to_vec());
        }
        for numbers in (0..count).collect::<Vec<_>>().chunks(BATCH) {
            let reported = numbers.iter().map(|number| {
                let (uid, session) = (configuration_uid(namespace, *number), "nightly".into());
                let outcome = Outcome::Succeeded;
                Command::Configuration(configuration::Command::SchedulerReported {
                    uid,
                    session,
                    outcome,
                })
            });
            night.submit(reported.collect());
        }
        night.settle();
    }
    night.until(Timestamp(midnight.0 - 1));
    (night, midnight)
}

fn working(state: &State) -> usize {
    let all = state.backups.values().flat_map(|one| &one.components);
    all.filter(|component| component.is_running()).count()
}

fn burst(night: &mut Night, midnight: Timestamp) {
    let limits = Limits { cluster: Some(WORKERS), ..Limits::default() };
    night.submit(vec![Command::Lease(lease::Command::Limit { limits })]);
    let before = night.ledger.state().seq;
    night.now = midnight;
    night.slowest = Duration::ZERO;
    let start = Instant::now();
    night.settle();
    let took = start.elapsed();
    let state = night.ledger.state();
    let open: Vec<_> = state.backups.values().filter(|one| !one.is_finished()).collect();
    let waiting = open.iter().filter(|one| one.conditions.has(Type::Queued)).count();
    println!(
        "{} slots at once: decided in {:.2} s ({} events), slowest answer {:.1} ms, {} work, {} wait",
        open.len(),
        took.as_secs_f64(),
        state.seq - before,
        night.slowest.as_secs_f64() * 1e3,
        working(state),
        waiting,
    );
    let begun = |namespace: &str| {
        let mine = open.iter().filter(|one| one.key.namespace == namespace);
        mine.filter(|one| one.components.iter().any(|known| known.attempt > 0)).count()
    };
    let shares: Vec<String> =
        TENANTS.iter().map(|(name, _)| format!("{name} {}", begun(name))).collect();
    println!("workers by namespace: {}", shares.join(", "));
    for minute in [2, 10] {
        night.until(Timestamp(midnight.0 + minutes(minute)));
        let state = night.ledger.state();
        let began = |namespace: &str| {
            let mine = state.backups.values().filter(|one| one.key.namespace == namespace);
            mine.filter(|one| one.components.iter().any(|known| known.attempt > 0))
                .filter(|one| one.created_at >= midnight)
                .count()
        };
        let shares: Vec<String> =
            TENANTS.iter().map(|(name, _)| format!("{name} {}", began(name))).collect();
        println!("begun after {minute} min: {}", shares.join(", "));
    }
    night.until(Timestamp(midnight.0 + minutes(5 * 60)));
    let state = night.ledger.state();
    let late = state.backups.values().filter(|one| one.conditions.has(Type::DeadlineExceeded));
    println!(
        "hours later: {} sessions, {} DeadlineExceeded, slowest answer {:.1} ms",
        state.backups.len(),
        late.count(),
        night.slowest.as_secs_f64() * 1e3
    );
}

/// Goes on until the log is long, and ends while some sessions are open.
fn grow(night: &mut Night, midnight: Timestamp) {
    let mut slot = midnight;
    while night.ledger.state().seq < EVENTS {
        slot = Timestamp(slot.0 + minutes(DAY));
        night.until(Timestamp(slot.0 + minutes(DAY / 2)));
    }
    let night_begins = Timestamp(slot.0 + minutes(DAY));
    night.until(Timestamp(night_begins.0 - 1));
    night.now = night_begins;
    while open_sessions(night.ledger.state()) < OPEN {
        assert!(night.step());
    }
}

fn open_sessions(state: &State) -> u64 {
    state.backups.values().filter(|one| !one.is_finished()).count() as u64
}

/// Pages of this process that are in memory.
fn resident_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1024.0 / 1024.0
}

/// In a process of its own, so that memory is that of the log alone.
fn open(dir: &Path) {
    let empty = resident_mib();
    let start = Instant::now();
    let mut ledger = Ledger::open(dir, Options::default()).unwrap();
    let took = start.elapsed();
    ledger.prove();
    let state = ledger.state();
    println!(
        "  {:.3} s; {} events, {} sessions of which {} are open, {:.1} MiB more than before",
        took.as_secs_f64(),
        state.seq,
        state.backups.len(),
        open_sessions(state),
        resident_mib() - empty,
    );
    // What a copy takes that shares nothing: the third one finds no memory left over from the opening.
    let mut copies = Vec::new();
    let mut grown = 0.0;
    for _ in 0..3 {
        let before = resident_mib();
        let backups: Vec<_> = state.backups.values().map(|one| Box::new(one.clone())).collect();
        let snapshots: Vec<_> = state.snapshots.values().map(|one| Box::new(one.clone())).collect();
        grown = resident_mib() - before;
        copies.push((backups, snapshots));
    }
    println!("  of which sessions with their snapshots {grown:.1} MiB");
    ledger.close().unwrap();
}

fn main() {
    if let Some(dir) = std::env::var_os(LOG) {
        return open(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let (mut night, midnight) = furnished(dir.path());
    println!("furnished in {:.1} s", start.elapsed().as_secs_f64());
    burst(&mut night, midnight);
    grow(&mut night, midnight);
    drop(night);
    for how in ["an unclean", "a clean", "a clean"] {
        println!("open after {how} end:");
        let program = std::env::current_exe().unwrap();
        let child = std::process::Command::new(program).env(LOG, dir.path()).status().unwrap();
        assert!(child.success());
    }
}
