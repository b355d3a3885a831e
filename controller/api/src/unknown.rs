//! Fields that a kind does not have.

use serde_json::{Map, Value};

use crate::{Kind, schema};

/// The paths of the fields that the kind does not have, as a server with strict field validation
/// refuses them. Without it the server drops them.
pub fn unknown_fields(kind: Kind, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema::of(kind), object, "", &mut found);
    walk(schema::metadata(), &object["metadata"], "metadata", &mut found);
    found.sort();
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(properties) = schema["properties"].as_object() {
                object(properties, members, path, found);
            } else if schema["additionalProperties"].is_object() {
                for (name, member) in members {
                    let path = format!("{path}.{name}");
                    walk(&schema["additionalProperties"], member, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

fn object(
    properties: &Map<String, Value>,
    members: &Map<String, Value>,
    path: &str,
    found: &mut Vec<String>,
) {
    for (name, member) in members {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match properties.get(name) {
            Some(schema) => walk(schema, member, &path, found),
            None => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn free_objects_and_maps_are_not_looked_into() {
        let object = json!({
            "metadata": { "name": "a", "labels": { "any": "thing" } },
            "spec": {
                "sessions": [{
                    "addon": {
                        "tasks": [{ "params": { "anything": { "at": "all" } }, "parms": {} }],
                        "jobTemplate": { "spec": { "nodeSelector": { "any": "label" } } },
                    },
                    "shedule": "@daily",
                }],
            },
        });
        let found = unknown_fields(Kind::BackupConfiguration, &object);
        assert_eq!(found, ["spec.sessions[0].addon.tasks[0].parms", "spec.sessions[0].shedule"]);
    }

    #[test]
    fn members_of_maps_are_looked_into() {
        let object = json!({ "status": { "components": { "dump": { "fase": "Running" } } } });
        assert_eq!(unknown_fields(Kind::RestoreSession, &object), ["status.components.dump.fase"]);
    }

    #[test]
    fn metadata_and_the_top_are_looked_at() {
        let object = json!({
            "metadata": { "nmae": "a", "ownerReferences": [{ "name": "b", "uuid": "c" }] },
            "data": {},
            "status": {},
        });
        assert_eq!(
            unknown_fields(Kind::Addon, &object),
            ["data", "metadata.nmae", "metadata.ownerReferences[0].uuid", "status"]
        );
    }
}
