//! Whole logs of every release, kept in `tests/logs/`: each opens, with its checkpoints and without, and
//! comes to the state and the statuses that were recorded with it, byte for byte.
//!
//! `cargo run --package holdfast-eventlog --example record_log NAME` keeps another one.
#![allow(clippy::unwrap_used, reason = "a test")]

mod recorded;

use std::fs;
use std::path::Path;

use holdfast_eventlog::audit::{Check, audit};
use holdfast_eventlog::{Export, Fold, Ledger, Proven, Reader, Until, drive, state_bytes};

use recorded::{Recorded, options, root, views};

/// The state and the statuses are those that were recorded.
fn compare(kept: &Recorded, state: &holdfast_engine::State, what: &str) {
    let expected = fs::read_to_string(&kept.views).unwrap();
    let found = views(state);
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{what}");
    let bytes = state_bytes(state).unwrap();
    assert!(bytes == fs::read(&kept.state).unwrap(), "{what}: the state has other bytes");
}

/// A log directory opens for writing and comes to what was recorded.
fn open(kept: &Recorded, dir: &Path, what: &str) {
    let mut ledger = Ledger::open(dir, options()).unwrap();
    compare(kept, ledger.state(), what);
    assert_eq!(ledger.prove(), Proven::Whole, "{what}");
}

fn prove(name: &str) {
    let kept = Recorded::named(name);
    let export = Export::read(&kept.export).unwrap();
    let reader = export.reader(None).unwrap();
    let mut fold = Fold::default();
    drive(&reader, &mut fold, Until::End).unwrap();
    compare(&kept, &fold.state, &format!("{name}, from the beginning"));
    let state = reader.state_at(Until::End).unwrap();
    compare(&kept, &state, &format!("{name}, from a checkpoint"));
    // The documents that the story names were never written; nothing else may be missing.
    let findings = audit(&reader).unwrap().findings;
    assert!(findings.iter().all(|f| f.check == Check::Orphans), "{name}: {findings:?}");
    let root = tempfile::tempdir().unwrap();
    export.import(root.path(), None).unwrap();
    let checkpoints = root.path().join("checkpoints");
    assert!(fs::read_dir(&checkpoints).unwrap().count() > 0, "{name} has no checkpoint");
    open(&kept, root.path(), &format!("{name}, opened"));
    fs::remove_dir_all(checkpoints).unwrap();
    open(&kept, root.path(), &format!("{name}, opened without a checkpoint"));
    assert!(Reader::open(root.path(), None).unwrap().head_lost().is_none());
}

#[test]
fn every_log_that_was_kept_is_read_as_it_was() {
    let mut names: Vec<_> =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(!names.is_empty());
    for name in names {
        prove(name.to_str().unwrap());
    }
}
