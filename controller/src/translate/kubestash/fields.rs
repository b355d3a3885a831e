//! Fields that all statuses share, written as the documents show them: what is empty is left out.

use holdfast_engine::condition::Condition;
use holdfast_engine::view::hooks::{HookEntry, HookStatus};
use holdfast_engine::{Key, Timestamp, TypedRef};
use serde_json::{Map, Value, json};

/// An object under construction.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Sets a field, unless its value is null, an empty text, an empty list or an empty object.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        if !empty {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// RFC 3339 in UTC with whole seconds, as an API server writes times.
#[must_use]
pub fn time(at: Timestamp) -> Value {
    jiff::Timestamp::from_second(at.unix_seconds())
        .map_or(Value::Null, |at| Value::from(at.to_string()))
}

/// The conditions of a status.
#[must_use]
pub fn conditions(conditions: &[Condition]) -> Value {
    conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.kind.as_str(),
                "status": condition.status.as_str(),
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": time(condition.since),
            })
        })
        .collect()
}

/// `status.hooks`.
#[must_use]
pub fn hooks(hooks: Option<&HookStatus>) -> Value {
    let list = |entries: &[HookEntry]| -> Value {
        entries
            .iter()
            .map(|entry| {
                Fields::default()
                    .set("name", entry.name.clone())
                    .set("phase", entry.phase.as_str())
                    .into_value()
            })
            .collect()
    };
    let Some(hooks) = hooks else { return Value::Null };
    Fields::default()
        .set("preHooks", list(&hooks.pre))
        .set("postHooks", list(&hooks.post))
        .into_value()
}

/// A reference to an object of a known kind.
#[must_use]
pub fn reference(key: &Key) -> Value {
    Fields::default()
        .set("name", key.name.clone())
        .set("namespace", key.namespace.clone())
        .into_value()
}

/// A reference to an object of any kind.
#[must_use]
pub fn typed(reference: &TypedRef) -> Value {
    Fields::default()
        .set("apiGroup", reference.api_group.clone())
        .set("kind", reference.kind.clone())
        .set("name", reference.name.clone())
        .set("namespace", reference.namespace.clone())
        .into_value()
}

/// `status.dependencies`: the documents show kind and name, and a namespace where there is one.
#[must_use]
pub fn dependencies(dependencies: &[(TypedRef, bool)]) -> Value {
    dependencies
        .iter()
        .map(|(object, found)| {
            Fields::default()
                .set("kind", object.kind.clone())
                .set("name", object.name.clone())
                .set("namespace", object.namespace.clone())
                .set("found", *found)
                .into_value()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_out_and_false_is_not() {
        let fields =
            Fields::default().set("a", "").set("b", Value::Null).set("c", false).set("d", 0);
        assert_eq!(fields.into_value(), json!({"c": false, "d": 0}));
    }

    #[test]
    fn times_have_whole_seconds() {
        assert_eq!(time(Timestamp(1_702_890_815_999)), json!("2023-12-18T09:13:35Z"));
    }
}
