//! What is to be seen at the end of a run, in words that neither times nor identities change.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::State;
use holdfast_engine::view::object::object;
use serde_json::Value;

use super::cluster::Cluster;
use crate::operator::level::{self, Level};
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object as kubestash;

/// Fields whose values are times, identities or sentences.
const CHANGING: [&str; 19] = [
    "uid",
    "creationTimestamp",
    "lastTransitionTime",
    "message",
    "duration",
    "backupDeadline",
    "restoreDeadline",
    "nextRetry",
    "snapshotTime",
    "startTime",
    "endTime",
    "time",
    "snapshotID",
    "id",
    "lastBackupTime",
    "lastUpdated",
    "generation",
    "resourceVersion",
    "verificationTime",
];

/// Nothing goes on that nobody waits for, and nothing is shown of what is gone.
pub(super) fn look_for_leaks(cluster: &Cluster, state: &State) {
    let left: Vec<String> = state.outbox.values().map(|once| format!("{once:?}")).collect();
    left.iter().for_each(|once| cluster.breach(format!("{once} is in the outbox for ever")));
    let working: Vec<String> =
        cluster.now().at_work().map(|there| format!("{:?} works for ever", there.attempt)).collect();
    working.into_iter().for_each(|what| cluster.breach(what));
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
        let Level::Object { kind, uid } = level else { continue };
        let Some(found) = object(state, kind, uid) else { continue };
        let (kind, key) = kubestash::name(&found);
        let published = kubestash::render(&found, cluster.declared(kind, &key));
        expected.insert(ObjectName::own(kind, &key), published.object);
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
    let objects = inner.published.iter().map(|(name, object)| {
        let mut object = object.clone();
        strip(&mut object);
        format!("{name} {object}")
    });
    let counts = inner.counts.iter().map(|(what, count)| format!("{count} times {what}"));
    // A hook that an operator's end broke off runs once more.
    let counts = counts.filter(|line| !line.contains("ran hook"));
    let lines = objects.chain(counts).chain(inner.stores.lines());
    let mut lines: Vec<String> = lines.map(|line| without_seconds(&line)).collect();
    lines.sort();
    lines
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !CHANGING.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Numbers of ten and more digits are seconds since 1970, in names of sessions that the operator named.
fn without_seconds(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut digits = String::new();
    for letter in line.chars().chain([' ']) {
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
