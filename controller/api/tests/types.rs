//! The types against the schemas: what a schema declares is a field of the type, and what a schema
//! accepts the type reads.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod kinds;

use holdfast_api::{Kind, aliases, schema, unknown_fields, validate};
use kinds::{refusal, strip, through_type};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Fields of Kubernetes that are newer than its Rust types. Users' objects travel as JSON, so nothing
/// is lost by it.
const NEWER: [&str; 3] = ["fileKeyRef", "podCertificate", "restartPolicyRules"];

/// An object that the schema accepts. `choose` says whether a field that may be absent is given, and
/// how many items a list has.
fn instance(node: &Value, path: &str, choose: &mut dyn FnMut(&str, usize) -> usize) -> Value {
    if node["x-kubernetes-int-or-string"] == true {
        let quantity = node["pattern"].is_string();
        return if quantity {
            json!("500m")
        } else {
            [json!(80), json!("web")][choose(path, 2)].clone()
        };
    }
    if let Some(values) = node["enum"].as_array() {
        return values[choose(path, values.len())].clone();
    }
    match (node["type"].as_str().unwrap(), node["format"].as_str()) {
        ("string", Some("date-time")) => json!("2026-01-31T08:00:00Z"),
        ("string", _) => json!(["", "text", "${variable}"][choose(path, 3)]),
        ("boolean", _) => json!(choose(path, 2) == 1),
        ("integer", _) => json!(1 + choose(path, 3)),
        ("number", _) => json!(1.5),
        ("array", _) => {
            let count = choose(path, 3);
            let path = format!("{path}[]");
            (0..count).map(|_| instance(&node["items"], &path, choose)).collect()
        }
        _ => members(node, path, choose),
    }
}

fn members(node: &Value, path: &str, choose: &mut dyn FnMut(&str, usize) -> usize) -> Value {
    if node["additionalProperties"].is_object() {
        let path = format!("{path}{{}}");
        return json!({ "member": instance(&node["additionalProperties"], &path, choose) });
    }
    let Some(properties) = node["properties"].as_object() else {
        return json!({ "free": [1, {}] });
    };
    let required: Vec<&str> =
        node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut object = Map::new();
    for (name, property) in properties {
        let path = format!("{path}.{name}");
        if required.contains(&name.as_str()) || choose(&path, 2) == 1 {
            object.insert(name.clone(), instance(property, &path, choose));
        }
    }
    Value::Object(object)
}

fn dressed(kind: Kind, mut object: Value) -> Value {
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.name());
    object["metadata"] = json!({ "name": "some" });
    object
}

/// An object in which every field is given and every list has an item.
fn full(kind: Kind) -> Value {
    let older = aliases::declared(kind);
    let mut choose = |path: &str, choices: usize| {
        let newer = NEWER.iter().any(|field| path.ends_with(&format!(".{field}")));
        if newer || older.iter().any(|alias| alias == path) { 0 } else { choices.min(2) - 1 }
    };
    dressed(kind, instance(schema::of(kind), "", &mut choose))
}

#[test]
fn a_full_object_is_valid_and_survives_its_type_field_for_field() {
    for kind in Kind::ALL {
        let object = full(kind);
        assert_eq!(validate(kind, &object), [], "{}", kind.name());
        assert_eq!(unknown_fields(kind, &object), [""; 0], "{}", kind.name());
        let through = through_type(kind, &object);
        let lost = first_difference(&object, &through, String::new());
        assert_eq!(lost, None, "{}", kind.name());
    }
}

fn first_difference(a: &Value, b: &Value, path: String) -> Option<String> {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            left.keys().chain(right.keys()).find_map(|name| {
                let (left, right) = (left.get(name), right.get(name));
                let none = Value::Null;
                let (left, right) = (left.unwrap_or(&none), right.unwrap_or(&none));
                first_difference(left, right, format!("{path}.{name}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.into_iter().find_map(|(i, (l, r))| first_difference(l, r, format!("{path}[{i}]")))
        }
        _ => (a != b).then(|| format!("{path}: {a} became {b}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    /// Whatever the schema accepts, older spellings and newer fields included, can be read.
    #[test]
    fn what_the_schema_accepts_the_type_reads(seed in any::<u64>(), which in 0..Kind::ALL.len()) {
        let kind = Kind::ALL[which];
        let mut state = seed;
        // Far down the chance of a field shrinks, or every object would be a full one.
        let mut choose = |path: &str, choices: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let depth = path.matches('.').count() as u64;
            let roll = (state >> 33) % (choices as u64 + depth / 2);
            if roll < choices as u64 { roll as usize } else { 0 }
        };
        let object = dressed(kind, instance(schema::of(kind), "", &mut choose));
        prop_assert_eq!(validate(kind, &object), []);
        prop_assert_eq!(unknown_fields(kind, &object), Vec::<String>::new());
        let refusal = refusal(kind, &object).map(|error| format!("{error}: {error:?}"));
        prop_assert_eq!(refusal, None);
        prop_assert_eq!(strip(object.clone()), object);
    }
}
