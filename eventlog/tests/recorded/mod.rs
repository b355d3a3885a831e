//! A whole log that is kept: how it is made of its story, and what it is compared with. Shared by
//! `tests/logs.rs` and `examples/record_log.rs`.
#![allow(dead_code, reason = "shared by a test and a tool, each of which uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_engine::{Envelope, State, Timestamp};
use holdfast_eventlog::{Answer, Archivable, Export, Ledger, Options, Reader, state_bytes};
use serde_json::Value;

use crate::language;
use crate::world::statuses::{self, Status};

/// Where the logs are kept, one directory each.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs")
}

/// A kept log.
pub struct Recorded {
    /// What happens in it, in the language of the engine's scenarios.
    pub story: PathBuf,
    /// The whole of it, as `Export::write_file` writes it: segments, checkpoints, documents, head.
    pub export: PathBuf,
    /// The canonical bytes of the state that it comes to.
    pub state: PathBuf,
    /// The statuses that follow from it, by object.
    pub views: PathBuf,
}

impl Recorded {
    /// The files of a log of this name.
    pub fn named(name: &str) -> Self {
        let at = root().join(name);
        Self {
            story: at.join("story.txt"),
            export: at.join("log"),
            state: at.join("state"),
            views: at.join("views.json"),
        }
    }
}

/// What every object says of itself.
pub fn views(state: &State) -> Value {
    let all = statuses::each(state);
    let all = all.map(|((kind, uid), status)| (format!("{kind:?} {uid}"), json(&status)));
    Value::Object(all.collect())
}

fn json(status: &Status) -> Value {
    let value = match status {
        Status::Storage(status) => serde_json::to_value(status),
        Status::Repository(status) => serde_json::to_value(status),
        Status::Configuration(status) => serde_json::to_value(status),
        Status::Backup(status) => serde_json::to_value(status),
        Status::Snapshot(status) => serde_json::to_value(status),
        Status::Restore(status) => serde_json::to_value(status),
    };
    value.unwrap()
}

/// Small segments and frequent checkpoints, so that a short log has several of both.
pub fn options() -> Options {
    Options { segment_bytes: 192 * 1024, checkpoint_every_events: 100, ..Options::default() }
}

/// Makes the log of a story and keeps it beside it.
pub fn record(name: &str) {
    let kept = Recorded::named(name);
    let story = fs::read_to_string(&kept.story).expect("a story is written first");
    let world = language::tell(&story);
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    for (number, asked) in world.asked.iter().enumerate() {
        let submitted = ledger.submit(std::slice::from_ref(asked)).unwrap();
        assert!(
            submitted.answers.iter().all(|answer| !matches!(answer, Answer::Refused(_))),
            "{submitted:?}"
        );
        if number % 40 == 39 {
            ledger.checkpoint().unwrap();
        }
        if world.archived.contains(&(number + 1)) {
            archive(&mut ledger, asked);
        }
    }
    assert!(*ledger.state() == world.state, "the ledger decides as the world does");
    // What lies behind the last checkpoint is part of it.
    drop(ledger);
    let export = Export::of(&Reader::open(dir.path(), None).unwrap()).unwrap();
    export.write_file(&kept.export).unwrap();
    fs::write(&kept.state, state_bytes(&world.state).unwrap()).unwrap();
    let views = serde_json::to_string_pretty(&views(&world.state)).unwrap();
    fs::write(&kept.views, views + "\n").unwrap();
}

fn archive(ledger: &mut Ledger, last: &Envelope) {
    ledger.checkpoint().unwrap();
    let all = Archivable { exported: ledger.head().seq, before: Timestamp(last.at.0 + 1) };
    assert!(ledger.archive(all).unwrap() > 1, "there is a segment that can go");
}
