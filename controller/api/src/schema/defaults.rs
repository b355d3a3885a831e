//! Defaults, as the API server fills them in.

use serde_json::{Map, Value};

use crate::Kind;

/// Fills in the defaults that the schema of the kind declares, as the API server does when it reads
/// an object. Nulls are dropped on the way, but for those in free objects, which are the author's own.
/// An object that is absent gets none of its fields.
pub fn fill(kind: Kind, object: &mut Value) {
    walk(super::of(kind), object);
}

fn walk(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(properties) = schema["properties"].as_object() {
                members.retain(|_, member| !member.is_null());
                object(properties, members);
            } else if schema["additionalProperties"].is_object() {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(|m| walk(&schema["additionalProperties"], m));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(&schema["items"], item)),
        _ => {}
    }
}

fn object(properties: &Map<String, Value>, members: &mut Map<String, Value>) {
    for (name, schema) in properties {
        if let Some(default) = schema.get("default")
            && !members.contains_key(name)
        {
            members.insert(name.clone(), default.clone());
        }
        if let Some(member) = members.get_mut(name) {
            walk(schema, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(kind: Kind, mut object: Value) -> Value {
        fill(kind, &mut object);
        object
    }

    #[test]
    fn a_default_is_filled_in_only_where_its_object_is() {
        let with = filled(
            Kind::BackupConfiguration,
            json!({ "spec": { "sessions": [{ "retryConfig": {} }, { "sessionHistoryLimit": 4 }] } }),
        );
        assert_eq!(
            with["spec"]["sessions"],
            json!([
                { "retryConfig": { "maxRetry": 1 }, "sessionHistoryLimit": 1 },
                { "sessionHistoryLimit": 4 },
            ])
        );
        assert_eq!(filled(Kind::RetentionPolicy, json!({})), json!({}));
    }

    #[test]
    fn a_null_gives_way_to_the_default() {
        let storage = filled(Kind::BackupStorage, json!({ "spec": { "deletionPolicy": null } }));
        assert_eq!(storage["spec"], json!({ "deletionPolicy": "Delete" }));
    }

    #[test]
    fn an_object_without_a_status_was_not_looked_at() {
        let unseen = json!({ "observedGeneration": -1 });
        for kind in Kind::ALL {
            let has_status = super::super::of(kind)["properties"]["status"].is_object();
            let expected = if has_status { unseen.clone() } else { Value::Null };
            assert_eq!(filled(kind, json!({}))["status"], expected, "{}", kind.name());
            if has_status {
                let partly = filled(kind, json!({ "status": { "conditions": [] } }));
                assert_eq!(partly["status"]["observedGeneration"], -1, "{}", kind.name());
            }
        }
    }

    #[test]
    fn what_is_free_stays_as_it_is() {
        let object = json!({
            "spec": { "sessions": [{ "addon": { "tasks": [{ "params": { "db": 1, "no": null } }] } }] },
        });
        let filled = filled(Kind::BackupConfiguration, object);
        let task = &filled["spec"]["sessions"][0]["addon"]["tasks"][0];
        assert_eq!(task, &json!({ "params": { "db": 1, "no": null } }));
    }
}
