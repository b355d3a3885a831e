//! Manifests as their authors write them: each is valid, has no unknown field, and survives the types.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod kinds;

use std::collections::BTreeSet;

use holdfast_api::core::{BackupConfiguration, BackupSession, RestoreSession};
use holdfast_api::storage::{BackupStorage, Snapshot};
use holdfast_api::{Kind, aliases, read, rules, unknown_fields, validate};
use kinds::{strip, through_type};
use serde_json::Value;

/// The file whose objects use older spellings; they do not survive the types as they are.
const OLD: &str = "old-spellings.yaml";

fn samples() -> Vec<(String, Kind, Value)> {
    let folder = format!("{}/tests/samples", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let objects: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for object in objects {
            let kind = Kind::of(&object).unwrap_or_else(|| panic!("{name}: unknown kind"));
            let title = format!("{name}: {} {}", kind.name(), object["metadata"]["name"]);
            found.push((title, kind, object));
        }
    }
    found
}

#[test]
fn every_kind_has_a_sample() {
    let kinds: BTreeSet<Kind> = samples().into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds, Kind::ALL.into_iter().collect());
}

#[test]
fn samples_are_valid_and_have_no_unknown_fields() {
    for (title, kind, object) in samples() {
        assert_eq!(validate(kind, &object), [], "{title}");
        assert_eq!(rules(kind, &object), [], "{title}");
        assert_eq!(unknown_fields(kind, &object), [""; 0], "{title}");
    }
}

#[test]
fn samples_survive_the_types_field_for_field() {
    for (title, kind, object) in samples().into_iter().filter(|(t, ..)| !t.starts_with(OLD)) {
        assert_eq!(through_type(kind, &object), strip(object), "{title}");
    }
}

#[test]
fn only_the_sample_of_older_spellings_uses_them() {
    for (title, _, object) in samples() {
        assert_eq!(aliases(&object).is_empty(), !title.starts_with(OLD), "{title}");
    }
}

/// Every field of every sample, in turn: one letter more in its name is found, one type less as well.
#[test]
fn a_slip_in_any_field_is_found_where_it_is() {
    let mut slips = 0;
    for (title, kind, object) in samples() {
        for path in fields(&object) {
            let mut slip = object.clone();
            let (name, parent) = path.split_last().unwrap();
            let parent = parent.iter().fold(&mut slip, |at, step| at.get_mut_step(step));
            let Value::Object(members) = parent else { continue };
            let Step::Name(name) = name else { continue };
            let value = members.remove(name).unwrap();
            members.insert(format!("{name}x"), value);
            if free(&path) {
                continue;
            }
            let found = unknown_fields(kind, &slip);
            assert_eq!(found, [format!("{}x", written(&path))], "{title}");
            slips += 1;
        }
    }
    assert!(slips > 800, "only {slips} fields were tried");
}

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Item(usize),
}

trait AtStep {
    fn get_mut_step(&mut self, step: &Step) -> &mut Value;
}

impl AtStep for Value {
    fn get_mut_step(&mut self, step: &Step) -> &mut Value {
        match step {
            Step::Name(name) => &mut self[name.as_str()],
            Step::Item(i) => &mut self[*i],
        }
    }
}

fn fields(value: &Value) -> Vec<Vec<Step>> {
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(m) => m.iter().map(|(n, v)| (Step::Name(n.clone()), v)).collect(),
        Value::Array(a) => a.iter().enumerate().map(|(i, v)| (Step::Item(i), v)).collect(),
        _ => Vec::new(),
    };
    let mut paths = Vec::new();
    for (step, child) in children {
        paths.push(vec![step.clone()]);
        for path in fields(child) {
            paths.push(std::iter::once(step.clone()).chain(path).collect());
        }
    }
    paths
}

fn written(path: &[Step]) -> String {
    let text = path.iter().fold(String::new(), |text, step| match step {
        Step::Name(name) => format!("{text}.{name}"),
        Step::Item(i) => format!("{text}[{i}]"),
    });
    text.trim_start_matches('.').to_owned()
}

/// Whether the last step names a member of a map, whose names are the author's own.
fn free(path: &[Step]) -> bool {
    const MAPS: [&str; 10] = [
        "annotations",
        "components",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "params",
        "podLabels",
        "requests",
        "serviceAccountAnnotations",
    ];
    let parent = path.iter().rev().nth(1);
    let map = matches!(parent, Some(Step::Name(name)) if MAPS.contains(&name.as_str()));
    // What lies below metadata is the API server's business; its own fields are looked at.
    let owner = matches!(path.first(), Some(Step::Name(name)) if name == "metadata");
    // What is asked of a restored database is the business of the Function that asks.
    let above = path.split_last().map_or(&[][..], |(_, above)| above);
    let query = above.iter().any(|step| matches!(step, Step::Name(name) if name == "query"));
    map || query || (owner && path.len() > 2)
}

#[test]
fn the_newer_field_holds_the_value_of_the_older_one() {
    let old: Vec<Value> = samples()
        .into_iter()
        .filter_map(|(title, _, object)| title.starts_with(OLD).then_some(object))
        .collect();

    let configuration: BackupConfiguration = read(&old[0]).unwrap();
    let limits: Vec<_> =
        configuration.spec.sessions.iter().map(|s| s.backup_timeout.as_deref()).collect();
    assert_eq!(limits, [Some("1h"), Some("3h"), None]);

    let restore: RestoreSession = read(&old[1]).unwrap();
    assert_eq!(restore.spec.restore_timeout.as_deref(), Some("30m"));
    assert!(restore.status.unwrap().restore_deadline.is_some());
    let options = restore.spec.manifest_options.unwrap();
    assert_eq!(options.workload.unwrap().restore_namespace.as_deref(), Some("elsewhere"));
    let mongodb = options.mongodb.unwrap();
    assert_eq!(mongodb.restore_namespace.as_deref(), Some("elsewhere"));
    assert_eq!(mongodb.db, Some(true), "defaults are filled in");
    let issuer = mongodb.tls_issuer_ref.unwrap();
    assert_eq!((issuer.kind.as_str(), issuer.name.as_str()), ("Issuer", "internal"));
    let mysql = options.mysql.unwrap();
    assert_eq!(mysql.restore_namespace.as_deref(), Some("there"));
    assert_eq!(mysql.tls_issuer_ref.unwrap().name, "own");

    let session: BackupSession = read(&old[2]).unwrap();
    assert!(session.status.unwrap().backup_deadline.is_some());

    let storage: BackupStorage = read(&old[3]).unwrap();
    let s3 = storage.spec.storage.unwrap().s3.unwrap();
    assert_eq!(s3.secret_name.as_deref(), Some("credentials"));

    let snapshot: Snapshot = read(&old[4]).unwrap();
    let component = &snapshot.status.unwrap().components["host-0"];
    let summary = component.restic_stats[0].summary.clone().unwrap();
    assert_eq!(summary.host_path.as_deref(), Some("/data"));
    assert_eq!(summary.id.as_deref(), Some("7f1a"));
    assert_eq!(summary.size.as_deref(), Some("1 MiB"));
    assert_eq!(summary.uploaded.as_deref(), Some("1 KiB"));
}
