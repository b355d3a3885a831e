//! Figures of the log on this machine: `cargo run --release --example figures [DIR]`.
//!
//! Commit latency of single commands, a million events in batches, replay of 100,000 events from the
//! beginning, and opening a million events after a clean and after an unclean end.
#![allow(clippy::unwrap_used, reason = "a tool that ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};
use holdfast_eventlog::{Fold, Ledger, Options, Reader, Until, drive};

const SINGLE_COMMITS: u64 = 2_000;
const EVENTS: u64 = 1_000_000;
const BATCH: u64 = 256;
const REPLAYED: u64 = 100_000;

fn term(epoch: u64) -> Envelope {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&epoch.to_be_bytes());
    Envelope {
        id: CommandId(id),
        at: Timestamp(i64::try_from(epoch).unwrap()),
        actor: Actor::Operator,
        epoch,
        command: Command::Lease(lease::Command::Begin { holder: "h".repeat(180) }),
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    value
}

fn commits(ledger: &mut Ledger) {
    let mut spans: Vec<Duration> = (1..=SINGLE_COMMITS)
        .map(|epoch| {
            let start = Instant::now();
            ledger.submit(&[term(epoch)]).unwrap();
            start.elapsed()
        })
        .collect();
    spans.sort_unstable();
    let at = |percent: usize| spans[spans.len() * percent / 100].as_secs_f64() * 1e3;
    println!("commit: p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
}

fn measure(dir: &Path) {
    let mut ledger = Ledger::open(dir, Options::default()).unwrap();
    commits(&mut ledger);
    timed("a million events in batches of 256", || {
        let mut next = SINGLE_COMMITS + 1;
        while next <= EVENTS {
            let end = (next + BATCH).min(EVENTS + 1);
            let batch: Vec<_> = (next..end).map(term).collect();
            ledger.submit(&batch).unwrap();
            next = end;
        }
    });
    drop(ledger);
    let ledger = timed("open a million events after an unclean end", || {
        Ledger::open(dir, Options::default()).unwrap()
    });
    timed("close", || ledger.close().unwrap());
    timed("open a million events after a clean end", || {
        drop(Ledger::open(dir, Options::default()).unwrap());
    });
    let reader = Reader::open(dir, None).unwrap();
    let mut fold = Fold::default();
    timed("replay 100,000 events from the beginning", || {
        drive(&reader, &mut fold, Until::Seq(REPLAYED)).unwrap();
    });
}

fn main() {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("holdfast-figures-{}", std::process::id()));
    measure(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
}
