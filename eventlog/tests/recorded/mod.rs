//! A whole log that is kept: what it holds, and how it is made and read. Shared by `tests/logs.rs` and
//! `examples/record_log.rs`.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "shared by a test and a tool, each of which uses a part"
)]

#[path = "../../../engine/tests/world/mod.rs"]
pub mod world;

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_engine::State;
use holdfast_eventlog::{Export, Ledger, Options, Reader, state_bytes};
use world::{World, minutes, spec, statuses};

/// Where the logs are kept, one directory each.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs")
}

/// A kept log.
pub struct Recorded {
    /// The whole of it, as `Export::write_file` writes it: segments, checkpoints, documents, head.
    pub export: PathBuf,
    /// The canonical bytes of the state that it comes to.
    pub state: PathBuf,
    /// The statuses that follow from it, one an object.
    pub views: PathBuf,
}

impl Recorded {
    /// The files of a log of this name.
    pub fn named(name: &str) -> Self {
        let at = root().join(name);
        Self { export: at.join("log"), state: at.join("state"), views: at.join("views.txt") }
    }
}

/// What every object says of itself.
pub fn views(state: &State) -> String {
    let line = |((kind, uid), status)| format!("{kind:?} {uid}\n  {status}\n");
    statuses::all(state).into_iter().map(line).collect()
}

/// Small segments and frequent checkpoints, so that a short log has several of both.
pub fn options() -> Options {
    Options { segment_bytes: 64 * 1024, checkpoint_every_events: 100, ..Options::default() }
}

/// The story of a kept log: two configurations, a day of hourly backups, a restore.
fn story() -> World {
    let mut world = World::new();
    world.furnish();
    world.declare_retention("keep", spec::retention(2));
    world.declare_storage("store", spec::storage("store"));
    for (name, session, period) in [("app", "hourly", 60), ("other", "often", 180)] {
        let mut declared = spec::session(session);
        declared.repositories = vec![spec::repository(name)];
        let configuration = spec::configuration(vec![declared]);
        world.declare(name, &configuration, &[(session.into(), minutes(period))]);
    }
    world.pass(minutes(6 * 60));
    world.declare_restore("back", &spec::restore("app"));
    world.pass(minutes(60));
    world
}

/// Makes the log of the story and keeps it under a name.
pub fn record(name: &str) {
    let (kept, world) = (Recorded::named(name), story());
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    for (number, asked) in world.asked.iter().enumerate() {
        ledger.submit(std::slice::from_ref(asked)).unwrap();
        if number % 100 == 99 {
            ledger.checkpoint().unwrap();
        }
    }
    assert_eq!(ledger.state(), &world.state, "the ledger decides as the world does");
    // What lies behind the last checkpoint is part of it.
    drop(ledger);
    let export = Export::of(&Reader::open(dir.path(), None).unwrap()).unwrap();
    fs::create_dir_all(kept.export.parent().unwrap()).unwrap();
    export.write_file(&kept.export).unwrap();
    fs::write(&kept.state, state_bytes(&world.state).unwrap()).unwrap();
    fs::write(&kept.views, views(&world.state)).unwrap();
}
