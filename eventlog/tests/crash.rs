//! Kills: a child appends and says on a pipe what was acknowledged; it is killed at some moment, also
//! while it opens the log. Whoever opens next finds at least what was said. (Hundreds of kills and power
//! cuts: package e2e.)
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use holdfast_eventlog::audit::audit;
use holdfast_eventlog::{Answer, Ledger, Reader};

use support::{Chance, options, term};

const KILLS: u64 = 12;
const CHILD: &str = "--append-until-killed";

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(CHILD) {
        append(Path::new(&args.next().unwrap()));
    }
    nothing_acknowledged_is_lost();
    println!("test nothing_acknowledged_is_lost ... ok ({KILLS} kills)");
}

/// The child: one, two or three commands a batch, each acknowledgement a line.
fn append(dir: &Path) -> ! {
    let mut ledger = Ledger::open(dir, options()).unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        let next = ledger.state().epoch + 1;
        let batch: Vec<_> = (next..=next + next % 3).map(|epoch| term(epoch, "child")).collect();
        for answer in ledger.submit(&batch).unwrap().answers {
            let Answer::Recorded { last, .. } = answer else { panic!("{answer:?}") };
            writeln!(out, "{last}").unwrap();
        }
        out.flush().unwrap();
    }
}

fn nothing_acknowledged_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let mut chance = Chance(7);
    let mut acked = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .arg(root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        if kill % 3 == 2 {
            // In the middle of opening, most likely.
            std::thread::sleep(Duration::from_micros(chance.below(20_000)));
        } else {
            for _ in 0..=chance.below(150) {
                acked = said.next().unwrap().unwrap().parse().unwrap();
            }
        }
        child.kill().unwrap();
        for line in said {
            acked = line.unwrap().parse().unwrap_or(acked);
        }
        child.wait().unwrap();
        prove(root.path(), acked, kill);
    }
    assert!(acked > 100, "the child was killed before it did anything");
}

/// The log is whole and has what was said; every batch is in it whole.
fn prove(dir: &Path, acked: u64, kill: u64) {
    if acked == 0 {
        return;
    }
    let ledger = Ledger::open(dir, options()).unwrap();
    let state = ledger.state();
    assert!(state.seq >= acked, "kill {kill}: {acked} acknowledged, {} found", state.seq);
    assert_eq!(state.seq, state.epoch);
    drop(ledger);
    let report = audit(&Reader::open(dir, None).unwrap()).unwrap();
    assert!(report.is_clean(), "kill {kill}: {:?}", report.findings);
}
