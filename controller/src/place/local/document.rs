//! Descriptions that lie beside the data, as YAML.

use holdfast_engine::Failure;
use holdfast_engine::plan::Description;
use holdfast_engine::view::object::Object;
use serde_json::{Value, json};

use crate::translate::kubestash::{backup_storage, fields, object};

/// `metadata.yaml` of a storage.
pub(super) fn backend(storage: &Description) -> Result<String, Failure> {
    yaml(&json!({
        "apiVersion": "config.kubestash.com/v1alpha1",
        "kind": "BackendMeta",
        "creationTimestamp": fields::time(storage.created_at),
        "operatorVersion": env!("CARGO_PKG_VERSION"),
        "repositories": backup_storage::repositories(&storage.status.repositories),
    }))
}

/// `repository.yaml`, or `snapshots/<name>.yaml`.
pub(super) fn of(object: &Object) -> Result<String, Failure> {
    yaml(&object::render(object, None).object)
}

/// YAML that readers of YAML 1.1 understand as it is meant.
pub(super) fn yaml(object: &Value) -> Result<String, Failure> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, object, options).map_err(|error| {
        Failure {
            reason: "Internal".into(),
            message: format!("an object cannot be written as YAML: {error}"),
            permanent: true,
        }
    })?;
    Ok(text)
}
