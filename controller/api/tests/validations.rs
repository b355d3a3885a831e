//! The rules of the definitions, evaluated as an API server does: what they refuse, and with which words.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::Path;

use holdfast_api::schema::validations::VALIDATIONS;
use holdfast_api::{Kind, schema};
use kube_cel::Validator;
use serde_json::{Value, json};

/// The messages of the rules that an object breaks; `old` is what it was before.
fn refusals(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<String> {
    match Validator::new().validate(schema, object, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

/// A kind, objects that are refused, and the beginning of the only message.
fn table() -> Vec<(Kind, Value, Option<Value>, &'static str)> {
    let mut rows = new_objects();
    rows.extend(runs_and_hooks());
    rows.extend(changes());
    rows
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().unwrap().remove(field);
    object
}

fn session() -> Value {
    json!({
        "name": "nightly", "scheduler": { "schedule": "0 0 * * *", "jobTemplate": {} },
        "addon": { "name": "a", "tasks": [{ "name": "t" }] }, "repositories": [{ "name": "r" }],
    })
}

fn with_session(session: &Value) -> Value {
    json!({ "sessions": [session] })
}

fn new_objects() -> Vec<(Kind, Value, Option<Value>, &'static str)> {
    let chosen = json!({ "allowedNamespaces": { "from": "Selector" } });
    let template = json!({});
    let keeps = json!({ "last": 1 });
    let hook = json!({ "executor": {}, "action": {}, "usagePolicy": chosen });
    let mut nameless = session();
    nameless["addon"]["name"] = json!("");
    let mut idle = session();
    idle["addon"]["tasks"] = json!([]);
    let of_session = |session: Value| with_session(&session);
    let configuration = Kind::BackupConfiguration;
    let rows = [
        (
            Kind::BackupStorage,
            json!({ "storage": { "provider": "s3", "gcs": {} } }),
            "the settings",
        ),
        (Kind::BackupStorage, json!({ "usagePolicy": chosen }), "selector must"),
        (
            Kind::RetentionPolicy,
            json!({ "maxRetentionPeriod": "10" }),
            "maxRetentionPeriod must be",
        ),
        (Kind::RetentionPolicy, json!({ "failedSnapshots": keeps }), "maxRetentionPeriod or"),
        (
            Kind::RetentionPolicy,
            json!({ "successfulSnapshots": keeps, "usagePolicy": chosen }),
            "selector must",
        ),
        (configuration, json!({}), "sessions must"),
        (configuration, of_session(without(session(), "name")), "name must"),
        (configuration, of_session(without(session(), "scheduler")), "scheduler must"),
        (configuration, of_session(nameless), "addon.name must"),
        (configuration, of_session(without(session(), "addon")), "addon.name must"),
        (configuration, of_session(idle), "addon.tasks must"),
        (configuration, of_session(without(session(), "repositories")), "repositories must"),
        (Kind::BackupBlueprint, json!({}), "backupConfigurationTemplate must"),
        (
            Kind::BackupBlueprint,
            json!({ "backupConfigurationTemplate": template, "usagePolicy": chosen }),
            "selector must",
        ),
        (Kind::BackupBatch, json!({ "targets": [{}] }), "name must be given: sessions"),
        (
            Kind::BackupBatch,
            json!({ "sessions": [{ "name": "" }] }),
            "name must be given: a session",
        ),
        (Kind::HookTemplate, hook, "selector must be given"),
    ];
    rows.map(|(kind, spec, message)| (kind, json!({ "spec": spec }), None, message)).into()
}

fn runs_and_hooks() -> Vec<(Kind, Value, Option<Value>, &'static str)> {
    let pod = |selector: &str| json!({ "action": {}, "executor": { "type": "Pod", "pod": { "selector": selector } } });
    let source = |source: Value| json!({ "dataSource": source });
    let verifier = |mut spec: Value| {
        spec["restoreOption"] = json!({ "addonInfo": {} });
        spec
    };
    let (hook, restore, check) = (Kind::HookTemplate, Kind::RestoreSession, Kind::BackupVerifier);
    let rows = [
        (hook, json!({ "action": {} }), "executor must"),
        (hook, json!({ "executor": { "type": "Operator" } }), "action must"),
        (hook, json!({ "executor": { "type": "Function" } }), "function must"),
        (hook, json!({ "action": {}, "executor": { "type": "Pod" } }), "pod must"),
        (hook, pod(""), "selector must be labels"),
        (hook, pod("app=web,tier"), "selector must be labels"),
        (restore, json!({}), "dataSource must"),
        (restore, source(json!({ "pitr": {}, "repository": "r" })), "pitr.targetTime and"),
        (
            restore,
            source(json!({ "pitr": { "targetTime": "2026-01-01T00:00:00Z" } })),
            "pitr.targetTime and",
        ),
        (restore, source(json!({ "repository": "r" })), "snapshot must"),
        (restore, source(json!({ "snapshot": "latest" })), "repository must"),
        (check, json!({ "type": "RestoreOnly" }), "restoreOption.addonInfo must"),
        (check, verifier(json!({})), "type must"),
        (check, verifier(json!({ "type": "Query", "query": {} })), "function must"),
        (check, verifier(json!({ "type": "Query", "function": "f" })), "query must"),
        (check, verifier(json!({ "type": "Script", "function": "f", "script": {} })), "script.loc"),
    ];
    rows.map(|(kind, spec, message)| (kind, json!({ "spec": spec }), None, message)).into()
}

fn changes() -> Vec<(Kind, Value, Option<Value>, &'static str)> {
    let storage = |bucket: &str| {
        json!({
            "spec": { "storage": { "provider": "s3", "s3": { "bucket": bucket } } },
            "status": { "repositories": [{ "name": "r" }] },
        })
    };
    let spec = |field: &str, value: &str| json!({ "spec": { field: value } });
    vec![
        (Kind::BackupStorage, storage("b"), Some(storage("a")), "spec.storage must name"),
        (Kind::Repository, spec("path", "b"), Some(spec("path", "a")), "path must not"),
        (Kind::BackupSession, spec("session", "b"), Some(spec("session", "a")), "spec must not"),
        (
            Kind::BackupVerificationSession,
            spec("session", "b"),
            Some(spec("session", "a")),
            "spec must not",
        ),
    ]
}

/// The schema of a kind without its rule of that number.
fn without_rule(removed: usize) -> Value {
    let validation = VALIDATIONS[removed];
    let mut schema = schema::of(validation.kind).clone();
    let node = validation.at.iter().fold(&mut schema, |node, step| match *step {
        "[]" => &mut node["items"],
        name => &mut node["properties"][name],
    });
    let rules = node["x-kubernetes-validations"].as_array_mut().unwrap();
    rules.retain(|rule| rule["rule"] != validation.rule);
    schema
}

#[test]
fn what_is_refused_is_refused_with_one_message() {
    for (kind, object, old, message) in table() {
        let found = refusals(schema::of(kind), &object, old.as_ref());
        let one = found.len() == 1 && found[0].starts_with(message);
        assert!(one, "{} {object}: {found:?}, expected {message:?}", kind.name());
    }
}

#[test]
fn every_rule_refuses_something_that_nothing_else_refuses() {
    for (number, validation) in VALIDATIONS.iter().enumerate() {
        let schema = without_rule(number);
        let needed = table().into_iter().any(|(kind, object, old, _)| {
            kind == validation.kind && refusals(&schema, &object, old.as_ref()).is_empty()
        });
        assert!(needed, "{} {:?}: no row needs it", validation.kind.name(), validation.rule);
    }
}

#[test]
fn the_way_to_a_storage_may_change_and_the_place_may_not() {
    type Change = fn(&mut Value);
    let storage = |change: Change| {
        let s3 = json!({ "bucket": "b", "endpoint": "https://a", "secretName": "one" });
        let mut storage = json!({ "provider": "s3", "s3": s3 });
        change(&mut storage);
        json!({ "spec": { "storage": storage }, "status": { "repositories": [{ "name": "r" }] } })
    };
    let before = storage(|_| {});
    let changes: [(Change, bool); 7] = [
        (|s| s["s3"]["secretName"] = json!("two"), true),
        (|s| s["s3"]["endpoint"] = json!("https://b"), true),
        (|s| s["s3"]["maxConnections"] = json!(3), true),
        (|s| s["s3"]["prefix"] = json!("p"), false),
        (|s| s["s3"] = json!({ "endpoint": "https://a" }), false),
        (|s| *s = json!({ "provider": "gcs", "gcs": { "bucket": "b" } }), false),
        (|s| *s = json!({ "provider": "local", "local": {} }), false),
    ];
    for (change, accepted) in changes {
        let after = storage(change);
        let found = refusals(schema::of(Kind::BackupStorage), &after, Some(&before));
        assert_eq!(found.is_empty(), accepted, "{after}: {found:?}");
    }
    let mut empty = storage(|s| s["s3"]["prefix"] = json!("p"));
    empty["status"]["repositories"] = json!([]);
    assert_eq!(refusals(schema::of(Kind::BackupStorage), &empty, Some(&before)), [""; 0]);
}

#[test]
fn what_stays_as_it_is_is_accepted() {
    for (kind, _, old, _) in table() {
        if let Some(old) = old {
            assert_eq!(refusals(schema::of(kind), &old, Some(&old)), [""; 0], "{}", kind.name());
        }
    }
    let configuration = json!({ "spec": with_session(&session()) });
    assert_eq!(refusals(schema::of(Kind::BackupConfiguration), &configuration, None), [""; 0]);
    for period in ["", " 1y2mo3w ", "-4d5h6m"] {
        let policy = json!({ "spec": { "maxRetentionPeriod": period, "successfulSnapshots": {} } });
        assert_eq!(refusals(schema::of(Kind::RetentionPolicy), &policy, None), [""; 0], "{period}");
    }
}

#[test]
fn manifests_of_authors_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut accepted, mut refused) = (0, Vec::new());
    for folder in ["tests/samples", "../../docs/examples"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
            for object in objects {
                let Some(kind) = Kind::of(&object) else { continue };
                let found = refusals(schema::of(kind), &object, Some(&object));
                if !found.is_empty() {
                    refused.push(format!("{}: {}: {found:?}", path.display(), object["metadata"]));
                }
                accepted += 1;
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(accepted > 50, "only {accepted} manifests were looked at");
}

/// The paths of fields without a description.
///
/// `metadata` may have none, says the API server. Kubernetes' own types have none, since their texts
/// would make definitions too large for `kubectl apply`: they are the nodes of which no field has one.
fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
    let described =
        |field: &Value| field["description"].as_str().is_some_and(|text| !text.is_empty());
    if let Some(fields) = schema["properties"].as_object() {
        if !fields.values().any(described) {
            return;
        }
        for (name, field) in fields {
            let path = format!("{path}.{name}");
            undescribed(field, &path, found);
            if !described(field) && path != ".metadata" {
                found.push(path);
            }
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            undescribed(&schema[key], &format!("{path}{mark}"), found);
        }
    }
}

#[test]
fn every_field_of_ours_has_a_description() {
    for kind in Kind::ALL {
        let mut found = Vec::new();
        undescribed(schema::of(kind), "", &mut found);
        assert_eq!(found, [""; 0], "{}", kind.name());
        assert!(schema::of(kind)["properties"]["spec"]["description"].is_string());
    }
}
