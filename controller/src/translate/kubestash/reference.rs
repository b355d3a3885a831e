//! References, completed with the namespace of the object that holds them.

use holdfast_api::references::{ObjectReference, TypedReference};
use holdfast_engine::{Group, Key, TypedRef};

/// An object of a known kind, and with it of a known group.
#[must_use]
pub fn key(group: Group, reference: &ObjectReference, home: &str) -> Key {
    Key::new(group, or_home(reference.namespace.as_deref(), home), reference.name.clone())
}

/// An object of any kind.
#[must_use]
pub fn typed(reference: &TypedReference, home: &str) -> TypedRef {
    TypedRef {
        api_group: reference.api_group.clone().unwrap_or_default(),
        kind: reference.kind.clone().unwrap_or_default(),
        namespace: or_home(reference.namespace.as_deref(), home).to_owned(),
        name: reference.name.clone(),
    }
}

fn or_home<'a>(namespace: Option<&'a str>, home: &'a str) -> &'a str {
    namespace.filter(|text| !text.is_empty()).unwrap_or(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_or_empty_namespace_is_the_holders() {
        for (given, expected) in [(None, "demo"), (Some(""), "demo"), (Some("other"), "other")] {
            let reference = ObjectReference { namespace: given.map(Into::into), name: "a".into() };
            assert_eq!(key(Group::Core, &reference, "demo"), Key::core(expected, "a"));
        }
    }
}
