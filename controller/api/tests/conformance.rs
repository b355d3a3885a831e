//! The structure of the schemas against that of the reference, node by node.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use holdfast_api::{Kind, aliases, schema};
use serde_json::{Value, json};

/// What is looked at of a node beside its children; all else of a reference node is data of ours too.
const DESCRIPTION: &str = "description";

/// The reference keeps its rules in webhooks; tests/validations.rs holds ours.
const RULES: &str = "x-kubernetes-validations";

type Nodes = BTreeMap<String, String>;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/conformance/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The subtrees that occur more than once, by their tag.
fn shared() -> BTreeMap<String, Vec<(String, String)>> {
    let mut trees: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut tag = String::new();
    for line in fixture("shared").lines() {
        match line.strip_prefix('@') {
            Some(name) => tag = name.to_owned(),
            None => trees.entry(tag.clone()).or_default().push(split(line)),
        }
    }
    trees
}

fn split(line: &str) -> (String, String) {
    let (path, rest) = line.split_once(' ').unwrap();
    (if path == "." { String::new() } else { path.to_owned() }, rest.to_owned())
}

fn expand(
    lines: &[(String, String)],
    at: &str,
    trees: &BTreeMap<String, Vec<(String, String)>>,
    nodes: &mut Nodes,
) {
    for (path, rest) in lines {
        let path = format!("{at}{path}");
        match rest.strip_prefix('@') {
            Some(tag) => expand(&trees[tag], &path, trees, nodes),
            None => assert!(nodes.insert(path.clone(), rest.clone()).is_none(), "{path} twice"),
        }
    }
}

/// The head line and the nodes of the reference.
fn reference(kind: Kind) -> (Value, Nodes) {
    let text = fixture(&format!("{}.{}", kind.plural(), kind.group()));
    let (head, body) = text.split_once('\n').unwrap();
    let lines: Vec<_> = body.lines().map(split).collect();
    let mut nodes = Nodes::new();
    expand(&lines, "", &shared(), &mut nodes);
    (serde_json::from_str(head.strip_prefix("# ").unwrap()).unwrap(), nodes)
}

fn flatten(schema: &Value, path: &str, nodes: &mut Nodes) {
    let mut line = schema["type"].as_str().unwrap_or("any").to_owned();
    for (key, value) in schema.as_object().unwrap() {
        let child = value.is_object()
            && matches!(key.as_str(), "properties" | "items" | "additionalProperties");
        if child || key == "type" || key == DESCRIPTION || key == RULES {
            continue;
        }
        let mut value = value.clone();
        if let ("required" | "enum", Value::Array(items)) = (key.as_str(), &mut value) {
            items.sort_by_key(Value::to_string);
        }
        line.push_str(&format!(" {key}={value}"));
    }
    nodes.insert(path.to_owned(), line);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        flatten(property, &format!("{path}.{name}"), nodes);
    }
    if schema["items"].is_object() {
        flatten(&schema["items"], &format!("{path}[]"), nodes);
    }
    if schema["additionalProperties"].is_object() {
        flatten(&schema["additionalProperties"], &format!("{path}{{}}"), nodes);
    }
}

/// Differences that are meant, each with its reason.
fn allowed(kind: Kind) -> BTreeSet<String> {
    // Older spellings are declared, so that an API server keeps them.
    let mut paths: BTreeSet<String> = aliases::declared(kind).into_iter().collect();
    if schema::of(kind)["properties"]["status"].is_object() {
        // The generation that a status is about, -1 before the first look: the status and this field
        // of it have a default, which the reference does not have.
        paths.insert(".status".to_owned());
        paths.insert(".status.observedGeneration".to_owned());
    }
    if kind == Kind::Addon {
        // The reference gives the same seven drivers twice, in two orders; once is the same.
        paths.insert(".spec.backupTasks[].driver".to_owned());
        paths.insert(".spec.restoreTasks[].driver".to_owned());
    }
    paths
}

fn differences(kind: Kind) -> Vec<String> {
    let (_, reference) = reference(kind);
    let mut ours = Nodes::new();
    flatten(schema::of(kind), "", &mut ours);
    let allowed = allowed(kind);
    let paths: BTreeSet<&String> = reference.keys().chain(ours.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        let (theirs, own) = (reference.get(path), ours.get(path));
        let none = "absent".to_owned();
        if theirs != own && !allowed.contains(path) {
            let (theirs, own) = (theirs.unwrap_or(&none), own.unwrap_or(&none));
            found.push(format!("{path}: reference {theirs}, ours {own}"));
        } else if theirs == own && allowed.contains(path) {
            found.push(format!("{path}: allowed to differ, and does not"));
        }
    }
    found
}

#[test]
fn every_node_of_every_schema_is_that_of_the_reference() {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.extend(differences(kind).into_iter().map(|d| format!("{}{d}", kind.name())));
    }
    assert!(all.is_empty(), "{} differences\n{}", all.len(), all.join("\n"));
}

#[test]
fn names_columns_and_subresources_are_those_of_the_reference() {
    for kind in Kind::ALL {
        let crd = serde_json::to_value(holdfast_api::crds::crd(kind)).unwrap();
        let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
        let mut names = spec["names"].clone();
        if let Some(names) = names.as_object_mut() {
            names.retain(|_, value| value != &json!([]));
            names.insert("listKind".to_owned(), json!(format!("{}List", kind.name())));
        }
        let subresources = match &version["subresources"] {
            Value::Null => json!({}),
            some => some.clone(),
        };
        let ours = json!({
            "group": spec["group"],
            "names": names,
            "scope": spec["scope"],
            "labels": crd["metadata"]["labels"],
            "version": version["name"],
            "subresources": subresources,
            "columns": version["additionalPrinterColumns"],
        });
        assert_eq!(ours, reference(kind).0, "{}", kind.name());
    }
}
