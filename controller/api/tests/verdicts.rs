//! What an API server says about slips in the samples, and what we say.
//!
//! Every line of `conformance/verdicts.txt` puts one value into one place of one sample. The verdicts
//! were recorded from the validation code of an API server, with the definitions under `deploy/crds`.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod kinds;

use holdfast_api::{Kind, ReadError, unknown_fields, validate};
use kinds::refusal;
use serde_json::Value;

fn folder(name: &str) -> String {
    format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The object of a sample, as `file#place` names it.
fn sample(name: &str) -> Value {
    let (file, place) = name.split_once('#').unwrap();
    let text = std::fs::read_to_string(folder("samples/") + file).unwrap();
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    objects.swap_remove(place.parse().unwrap())
}

/// The verdict, the sample, the place, and the value to put there.
fn parts(line: &str) -> (&str, &str, &str, Value) {
    let mut parts = line.splitn(4, ' ');
    let mut next = || parts.next().unwrap();
    (next(), next(), next(), serde_json::from_str(next()).unwrap())
}

fn verdict(kind: Kind, object: &Value) -> &'static str {
    if !validate(kind, object).is_empty() {
        "refused"
    } else if !unknown_fields(kind, object).is_empty() {
        "unknown"
    } else {
        "accepted"
    }
}

#[test]
fn our_verdict_is_that_of_the_api_server() {
    let text = std::fs::read_to_string(folder("conformance/verdicts.txt")).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let (theirs, name, place, value) = parts(line);
        let mut object = sample(name);
        *object.pointer_mut(place).unwrap() = value;
        let kind = Kind::of(&object).unwrap();
        let ours = verdict(kind, &object);
        if ours != theirs {
            wrong.push(format!("{line}: we say {ours}"));
        }
        // What is accepted must also be read: unknown fields are dropped then.
        let refusal = refusal(kind, &object);
        let readable = !matches!(refusal, Some(ReadError::Shape { .. }));
        assert!(readable, "{line}: {refusal:?}");
        assert_eq!(refusal.is_some(), theirs == "refused", "{line}");
    }
    assert_eq!(wrong, [""; 0]);
    assert!(text.lines().count() > 500);
}
