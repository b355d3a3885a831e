//! A small log: new terms of leadership are the simplest commands that always lead to one event.
#![allow(clippy::unwrap_used, dead_code, reason = "shared by tests, each of which uses a part")]

use std::fs;
use std::path::Path;

use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};
use holdfast_eventlog::{Answer, Ledger, Options};

/// Time of the command before the first.
pub const EPOCH_MS: i64 = 1_700_000_000_000;

/// Small segments and frequent checkpoints, so that a short log has several of both.
pub fn options() -> Options {
    Options { segment_bytes: 8 * 1024, checkpoint_every_events: 50, ..Options::default() }
}

/// The command that begins a term, one millisecond after the term before.
pub fn term(epoch: u64, holder: &str) -> Envelope {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&epoch.to_be_bytes());
    Envelope {
        id: CommandId(id),
        at: Timestamp(EPOCH_MS + i64::try_from(epoch).unwrap()),
        actor: Actor::Operator,
        epoch,
        command: Command::Lease(lease::Command::Begin { holder: holder.into() }),
    }
}

/// A log of so many terms, one commit each.
pub fn filled(dir: &Path, terms: u64) -> Ledger {
    let mut ledger = Ledger::open(dir, options()).unwrap();
    for epoch in 1..=terms {
        let submitted = ledger.submit(&[term(epoch, "me")]).unwrap();
        assert!(matches!(submitted.answers.as_slice(), [Answer::Recorded { .. }]));
    }
    ledger
}

/// Copies a directory with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Numbers that look random and are the same every time (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    /// The next number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
