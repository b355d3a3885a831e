//! Definitions of resources, and leases.

use std::path::Path;

use holdfast_e2e::cluster::{Namespace, kubectl, with};
use serde_json::{Value, json};

/// A definition whose rules look at one field, at two, and at what an object was before.
fn definition(group: &str) -> Value {
    let rules = json!([
        { "rule": "self.least <= self.most", "message": "least is above most" },
        { "rule": "self.place == oldSelf.place", "message": "a place is for ever" },
    ]);
    let spec = json!({
        "type": "object", "required": ["least", "most", "place"], "x-kubernetes-validations": rules,
        "properties": {
            "least": { "type": "integer" }, "most": { "type": "integer" },
            "place": { "type": "string", "maxLength": 20,
                       "x-kubernetes-validations": [{ "rule": "!self.startsWith('-')" }] },
        },
    });
    let schema = json!({ "openAPIV3Schema": { "type": "object", "properties": { "spec": spec } } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("bounds.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "kind": "Bound", "plural": "bounds", "singular": "bound", "listKind": "BoundList" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": schema }],
        },
    })
}

#[test]
fn rules_of_a_resource_are_held() {
    let space = Namespace::new("rules");
    let group = format!("{}.holdfast.dev", space.name());
    kubectl(&["apply", "-f", "-"], &definition(&group).to_string()).unwrap();
    let name = format!("crd/bounds.{group}");
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &name], "").unwrap();
    let good = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Bound", "metadata": { "name": "one" },
        "spec": { "least": 1, "most": 2, "place": "here" },
    });
    space.apply(&good);
    for (place, value, word) in [
        ("/spec/least", json!(3), "least is above most"),
        ("/spec/place", json!("there"), "a place is for ever"),
        ("/spec/place", json!("-"), "startsWith"),
        ("/spec/most", json!("many"), "integer"),
    ] {
        let refused = space.try_apply(&with(good.clone(), place, value)).unwrap_err().to_string();
        assert!(refused.contains(word), "{place}: {refused}");
    }
    space.apply(&with(good, "/spec/most", json!(9)));
    kubectl(&["delete", &name], "").unwrap();
}

/// The definitions and examples that users apply are what a real server takes.
#[test]
fn our_own_definitions_and_examples_are_taken() {
    let _space = Namespace::new("definitions");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = |folder: &str| root.join(folder).to_str().unwrap().to_owned();
    let said = kubectl(&["apply", "-f", &path("deploy/crds")], "").unwrap();
    let made: Vec<_> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(made.len(), std::fs::read_dir(path("deploy/crds")).unwrap().count(), "{said}");
    let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
    kubectl(&[&wait[..], &made].concat(), "").unwrap();
    for name in &made {
        let schema = [
            "get",
            name,
            "-o",
            "jsonpath={.status.conditions[?(@.type==\"NonStructuralSchema\")].status}",
        ];
        assert_eq!(kubectl(&schema, "").unwrap(), "", "{name} has fields that are dropped");
    }
    let examples = path("docs/examples");
    let namespaces = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n";
    kubectl(&["apply", "-f", "-"], namespaces).unwrap();
    let strict =
        ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", &examples];
    let said = kubectl(&strict, "").unwrap();
    assert!(said.lines().count() >= 4, "{said}");
    kubectl(&["delete", "--wait=false", "namespace", "demo"], "").unwrap();
    kubectl(&[&["delete"][..], &made].concat(), "").unwrap();
}

/// Who wants a lease and has an old view of it does not get it.
#[test]
fn a_lease_has_one_holder() {
    let space = Namespace::new("lease");
    let lease = |holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "one" },
            "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1 },
        })
    };
    space.apply(&lease("first"));
    let seen = space.get(&["lease", "one"]).unwrap();
    let take = |holder: &str| {
        let wanted = with(seen.clone(), "/spec/holderIdentity", json!(holder));
        kubectl(&["replace", "-f", "-"], &wanted.to_string())
    };
    take("second").unwrap();
    let refused = take("third").unwrap_err().to_string();
    assert!(refused.contains("Conflict"), "{refused}");
    assert_eq!(space.get(&["lease", "one"]).unwrap()["spec"]["holderIdentity"], "second");
}
