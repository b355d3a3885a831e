//! Golden bytes of the state: what a release wrote into its checkpoints must be read for ever.
//! `HOLDFAST_BLESS=1` writes them anew; a changed line of a release is a mistake.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use holdfast_engine::State;
use serde::Deserialize;

use super::{LOG_SHAPE, Log, Shape, all, put, sample_entry, state_bytes, take};
use crate::bytes::Take;
use crate::codec;
use crate::shapes::golden::{blessing, hex, package, unhex};
use crate::shapes::sample::Sampler;

/// Samples of one shape at most; each adds a variant that the ones before did not show.
const SAMPLES: usize = 32;

fn golden(name: &str) -> PathBuf {
    package().join("tests/golden/state").join(format!("{name}.txt"))
}

fn sample(shape: &Shape, sampler: &mut Sampler) -> (Vec<u8>, String) {
    if *shape == LOG_SHAPE {
        let log = <(u64, Log)>::deserialize(sampler).unwrap();
        return (codec::encode_state(&log).unwrap(), format!("{log:?}"));
    }
    sample_entry((shape.kind, shape.schema), sampler).unwrap()
}

/// Samples of a shape until nothing new shows.
fn samples(shape: &Shape) -> Vec<(Vec<u8>, String)> {
    let mut sampler = Sampler::default();
    let mut samples = Vec::new();
    let (mut variety, mut stale) = (usize::MAX, 0);
    while samples.len() < SAMPLES && stale < 3 {
        samples.push(sample(shape, &mut sampler));
        stale = if sampler.variety() == variety { stale + 1 } else { 0 };
        variety = sampler.variety();
    }
    samples.truncate(samples.len().saturating_sub(stale).max(1));
    samples
}

/// The lines of each file.
fn now() -> BTreeMap<&'static str, String> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for shape in all() {
        let text = files.entry(shape.name).or_default();
        for (number, (bytes, entry)) in samples(shape).into_iter().enumerate() {
            let Shape { kind, schema, .. } = shape;
            let _ = writeln!(text, "0x{kind:04X} {schema} {number} {}", hex(&bytes));
            let _ = writeln!(text, "  {entry}");
        }
    }
    files
}

#[test]
fn every_record_of_the_state_has_golden_bytes_and_they_never_change() {
    for (name, now) in now() {
        let path = golden(name);
        if blessing() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        for (kept, now) in kept.lines().zip(now.lines()) {
            assert_eq!(kept, now, "{}: a struct of the state has changed", path.display());
        }
        assert_eq!(kept.lines().count(), now.lines().count(), "{}", path.display());
    }
}

#[test]
fn golden_bytes_are_taken_into_a_state_and_written_as_they_were() {
    for shape in all() {
        let kept = fs::read_to_string(golden(shape.name)).unwrap();
        let kept: Vec<&str> = kept.lines().collect();
        for pair in kept.chunks(2) {
            let fields: Vec<&str> = pair[0].split(' ').collect();
            let kind = u16::from_str_radix(&fields[0][2..], 16).unwrap();
            let schema: u16 = fields[1].parse().unwrap();
            let bytes = unhex(fields[3]);
            let mut state = State::default();
            take(&mut state, (kind, schema), &bytes).unwrap();
            let newest = all().any(|s| s.newest && (s.kind, s.schema) == (kind, schema));
            let mut record = Vec::new();
            put(&mut record, (kind, schema), &bytes);
            let written = state_bytes(&state).unwrap();
            let found = written.windows(record.len()).any(|window| window == record);
            assert!(!newest || found, "{} is written differently", pair[0]);
        }
    }
}

#[test]
fn cut_golden_bytes_and_trailing_ones_are_refused() {
    for shape in all() {
        for (bytes, _) in samples(shape) {
            let read = |bytes: &[u8]| {
                take(&mut State::default(), (shape.kind, shape.schema), bytes).is_some()
            };
            assert!(!read(&bytes[..bytes.len() - 1]), "{} cut", shape.name);
            assert!(!read(&[&bytes[..], &[0]].concat()), "{} trailing", shape.name);
        }
    }
}

#[test]
fn a_state_of_golden_records_is_read_back_equal() {
    let mut state = State::default();
    for shape in all().filter(|shape| shape.newest) {
        for (bytes, _) in samples(shape) {
            take(&mut state, (shape.kind, shape.schema), &bytes).unwrap();
        }
    }
    let written = state_bytes(&state).unwrap();
    let mut read = State::default();
    let mut rest = Take(&written);
    while !rest.0.is_empty() {
        let (shape, bytes) = super::next(&mut rest).unwrap();
        take(&mut read, shape, bytes).unwrap();
    }
    assert_eq!(read, state);
    assert_eq!(state_bytes(&read).unwrap(), written);
}

const HEADER: &str = "| Kind | Schema | Record | Key | Value | Since |\n";

#[test]
fn every_record_of_the_state_has_its_line_in_the_document() {
    let path = package().join("../docs/events.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(HEADER).unwrap();
    let (table, after) = rest.split_once("\n\n").unwrap();
    let since = |key: &str| {
        let line = table.lines().find(|line| line.starts_with(key));
        let cell = line.and_then(|line| line.trim_end_matches(" |").rsplit("| ").next());
        cell.unwrap_or(env!("CARGO_PKG_VERSION")).to_owned()
    };
    let mut now = String::from("|---|---|---|---|---|---|");
    for Shape { kind, schema, name, key, value, .. } in all() {
        let cells = format!("| 0x{kind:04X} | {schema} |");
        let since = since(&cells);
        let _ = write!(now, "\n{cells} {name} | `{key}` | `{value}` | {since} |");
    }
    if blessing() {
        fs::write(&path, format!("{before}{HEADER}{now}\n\n{after}")).unwrap();
        return;
    }
    assert_eq!(table, now, "docs/events.md, section 2");
}
