//! Whether an object has the form that the schema of its kind asks for.

use std::fmt;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::{Kind, schema};

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where it stands, such as `spec.sessions[0].name`.
    pub path: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for FieldError {}

/// What is wrong with the fields of an object: types, required fields, enums, bounds and formats, and
/// that it says its kind and name. Nulls count as absent, unknown fields are not looked at.
pub fn validate(kind: Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, expected) in [("apiVersion", kind.api_version()), ("kind", kind.name().to_owned())] {
        if object[name].as_str() != Some(&expected) {
            errors.push(error(name, format!("must be {expected:?}")));
        }
    }
    node(schema::of(kind), object, String::new(), &mut errors);
    let metadata = &object["metadata"];
    if metadata.is_object() {
        node(schema::metadata(), metadata, "metadata".to_owned(), &mut errors);
    }
    names(metadata, &mut errors);
    errors
}

fn error(path: &str, message: impl Into<String>) -> FieldError {
    FieldError { path: path.to_owned(), message: message.into() }
}

/// A name is a DNS subdomain, a namespace a DNS label (RFC 1123), as the API server asks for.
fn names(metadata: &Value, errors: &mut Vec<FieldError>) {
    let given = |field: &str| metadata[field].as_str().filter(|text| !text.is_empty());
    match given("name") {
        Some(name) if !is_subdomain(name) => errors.push(error(
            "metadata.name",
            format!(
                "must be at most {SUBDOMAIN_MAX_BYTES} lower-case letters, digits, '-' and '.', with a \
                 letter or digit at the ends and beside each '.', not {name:?}"
            ),
        )),
        None if given("generateName").is_none() => {
            errors.push(error("metadata.name", "must be given, unless there is a generateName"));
        }
        _ => {}
    }
    if let Some(namespace) = given("namespace")
        && !is_label(namespace)
    {
        let message = format!(
            "must be at most {LABEL_MAX_BYTES} lower-case letters, digits and '-', with a letter or \
             digit at the ends, not {namespace:?}"
        );
        errors.push(error("metadata.namespace", message));
    }
}

/// Longest name of an object (RFC 1123).
const SUBDOMAIN_MAX_BYTES: usize = 253;

/// Longest name of a namespace (RFC 1123).
const LABEL_MAX_BYTES: usize = 63;

fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_MAX_BYTES && text.split('.').all(is_dns_part)
}

fn is_label(text: &str) -> bool {
    text.len() <= LABEL_MAX_BYTES && is_dns_part(text)
}

fn is_dns_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn node(schema: &Value, value: &Value, path: String, errors: &mut Vec<FieldError>) {
    let wrong = if schema["x-kubernetes-int-or-string"] == true {
        int_or_string(schema, value)
    } else {
        scalar(schema, value)
    };
    if let Some(message) = wrong {
        errors.push(FieldError { path, message });
        return;
    }
    match value {
        Value::Object(_) => members(schema, value, &path, errors),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                node(&schema["items"], item, format!("{path}[{i}]"), errors);
            }
        }
        _ => {}
    }
}

fn members(schema: &Value, object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if object[name].is_null() {
            errors.push(FieldError { path: join(name), message: "must be given".to_owned() });
        }
    }
    let present = object.as_object().into_iter().flatten().filter(|(_, member)| !member.is_null());
    for (name, member) in present {
        if let Some(schema) = schema["properties"].get(name) {
            node(schema, member, join(name), errors);
        } else if schema["additionalProperties"].is_object() {
            node(&schema["additionalProperties"], member, join(name), errors);
        }
    }
}

/// What is wrong with a value of one type, its content aside.
fn scalar(schema: &Value, value: &Value) -> Option<String> {
    let expected = schema["type"].as_str()?;
    let fits = match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    if !fits {
        return Some(format!("must be {}, not {}", article(expected), name_of(value)));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        return Some(format!("must be one of {}, not {value}", choices.join(", ")));
    }
    if let (Some(minimum), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < minimum
    {
        return Some(format!("must be at least {minimum}, not {value}"));
    }
    format(schema["format"].as_str()?, value)
}

fn format(format: &str, value: &Value) -> Option<String> {
    match (format, value) {
        ("int32", value) => {
            let fits = value.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            (!fits).then(|| format!("must fit into 32 bits, not {value}"))
        }
        ("int64", value) => {
            (!value.is_i64()).then(|| format!("must fit into 64 bits, not {value}"))
        }
        ("date-time", Value::String(text)) => text
            .parse::<Timestamp>()
            .is_err()
            .then(|| format!("must be a time such as \"2026-01-31T08:00:00Z\", not {text:?}")),
        _ => None,
    }
}

fn int_or_string(schema: &Value, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if schema["pattern"].is_string() && !is_quantity(text) => {
            Some(format!("must be a quantity such as \"500m\" or \"1Gi\", not {text:?}"))
        }
        Value::String(_) => None,
        Value::Number(number) if number.is_i64() || number.is_u64() => None,
        _ => Some(format!("must be an integer or a string, not {}", name_of(value))),
    }
}

/// Whether a text is a quantity of Kubernetes: a decimal number with a unit or an exponent.
/// Quantities are the only strings to which the schemas give a pattern.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, unit) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return false;
    }
    const UNITS: [&str; 15] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi"];
    if UNITS.contains(&unit) || unit == "Ei" {
        return true;
    }
    unit.strip_prefix(['e', 'E']).is_some_and(is_decimal)
}

/// A decimal number, with a sign and a fraction if it likes.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction)
}

fn article(expected: &str) -> String {
    match expected {
        "boolean" => "true or false".to_owned(),
        "object" | "array" | "integer" => format!("an {expected}"),
        _ => format!("a {expected}"),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(kind: Kind, spec: Value) -> Vec<String> {
        let object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.name(),
            "metadata": { "name": "a" },
            "spec": spec,
        });
        validate(kind, &object).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn configuration(session: Value, expected: &str) {
        let found = errors(Kind::BackupConfiguration, json!({ "sessions": [session] }));
        assert_eq!(found, [format!("spec.sessions[0].{expected}")]);
    }

    #[test]
    fn an_error_names_the_field_and_what_would_be_right() {
        configuration(json!({ "name": 4 }), "name: must be a string, not a number");
        configuration(
            json!({ "scheduler": { "jobTemplate": {} } }),
            "scheduler.schedule: must be given",
        );
        configuration(
            json!({ "retryConfig": { "maxRetry": 0 } }),
            "retryConfig.maxRetry: must be at least 1, not 0",
        );
        configuration(
            json!({ "sessionHistoryLimit": 3_000_000_000_u64 }),
            "sessionHistoryLimit: must fit into 32 bits, not 3000000000",
        );
        configuration(
            json!({ "repositories": [{}, { "deletionPolicy": "Wipeout" }] }),
            "repositories[1].deletionPolicy: must be one of \"Delete\", \"WipeOut\", \"Retain\", \
             not \"Wipeout\"",
        );
        configuration(
            json!({ "repositories": {} }),
            "repositories: must be an array, not an object",
        );
        configuration(
            json!({ "addon": { "tasks": [7] } }),
            "addon.tasks[0]: must be an object, not a number",
        );
        configuration(
            json!({ "addon": { "jobTemplate": { "spec": { "nodeSelector": { "a": true } } } } }),
            "addon.jobTemplate.spec.nodeSelector.a: must be a string, not a boolean",
        );
    }

    #[test]
    fn times_are_checked() {
        let found = errors(
            Kind::RestoreSession,
            json!({ "dataSource": { "pitr": { "targetTime": "yesterday" } } }),
        );
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("spec.dataSource.pitr.targetTime: must be a time such as"));
    }

    #[test]
    fn null_counts_as_absent() {
        assert_eq!(errors(Kind::BackupConfiguration, json!({ "target": null })), [""; 0]);
        configuration(
            json!({ "scheduler": { "schedule": null, "jobTemplate": {} } }),
            "scheduler.schedule: must be given",
        );
    }

    #[test]
    fn an_object_must_say_its_kind_and_name() {
        let found = validate(Kind::Addon, &json!({ "kind": "Function", "metadata": {} }));
        let paths: Vec<&str> = found.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(paths, ["apiVersion", "kind", "metadata.name"]);
        let generated = addon(&json!({ "generateName": "a-" }));
        assert_eq!(validate(Kind::Addon, &generated), []);
    }

    #[test]
    fn names_are_those_of_dns() {
        let long = "a".repeat(254);
        for (metadata, path) in [
            (json!({ "name": "Upper" }), "metadata.name"),
            (json!({ "name": "a..b" }), "metadata.name"),
            (json!({ "name": "a.-b" }), "metadata.name"),
            (json!({ "name": "a_b" }), "metadata.name"),
            (json!({ "name": long }), "metadata.name"),
            (json!({ "name": "a", "namespace": "a.b" }), "metadata.namespace"),
            (json!({ "name": "a", "namespace": "a".repeat(64) }), "metadata.namespace"),
            (json!({ "name": "a", "labels": { "app": 1 } }), "metadata.labels.app"),
            (json!({ "name": 1 }), "metadata.name"),
        ] {
            let found = validate(Kind::Addon, &addon(&metadata));
            assert_eq!(found.first().map(|e| e.path.as_str()), Some(path), "{metadata}");
        }
        for metadata in [json!({ "name": "a.b-c.9", "namespace": "a-1" }), json!({ "name": "0" })] {
            assert_eq!(validate(Kind::Addon, &addon(&metadata)), [], "{metadata}");
        }
    }

    fn addon(metadata: &Value) -> Value {
        json!({
            "apiVersion": "addons.kubestash.com/v1alpha1",
            "kind": "Addon",
            "metadata": metadata,
        })
    }

    #[test]
    fn what_is_no_object_is_one_error() {
        for value in [json!(null), json!([]), json!("text")] {
            let found = validate(Kind::Snapshot, &value);
            assert!(found.iter().any(|e| e.path.is_empty()), "{value}: {found:?}");
        }
    }

    #[test]
    fn ports_and_quantities_are_integers_or_strings() {
        let port = |port: Value| {
            errors(Kind::HookTemplate, json!({ "action": { "tcpSocket": { "port": port } } }))
        };
        assert_eq!(port(json!(80)), [""; 0]);
        assert_eq!(port(json!("web")), [""; 0]);
        assert_eq!(
            port(json!(1.5)),
            ["spec.action.tcpSocket.port: must be an integer or a string, not a number"]
        );
        let cpu = json!({ "runtimeSettings": { "resources": { "limits": { "cpu": "lots" } } } });
        assert_eq!(
            errors(Kind::Function, cpu),
            ["spec.runtimeSettings.resources.limits.cpu: must be a quantity such as \"500m\" or \
              \"1Gi\", not \"lots\""]
        );
    }

    #[test]
    fn quantities() {
        for text in ["1", "+1", "-0.5", ".5", "5.", "500m", "1Gi", "1.5Ei", "1e3", "1E-3", "12k"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", ".", "Gi", "1 Gi", "1gi", "1K", "1e", "1.2.3", "--1", "1Gib", "1Zi"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
