//! How long answers take while checkpoints are written beside them, and what the copy of the state costs
//! that they wait for: with 100 and with 10,000 configurations. No framework: what counts is the slowest answer, not the mean.
//!
//! To be read against two syncs on the same disk, which every answer waits for and which are measured
//! beside it.
#![allow(missing_docs, clippy::unwrap_used)] // a bench may panic

#[path = "../../engine/tests/world/mod.rs"]
mod world;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_engine::declared::Declared;
use holdfast_engine::testing::given;
use holdfast_engine::{
    Actor, Command, CommandId, Envelope, Group, Key, Timestamp, Uid, configuration, lease,
};
use holdfast_eventlog::{Ledger, Options};

const ANSWERS: u64 = 2_000;
/// Events between two checkpoints: several fall into what is measured.
const INTERVAL: u64 = 400;

fn envelope(place: u64, epoch: u64, command: Command) -> Envelope {
    Envelope {
        id: CommandId(u128::from(place).to_be_bytes()),
        at: Timestamp(i64::try_from(place).unwrap()),
        actor: Actor::Operator,
        epoch,
        command,
    }
}

fn begin() -> Command {
    Command::Lease(lease::Command::Begin { holder: "operator-0".into() })
}

fn declared(number: u64) -> Command {
    let mut session = given::session("nightly");
    session.repositories = vec![given::repository(&format!("repository-{number}"))];
    Command::Configuration(configuration::Command::Declare {
        declared: Declared {
            uid: Uid(u128::from(number).to_be_bytes()),
            key: Key::new(Group::KubeStash, "shop", format!("configuration-{number}")),
            generation: 1,
            hash: given::hash(number),
            spec: given::configuration(vec![session]),
        },
        schedules: Vec::new(),
    })
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn told(what: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let at = |share: usize| milliseconds(spans[(spans.len() - 1) * share / 1000]);
    println!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, slowest {:.2} ms",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}

/// The two syncs of an answer, without anything else.
fn two_syncs(files: &[File; 2], place: u64) -> Duration {
    let start = Instant::now();
    for file in files {
        file.write_all_at(&[1; 300], place % 1000 * 512).unwrap();
        file.sync_data().unwrap();
    }
    start.elapsed()
}

fn answers(dir: &Path, configurations: u64) {
    let options = Options { checkpoint_every_events: INTERVAL, ..Options::default() };
    let mut ledger = Ledger::open(&dir.join("log"), options).unwrap();
    let all: Vec<u64> = (1..=configurations).collect();
    ledger.submit(&[envelope(0, 1, begin())]).unwrap();
    for some in all.chunks(100) {
        let batch: Vec<_> = some.iter().map(|n| envelope(*n, 1, declared(*n))).collect();
        ledger.submit(&batch).unwrap();
    }
    assert_eq!(ledger.state().configurations.len() as u64, configurations);
    let start = Instant::now();
    let copy = ledger.state().clone();
    println!(
        "{configurations} configurations: a copy of the state {:.2} ms",
        milliseconds(start.elapsed())
    );
    drop(copy);
    let files = ["one", "other"].map(|name| {
        fs::write(dir.join(name), vec![0; 512 * 1024]).unwrap();
        let file = File::options().write(true).open(dir.join(name)).unwrap();
        file.sync_all().unwrap();
        file
    });
    let (mut answers, mut syncs) = (Vec::new(), Vec::new());
    for place in configurations + 1..=configurations + ANSWERS {
        let asked = envelope(place, place, begin());
        let start = Instant::now();
        assert_eq!(ledger.submit(&[asked]).unwrap().recorded.len(), 1);
        answers.push(start.elapsed());
        syncs.push(two_syncs(&files, place));
    }
    told(&format!("{configurations} configurations: an answer"), answers);
    told(&format!("{configurations} configurations: two syncs"), syncs);
}

fn main() {
    for configurations in [100, 10_000] {
        let dir = tempfile::tempdir().unwrap();
        answers(dir.path(), configurations);
    }
}
