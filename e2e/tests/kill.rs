//! Kills at random moments: while opening, between batches, in the middle of one.

use std::io;
use std::path::Path;
use std::time::Duration;

use holdfast_e2e::appender::{Appender, Said, last_acked};
use holdfast_e2e::chance::Chance;
use holdfast_e2e::found::proven;
use holdfast_e2e::workload::ends_batch;

/// Reliability shows in many small steps: this many logs, each killed this many times.
const LOGS: usize = 20;
const KILLS_EACH: usize = 25;
/// Small, so that the end of a segment is one of the moments.
const SEGMENT_BYTES: u32 = 16 * 1024;
/// One kill in so many comes while the log is being opened.
const EARLY_ONE_IN: u64 = 5;
/// Within this time after its start a child is opening, at most.
const EARLY: Duration = Duration::from_millis(4);
/// Within this time after opening it appends some tens of batches.
const LATE: Duration = Duration::from_millis(12);

#[test]
fn what_was_acknowledged_survives_five_hundred_kills() {
    let mut chance = Chance::new();
    for _ in 0..LOGS {
        let dir = tempfile::tempdir().unwrap();
        let mut acked = 0;
        for _ in 0..KILLS_EACH {
            acked = one_life(dir.path(), acked, &mut chance).unwrap();
        }
        let head = proven(dir.path(), acked).unwrap();
        assert!(acked > 1, "nothing was appended, so nothing was shown");
        println!("{KILLS_EACH} kills, {acked} events acknowledged, {head} there");
    }
}

/// Starts a child on a log in which `acked` events were acknowledged, kills it, and returns how many
/// are acknowledged then.
fn one_life(dir: &Path, acked: u64, chance: &mut Chance) -> io::Result<u64> {
    let program = Path::new(env!("CARGO_BIN_EXE_appender"));
    let mut child = Appender::start(program, dir, SEGMENT_BYTES)?;
    let mut said = Vec::new();
    if chance.below(EARLY_ONE_IN) == 0 {
        said.append(&mut child.listen(chance.span_below(EARLY))?);
    } else {
        let opened = |said: &Said| matches!(said, Said::Opened(_));
        said.append(&mut child.listen_until(opened)?);
        said.append(&mut child.listen(chance.span_below(LATE))?);
    }
    said.append(&mut child.kill()?);
    if let Some(Said::Opened(at)) = said.first() {
        assert!(*at >= acked, "event {acked} was acknowledged, the log opened at {at}");
        assert!(ends_batch(*at), "the log opened at {at}, within a batch");
    }
    Ok(last_acked(&said, acked))
}
