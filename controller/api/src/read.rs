//! From JSON to a type.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{FieldError, Kind, aliases, schema, validate};

/// Why an object could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// It is of no kind of the family.
    UnknownKind {
        /// What `apiVersion` said.
        api_version: String,
        /// What `kind` said.
        kind: String,
    },
    /// Some of its fields do not have the form that the schema asks for.
    Fields {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What is wrong, field by field.
        errors: Vec<FieldError>,
    },
    /// It has the form that the schema asks for, but not the one of the type.
    Shape {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// What the type does not take.
        source: serde_json::Error,
    },
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownKind { api_version, kind } => {
                write!(f, "apiVersion {api_version:?} and kind {kind:?} name no kind of KubeStash")
            }
            Self::Fields { kind, name, errors } => {
                write!(f, "{} {name:?} is not valid: ", kind.name())?;
                for (i, error) in errors.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "; " };
                    write!(f, "{separator}{error}")?;
                }
                Ok(())
            }
            Self::Shape { kind, name, .. } => {
                write!(f, "{} {name:?} does not have the form of its kind", kind.name())
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Shape { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Reads an object as an API server would hand it out: nulls are dropped, defaults filled in, and
/// the values of older fields are found in the newer ones.
///
/// # Errors
///
/// [`ReadError`] names the fields that are wrong. Unknown fields are not: see
/// [`unknown_fields`](crate::unknown_fields).
pub fn read<T: DeserializeOwned>(object: &Value) -> Result<T, ReadError> {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let Some(kind) = Kind::of(object) else {
        let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        return Err(ReadError::UnknownKind { api_version, kind });
    };
    let name = text(&object["metadata"]["name"]);
    let errors = validate(kind, object);
    if !errors.is_empty() {
        return Err(ReadError::Fields { kind, name, errors });
    }
    let mut object = object.clone();
    aliases::modernize(&mut object);
    schema::defaults::fill(kind, &mut object);
    if let Value::Object(members) = &mut object {
        // The types ask for a spec; the schemas do not.
        members.entry("spec").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    serde_json::from_value(object).map_err(|source| ReadError::Shape { kind, name, source })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::RestoreSession;
    use crate::storage::RetentionPolicy;

    fn policy(spec: Value) -> Value {
        json!({
            "apiVersion": "storage.kubestash.com/v1alpha1",
            "kind": "RetentionPolicy",
            "metadata": { "name": "short" },
            "spec": spec,
        })
    }

    #[test]
    fn defaults_are_filled_in_and_nulls_dropped() {
        let object = policy(json!({ "failedSnapshots": {}, "usagePolicy": null }));
        let policy: RetentionPolicy = read(&object).unwrap();
        assert_eq!(policy.spec.failed_snapshots.unwrap().last, Some(1));
        assert_eq!(policy.spec.usage_policy, None);
    }

    #[test]
    fn a_spec_may_be_absent() {
        let mut object = policy(json!(null));
        assert_eq!(read::<RetentionPolicy>(&object).unwrap().spec, Default::default());
        object.as_object_mut().unwrap().remove("spec");
        assert_eq!(read::<RetentionPolicy>(&object).unwrap().spec, Default::default());
    }

    #[test]
    fn every_wrong_field_is_named_as_its_author_wrote_it() {
        let object = json!({
            "apiVersion": "core.kubestash.com/v1alpha1",
            "kind": "RestoreSession",
            "metadata": { "name": "back" },
            "spec": { "timeout": 5, "dataSource": { "components": "all" } },
        });
        let error = read::<RestoreSession>(&object).unwrap_err();
        assert_eq!(
            error.to_string(),
            "RestoreSession \"back\" is not valid: spec.dataSource.components: must be an array, not \
             a string; spec.timeout: must be a string, not a number"
        );
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        let error =
            read::<RetentionPolicy>(&json!({ "apiVersion": "v1", "kind": "Pod" })).unwrap_err();
        assert_eq!(
            error.to_string(),
            "apiVersion \"v1\" and kind \"Pod\" name no kind of KubeStash"
        );
    }
}
