//! What is to be seen at the end of a run, in words that neither times nor identities change.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::binding::Made;
use holdfast_engine::view::object::object;
use holdfast_engine::{Level, State, level};
use serde_json::Value;

use super::cluster::Cluster;
use super::worker::Stands;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object as kubestash;

/// Fields whose values are identities, sentences, or how long something took.
const CHANGING: [&str; 6] = ["uid", "message", "duration", "snapshotID", "id", "generation"];

/// Nothing goes on that nobody waits for, and nothing is shown of what is gone.
pub(super) fn look_for_leaks(cluster: &Cluster, state: &State) {
    let left: Vec<String> = state.outbox.values().map(|once| format!("{once:?}")).collect();
    left.iter().for_each(|once| cluster.breach(format!("{once} is in the outbox for ever")));
    let working: Vec<String> = cluster
        .now()
        .at_work()
        .map(|there| format!("{:?} works for ever", there.attempt))
        .collect();
    working.into_iter().for_each(|what| cluster.breach(what));
    let ended = {
        let inner = cluster.now();
        let ended = inner.workers.values().filter(|there| there.stands != Stands::Works);
        // Of whoever was stopped, whoever stopped him takes what is left.
        ended.filter(|there| !inner.stopped.contains(&there.attempt)).count()
    };
    if ended > 0 {
        cluster.breach(format!("the remains of {ended} workers stay for ever"));
    }
    let shown = cluster.now().published.clone();
    for (name, object) in shown {
        let phase = object["status"]["phase"].as_str().unwrap_or_default();
        if name.kind == "BackupSession" && !["Succeeded", "Failed", "Skipped"].contains(&phase) {
            cluster.breach(format!("{name} is {phase} for ever"));
        }
    }
}

/// What is shown is what the last state says.
pub(super) fn compare(cluster: &Cluster, state: &State) {
    let mut expected: BTreeMap<ObjectName, Value> = BTreeMap::new();
    for level in level::all(state) {
        let Level::Object { kind: kind_of, uid } = level else { continue };
        let Some(found) = object(state, kind_of, uid) else { continue };
        let (kind, key) = kubestash::name(&found);
        let published = kubestash::render(&found, cluster.declared(kind, &key));
        let name = ObjectName::own(kind, &key);
        // Which live object is ours, of those that we made.
        let (live, bound) = (cluster.live(&name), state.bound.get(&Made::whole(kind_of, uid)));
        if live.as_ref() != bound {
            cluster.breach(format!("{name} is {live:?} outside, and {bound:?} in the log"));
        }
        expected.insert(name, published.object);
    }
    let shown = cluster.now().published.clone();
    let names: BTreeSet<&ObjectName> = expected.keys().chain(shown.keys()).collect();
    for name in names {
        let (is, should) = (shown.get(name), expected.get(name));
        if is.map(|object| &object["status"]) != should.map(|object| &object["status"]) {
            let text = |object: Option<&Value>| object.map(|object| object["status"].to_string());
            let (is, should) = (text(is), text(should));
            cluster.breach(format!("{name} is shown as {is:?}, and is {should:?}"));
        }
    }
}

/// How everything stands, and what was created and deleted.
pub(super) fn lines(cluster: &Cluster) -> Vec<String> {
    let inner = cluster.now();
    let mut lines = inner.stores.lines();
    for (name, object) in &inner.published {
        flatten(&name.to_string(), object, &mut lines);
    }
    let counts = inner.counts.iter().map(|(what, count)| format!("{count} times {what}"));
    // A hook that an operator's end broke off runs once more.
    lines.extend(counts.filter(|line| !line.contains("ran hook")));
    // Of a session that has left the state nothing is known; snapshots that were shown before still name it.
    let lines = lines.iter().filter(|line| !line.contains(" spec backupSession: "));
    let mut lines: Vec<String> = lines.map(|line| without_times(line)).collect();
    lines.sort();
    lines
}

/// One line for each value in an object.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !CHANGING.contains(&&***name)) {
                flatten(&format!("{path} {name}"), value, lines);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                flatten(&format!("{path} {number}"), value, lines);
            }
        }
        value => lines.push(format!("{path}: {value}")),
    }
}

/// Instants, and seconds since 1970 in names of sessions that the operator named, are no part of how it ends.
fn without_times(line: &str) -> String {
    let is_instant = |word: &str| {
        let shape: String =
            word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T00:00:00Z"
    };
    let words: Vec<&str> =
        line.split('"').map(|word| if is_instant(word) { "INSTANT" } else { word }).collect();
    let (mut out, mut digits) = (String::with_capacity(line.len()), String::new());
    for letter in words.join("\"").chars().chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        out += if digits.len() >= 10 { "SECONDS" } else { &digits };
        digits.clear();
        out.push(letter);
    }
    out.trim_end().to_owned()
}
