//! What the fields of an object must be together, for kinds that nothing decides on yet.
//!
//! [`validate`](crate::validate) says what an API server says, which looks at each field by itself. These
//! are the rules of KubeStash's admission webhooks for blueprints and verifiers, without their refusal of
//! every verifier that has a schedule; for batches, which have no webhook there, names must lead somewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{FieldError, Kind};

/// What is wrong with the fields of an object taken together. It may be of any form: what an API server
/// would refuse is not repeated here. Kinds that are decided on when they are declared have no rules here.
pub fn rules(kind: Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match kind {
        Kind::BackupBatch => batch(&object["spec"], &mut errors),
        Kind::BackupBlueprint => blueprint(&object["spec"], &mut errors),
        Kind::BackupVerifier => verifier(&object["spec"], &mut errors),
        _ => {}
    }
    errors
}

fn error(path: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError { path: path.into(), message: message.into() }
}

/// Whether a field says nothing.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The items of a list, each with its place.
fn items<'a>(list: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let items = list.as_array().into_iter().flatten().enumerate();
    items.map(|(i, item)| (format!("{path}[{i}]"), item)).collect()
}

/// The names in a list, each of which must be given, and once only.
fn names<'a>(list: &'a Value, path: &str, errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for (at, item) in items(list, path) {
        match item["name"].as_str().filter(|name| !name.is_empty()) {
            None => errors.push(error(at + ".name", "must be given")),
            Some(name) if !found.insert(name) => {
                errors.push(error(at + ".name", format!("{name:?} is the name of another one")));
            }
            Some(_) => {}
        }
    }
    found
}

fn batch(spec: &Value, errors: &mut Vec<FieldError>) {
    let targets = names(&spec["targets"], "spec.targets", errors);
    names(&spec["sessions"], "spec.sessions", errors);
    let backends: BTreeSet<&str> = items(&spec["backends"], "")
        .into_iter()
        .map(|(_, backend)| backend["name"].as_str().unwrap_or_default())
        .collect();
    for (session, found) in items(&spec["sessions"], "spec.sessions") {
        let path = session + ".targets";
        for name in names(&found["targets"], &path, errors) {
            if !targets.contains(name) {
                errors.push(error(&path, format!("{name:?} is no name of spec.targets")));
            }
        }
        for (target, found) in items(&found["targets"], &path) {
            for (at, repository) in items(&found["repositories"], &(target + ".repositories")) {
                let backend = repository["backend"].as_str().unwrap_or_default();
                if !backend.is_empty() && !backends.contains(backend) {
                    let message = format!("{backend:?} is no name of spec.backends");
                    errors.push(error(at + ".backend", message));
                }
            }
        }
    }
}

fn blueprint(spec: &Value, errors: &mut Vec<FieldError>) {
    let allowed = &spec["usagePolicy"]["allowedNamespaces"];
    if allowed["from"] == "Selector" && allowed["selector"].is_null() {
        let path = "spec.usagePolicy.allowedNamespaces.selector";
        errors.push(error(path, "must be given where from is \"Selector\""));
    }
    if spec["backupConfigurationTemplate"].is_null() {
        errors.push(error("spec.backupConfigurationTemplate", "must be given"));
    }
}

fn verifier(spec: &Value, errors: &mut Vec<FieldError>) {
    let always = [
        ("restoreOption", &spec["restoreOption"]),
        ("restoreOption.addonInfo", &spec["restoreOption"]["addonInfo"]),
        ("type", &spec["type"]),
    ];
    for (field, value) in always {
        if empty(value) {
            errors.push(error(format!("spec.{field}"), "must be given"));
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default();
    let needed = match kind {
        "Query" => vec![("query", &spec["query"]), ("function", &spec["function"])],
        "Script" => {
            vec![("script.location", &spec["script"]["location"]), ("function", &spec["function"])]
        }
        _ => Vec::new(),
    };
    for (field, value) in needed {
        if empty(value) {
            let message = format!("must be given where type is {kind:?}");
            errors.push(error(format!("spec.{field}"), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn is(kind: Kind, spec: Value, expected: &[&str]) {
        let found = rules(kind, &json!({ "spec": spec }));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_in_a_batch_are_unique_and_lead_somewhere() {
        let batch = json!({
            "backends": [{ "name": "main" }],
            "targets": [{ "name": "web" }, { "name": "web" }, {}],
            "sessions": [
                { "name": "a", "targets": [{ "name": "web", "repositories": [{}, { "backend": "other" }] }] },
                { "name": "a", "targets": [{ "name": "books" }] },
            ],
        });
        is(
            Kind::BackupBatch,
            batch,
            &[
                "spec.targets[1].name: \"web\" is the name of another one",
                "spec.targets[2].name: must be given",
                "spec.sessions[1].name: \"a\" is the name of another one",
                "spec.sessions[0].targets[0].repositories[1].backend: \"other\" is no name of spec.backends",
                "spec.sessions[1].targets: \"books\" is no name of spec.targets",
            ],
        );
    }

    #[test]
    fn a_blueprint_has_a_template_and_a_selector_where_one_is_meant() {
        let selector = json!({ "allowedNamespaces": { "from": "Selector" } });
        is(
            Kind::BackupBlueprint,
            json!({ "usagePolicy": selector }),
            &[
                "spec.usagePolicy.allowedNamespaces.selector: must be given where from is \"Selector\"",
                "spec.backupConfigurationTemplate: must be given",
            ],
        );
        is(Kind::BackupBlueprint, json!({ "backupConfigurationTemplate": {} }), &[]);
    }

    #[test]
    fn a_verifier_has_what_its_type_needs_and_may_have_a_schedule() {
        is(
            Kind::BackupVerifier,
            json!({}),
            &[
                "spec.restoreOption: must be given",
                "spec.restoreOption.addonInfo: must be given",
                "spec.type: must be given",
            ],
        );
        let option = json!({ "addonInfo": {} });
        is(
            Kind::BackupVerifier,
            json!({ "restoreOption": option, "type": "Query", "function": "" }),
            &[
                "spec.query: must be given where type is \"Query\"",
                "spec.function: must be given where type is \"Query\"",
            ],
        );
        is(
            Kind::BackupVerifier,
            json!({ "restoreOption": option, "type": "Script", "function": "f", "script": {} }),
            &["spec.script.location: must be given where type is \"Script\""],
        );
        let scheduler = json!({ "schedule": "0 0 * * *", "jobTemplate": {} });
        is(
            Kind::BackupVerifier,
            json!({ "restoreOption": option, "type": "RestoreOnly", "scheduler": scheduler }),
            &[],
        );
    }

    #[test]
    fn odd_shapes_are_no_reason_to_stop() {
        for kind in Kind::ALL {
            for object in [json!(null), json!({ "spec": [] }), json!({ "spec": { "targets": 1 } })]
            {
                rules(kind, &object);
            }
        }
    }
}
