//! Descriptions that lie beside the data, as YAML.

use holdfast_engine::storage::state::Storage;
use holdfast_engine::{Failure, State, StreamKind, Uid, view};
use serde_json::{Value, json};

use crate::translate::kubestash::{backup_storage, fields, object};

/// `repository.yaml`.
pub(super) fn repository(state: &State, uid: Uid) -> Result<String, Failure> {
    of(state, StreamKind::Repository, uid)
}

/// `snapshots/<name>.yaml`.
pub(super) fn snapshot(state: &State, uid: Uid) -> Result<String, Failure> {
    of(state, StreamKind::Snapshot, uid)
}

/// `metadata.yaml` of a storage.
pub(super) fn backend(state: &State, storage: &Storage) -> Result<String, Failure> {
    let view = view::storage::status(state, storage);
    yaml(&json!({
        "apiVersion": "config.kubestash.com/v1alpha1",
        "kind": "BackendMeta",
        "creationTimestamp": fields::time(storage.created_at),
        "operatorVersion": env!("CARGO_PKG_VERSION"),
        "repositories": backup_storage::repositories(&view.repositories),
    }))
}

fn of(state: &State, kind: StreamKind, uid: Uid) -> Result<String, Failure> {
    let published = object::published(state, kind, uid, |_, _| None).ok_or_else(|| Failure {
        reason: "ObjectGone".into(),
        message: "the object is not known any more".into(),
        permanent: true,
    })?;
    yaml(&published.object)
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
