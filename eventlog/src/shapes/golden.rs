//! Golden bytes: what was shipped must be read for ever, and every shape has its bytes and its line in
//! docs/events.md. `HOLDFAST_BLESS=1` writes both anew; a changed line of a release is a mistake.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::sample::Sampler;
use super::{AGGREGATES, Payload, Shape, all, decode, encode, sample};

/// Samples of one shape at most; each adds a variant that the ones before did not show.
const SAMPLES: usize = 32;

pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(stream: &str) -> PathBuf {
    package().join("tests/golden").join(format!("{stream}.txt"))
}

pub(crate) fn blessing() -> bool {
    std::env::var_os("HOLDFAST_BLESS").is_some()
}

/// Samples of a shape until nothing new shows: the bytes, and the event as text.
fn samples(shape: &Shape) -> Vec<(Payload, String)> {
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

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn lines(shapes: &[Shape]) -> String {
    let mut text = String::new();
    for shape in shapes {
        for (number, (payload, event)) in samples(shape).into_iter().enumerate() {
            let Payload { event_type, schema, bytes } = payload;
            let name = shape.name;
            let _ = writeln!(text, "0x{event_type:04X} {schema} {name} {number} {}", hex(&bytes));
            let _ = writeln!(text, "  {event}");
        }
    }
    text
}

#[test]
fn every_shape_has_golden_bytes_and_they_never_change() {
    for shapes in AGGREGATES {
        let path = golden(shapes[0].stream);
        let now = lines(shapes);
        if blessing() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        for (kept, now) in kept.lines().zip(now.lines()) {
            assert_eq!(kept, now, "{}: a shape or a value type inside has changed", path.display());
        }
        assert_eq!(kept.lines().count(), now.lines().count(), "{}", path.display());
    }
}

#[test]
fn golden_bytes_decode_into_what_stands_beside_them() {
    let mut seen = 0;
    for shapes in AGGREGATES {
        let kept = fs::read_to_string(golden(shapes[0].stream)).unwrap();
        let kept: Vec<&str> = kept.lines().collect();
        for pair in kept.chunks(2) {
            let fields: Vec<&str> = pair[0].split(' ').collect();
            let event_type = u16::from_str_radix(&fields[0][2..], 16).unwrap();
            let schema: u16 = fields[1].parse().unwrap();
            let event = decode(event_type, schema, &unhex(fields[4])).unwrap().unwrap();
            assert_eq!(format!("{event:?}"), pair[1].trim_start());
            let again = encode(&event).unwrap();
            let newest = again.schema == schema;
            assert!(!newest || hex(&again.bytes) == fields[4], "{} encodes differently", pair[0]);
            seen += 1;
        }
    }
    assert!(seen >= all().count());
}

#[test]
fn truncated_golden_bytes_and_trailing_ones_are_refused() {
    for shape in all() {
        for (payload, _) in samples(shape) {
            let Payload { event_type, schema, bytes } = payload;
            let read = |bytes: &[u8]| decode(event_type, schema, bytes);
            assert!(read(&bytes[..bytes.len() - 1]).is_err(), "{} cut", shape.name);
            assert!(read(&[&bytes[..], &[0]].concat()).is_err(), "{} trailing", shape.name);
        }
    }
}

#[test]
fn every_shape_has_its_line_in_the_document() {
    let path = package().join("../docs/events.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, table) = text.split_once("| Type |").unwrap_or((&text, ""));
    let since: BTreeMap<String, String> = table.lines().filter_map(since_of).collect();
    let mut now = String::from("| Type | Schema | Stream | Event | Fields | Since |\n");
    now.push_str("|---|---|---|---|---|---|\n");
    for shape in all() {
        let fields: Vec<String> = shape
            .fields
            .iter()
            .map(|(name, ty)| format!("{name}: {}", ty.replace(' ', "")))
            .collect();
        let key = format!("0x{:04X} | {}", shape.event_type, shape.schema);
        let since = since.get(&key).map_or(env!("CARGO_PKG_VERSION"), String::as_str);
        let (stream, name) = (shape.stream, shape.name);
        let _ = writeln!(now, "| {key} | {stream} | {name} | `{}` | {since} |", fields.join(", "));
    }
    if blessing() {
        fs::write(&path, format!("{before}{now}")).unwrap();
        return;
    }
    let table = format!("| Type |{table}");
    assert_eq!(table.trim_end(), now.trim_end(), "docs/events.md, section 4");
}

fn since_of(line: &str) -> Option<(String, String)> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [event_type, schema, .., since] = cells.as_slice() else { return None };
    event_type.starts_with("0x").then(|| (format!("{event_type} | {schema}"), (*since).to_owned()))
}
