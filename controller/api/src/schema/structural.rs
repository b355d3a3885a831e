//! From the schemas that schemars writes to structural ones.
//!
//! A structural schema has no references, no unions of types, and says of every node one type or
//! that it is an integer or a string. `null` is no type: the API server drops nulls before it looks.

use serde_json::{Map, Value};

use super::marks;

/// Prefix of the names of Kubernetes' own types.
const KUBERNETES: &str = "io.k8s.";

/// Where schemars keeps the schemas that others refer to.
const DEFINITIONS: &str = "$defs";

/// Nodes nest no deeper than this in any kind; a schema that refers to itself would.
const MAX_DEPTH: u8 = 64;

/// Puts every reference in place, and every node into its structural form.
pub fn structural(mut root: Value) -> Value {
    let definitions = root.as_object_mut().and_then(|root| root.remove(DEFINITIONS));
    let mut definitions = match definitions {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    for (name, definition) in &mut definitions {
        if name.starts_with(KUBERNETES) {
            marks::mark(name, definition);
        }
    }
    node(root, &Scope { definitions: &definitions, kubernetes: false, depth: 0 })
}

#[derive(Clone, Copy)]
struct Scope<'a> {
    definitions: &'a Map<String, Value>,
    /// Inside one of Kubernetes' own types, whose descriptions would be most of a definition's size.
    kubernetes: bool,
    depth: u8,
}

fn node(schema: Value, scope: &Scope<'_>) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if scope.depth == MAX_DEPTH {
        return Value::Object(Map::new());
    }
    unwrap_option(&mut schema);
    if let Some(Value::String(reference)) = schema.remove("$ref") {
        return follow(&reference, schema, scope);
    }
    constants_to_enum(&mut schema);
    for key in ["$schema", "title"] {
        schema.remove(key);
    }
    if scope.kubernetes {
        schema.remove("description");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    let scope = Scope { depth: scope.depth + 1, ..*scope };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            *property = node(property.take(), &scope);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = schema.get_mut(key) {
            *child = node(child.take(), &scope);
        }
    }
    Value::Object(schema)
}

/// The definition that a reference names; what stands beside the reference wins.
fn follow(reference: &str, beside: Map<String, Value>, scope: &Scope<'_>) -> Value {
    let name = reference.rsplit('/').next().unwrap_or_default();
    let Some(definition) = scope.definitions.get(name) else { return Value::Object(beside) };
    let inner = Scope {
        kubernetes: scope.kubernetes || name.starts_with(KUBERNETES),
        depth: scope.depth + 1,
        ..*scope
    };
    let mut schema = node(definition.clone(), &inner);
    if let Some(schema) = schema.as_object_mut() {
        for (key, value) in beside {
            if !(scope.kubernetes && key == "description") {
                schema.insert(key, value);
            }
        }
    }
    schema
}

/// schemars writes an `Option` as a union with null.
fn unwrap_option(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get("type") {
        let one = types.iter().find(|t| t.as_str() != Some("null")).cloned();
        if let Some(one) = one {
            schema.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(members)) = schema.get("anyOf") else { return };
    let is_null = |member: &Value| member["type"] == "null";
    if members.len() != 2 || !members.iter().any(is_null) {
        return;
    }
    let inner = members.iter().find(|m| !is_null(m)).cloned();
    schema.remove("anyOf");
    if let Some(Value::Object(inner)) = inner {
        for (key, value) in inner {
            schema.entry(key).or_insert(value);
        }
    }
}

/// schemars writes an enum whose variants are described as a union of constants.
fn constants_to_enum(schema: &mut Map<String, Value>) {
    let Some(Value::Array(members)) = schema.get("oneOf") else { return };
    let values: Vec<Value> = members.iter().filter_map(|m| m.get("const").cloned()).collect();
    if values.len() != members.len() {
        return;
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), Value::from("string"));
    schema.insert("enum".to_owned(), Value::Array(values));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_optional_reference_becomes_what_it_refers_to() {
        let root = json!({
            "type": "object",
            "title": "Root",
            "properties": {
                "part": {
                    "description": "Its part.",
                    "anyOf": [{ "$ref": "#/$defs/Part" }, { "type": "null" }],
                },
                "size": { "type": ["integer", "null"], "format": "int32", "default": null },
            },
            "$defs": { "Part": { "type": "string", "description": "A part." } },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "part": { "type": "string", "description": "Its part." },
                "size": { "type": "integer", "format": "int32" },
            },
        });
        assert_eq!(structural(root), expected);
    }

    #[test]
    fn constants_with_descriptions_become_an_enum() {
        let root = json!({ "oneOf": [
            { "const": "A", "type": "string", "description": "First." },
            { "const": "B", "type": "string" },
        ] });
        assert_eq!(structural(root), json!({ "type": "string", "enum": ["A", "B"] }));
    }

    #[test]
    fn kubernetes_types_lose_their_descriptions() {
        let root = json!({
            "properties": { "exec": { "$ref": "#/$defs/io.k8s.api.core.v1.ExecAction", "description": "Ours." } },
            "$defs": { "io.k8s.api.core.v1.ExecAction": {
                "type": "object",
                "description": "Theirs.",
                "properties": { "command": {
                    "type": "array",
                    "description": "Theirs.",
                    "items": { "type": "string" },
                } },
            } },
        });
        let expected = json!({
            "type": "object",
            "description": "Ours.",
            "properties": { "command": {
                "type": "array",
                "items": { "type": "string" },
                "x-kubernetes-list-type": "atomic",
            } },
        });
        assert_eq!(structural(root)["properties"]["exec"], expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let root = json!({
            "$ref": "#/$defs/Tree",
            "$defs": { "Tree": {
                "type": "object",
                "properties": { "child": { "$ref": "#/$defs/Tree" } },
            } },
        });
        let text = structural(root).to_string();
        assert!(!text.contains("$ref") && text.len() < 10_000, "{}", text.len());
    }
}
