//! Whole logs of every release, kept in `tests/logs/`: each opens, with its checkpoints and without, and
//! comes to the state and the statuses that were recorded with it. A status may have come to say more since;
//! what it said it says for ever.
//!
//! `cargo run --package holdfast-eventlog --example record_log NAME` keeps another one.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../engine/tests/language/mod.rs"]
mod language;
mod recorded;
#[path = "../../engine/tests/world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use holdfast_engine::{Illegal, State};
use holdfast_eventlog::audit::{Check, audit};
use holdfast_eventlog::shapes::Shape;
use holdfast_eventlog::{
    Export, Fold, Header, Ledger, Machine, Proven, Reader, Until, drive, shapes, state_of,
};
use serde_json::Value;

use recorded::{Recorded, options, root, views};

/// The state and the statuses are those that were recorded.
fn compare(kept: &Recorded, state: &State, what: &str) {
    let recorded: Value = serde_json::from_slice(&fs::read(&kept.views).unwrap()).unwrap();
    let found = views(state);
    let objects = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(objects(&found), objects(&recorded), "{what}");
    says(&found, &recorded, what);
    let recorded = state_of(&fs::read(&kept.state).unwrap()).expect("a state that was recorded");
    assert!(*state == recorded, "{what}: another state");
}

/// Everything that was recorded is there; an object may have fields that are new.
fn says(found: &Value, recorded: &Value, at: &str) {
    match (found, recorded) {
        (Value::Object(found), Value::Object(recorded)) => {
            for (name, value) in recorded {
                let at = format!("{at}: {name}");
                says(found.get(name).unwrap_or_else(|| panic!("{at} is missing")), value, &at);
            }
        }
        (Value::Array(found), Value::Array(recorded)) => {
            assert_eq!(found.len(), recorded.len(), "{at}");
            for (number, (found, recorded)) in found.iter().zip(recorded).enumerate() {
                says(found, recorded, &format!("{at} {number}"));
            }
        }
        _ => assert_eq!(found, recorded, "{at}"),
    }
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
    let is_whole = reader.first_seq() == 1;
    if is_whole {
        let mut fold = Fold::default();
        drive(&reader, &mut fold, Until::End).unwrap();
        compare(&kept, &fold.state, &format!("{name}, from the beginning"));
    }
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
    if is_whole {
        open(&kept, root.path(), &format!("{name}, opened without a checkpoint"));
        assert!(Reader::open(root.path(), None).unwrap().head_lost().is_none());
    } else {
        assert!(Ledger::open(root.path(), options()).is_err(), "{name} has no beginning");
    }
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_log_that_was_kept_is_read_as_it_was() {
    let names = names();
    assert!(names.len() >= 5);
    names.iter().for_each(|name| prove(name));
}

/// The shapes of the events of a log.
struct Seen(BTreeSet<(u16, u16)>);

impl Machine for Seen {
    fn record(&mut self, _: &holdfast_engine::Recorded) -> Result<(), Illegal> {
        Ok(())
    }

    fn header(&mut self, header: &Header) {
        self.0.insert((header.event_type, header.schema));
    }
}

/// A shape that no kept log holds is one whose meaning nothing freezes. What is postponed waits and is taken up
/// whatever it is, so one of its shapes stands for all.
#[test]
fn every_shape_of_an_event_stands_in_a_kept_log() {
    let mut seen = Seen(BTreeSet::new());
    for name in names() {
        let export = Export::read(&Recorded::named(&name).export).unwrap();
        drive(&export.reader(None).unwrap(), &mut seen, Until::End).unwrap();
    }
    let is_seen = |shape: &Shape| seen.0.contains(&(shape.event_type, shape.schema));
    let postpones =
        |shape: &Shape| shape.stream == "reaction" && shape.name.starts_with("Postponed");
    assert!(shapes::all().any(|shape| postpones(shape) && is_seen(shape)));
    let unseen = shapes::all().filter(|shape| !is_seen(shape) && !postpones(shape));
    let unseen: Vec<_> =
        unseen.map(|shape| format!("{} {} {}", shape.stream, shape.name, shape.schema)).collect();
    assert_eq!(unseen, Vec::<String>::new());
}
