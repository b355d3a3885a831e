//! Whole objects, as an API server would hand them out: what was declared or made, with its status.

use std::collections::BTreeMap;

use holdfast_api::labels::{self, Owner};
use holdfast_api::{Kind, kind, labels::FINALIZER};
use holdfast_engine::condition::Status;
use holdfast_engine::snapshot::state::Snapshot;
use holdfast_engine::view::object::{
    self as view, BackupObject, ConfigurationObject, Object, RepositoryObject, RestoreObject,
    SnapshotObject, StorageObject,
};
use holdfast_engine::{Group, Key, Outcome, Timestamp, TypedRef, Uid};
use serde_json::{Value, json};

use super::fields::{self, Fields};
use super::{
    backup_configuration, backup_session, backup_storage, repository, restore_session, snapshot,
};

/// An object with its status, and what it is called.
pub struct Published {
    /// Its kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: Key,
    /// The whole object.
    pub object: Value,
    /// Why its phase is not a good one, when it is not.
    pub reason: Option<String>,
}

/// What an object is called.
#[must_use]
pub fn name(object: &Object) -> (Kind, Key) {
    match object {
        Object::Storage(found) => (Kind::BackupStorage, found.storage.key.clone()),
        Object::Configuration(found) => (Kind::BackupConfiguration, found.key.clone()),
        Object::Repository(found) => (Kind::Repository, found.repository.key.clone()),
        Object::Backup(found) => (Kind::BackupSession, found.backup.key.clone()),
        Object::Snapshot(found) => (Kind::Snapshot, found.snapshot.key.clone()),
        Object::Restore(found) => (Kind::RestoreSession, found.key.clone()),
    }
}

/// An object with its status; `declared` is its manifest, where a user declared it.
#[must_use]
pub fn render(object: &Object, declared: Option<Value>) -> Published {
    let (kind, key) = name(object);
    let Parts { uid, generation, created, labels, owner, spec, status, reason } = match object {
        Object::Storage(found) => storage(found),
        Object::Configuration(found) => configuration(found),
        Object::Repository(found) => repository(found),
        Object::Backup(found) => backup(found),
        Object::Snapshot(found) => snapshot(found),
        Object::Restore(found) => restore(found),
    };
    let mut object = declared.unwrap_or_else(|| {
        json!({"apiVersion": api_version(kind, key.group), "kind": kind.name(), "metadata": {"labels": labels}, "spec": spec})
    });
    let metadata = &mut object["metadata"];
    metadata["name"] = key.name.clone().into();
    metadata["namespace"] = key.namespace.clone().into();
    metadata["uid"] = uid.to_string().into();
    metadata["generation"] = generation.into();
    metadata["creationTimestamp"] = fields::time(created);
    metadata["finalizers"] = json!([FINALIZER]);
    if let Some(owner) = owner {
        metadata["ownerReferences"] = json!([owner]);
    }
    object["status"] = status;
    object["status"]["observedGeneration"] = generation.into();
    Published { kind, key, object, reason }
}

struct Parts {
    uid: Uid,
    generation: u64,
    created: Timestamp,
    labels: BTreeMap<String, String>,
    owner: Option<Value>,
    spec: Value,
    status: Value,
    reason: Option<String>,
}

impl Parts {
    /// An object whose spec and labels are its user's.
    fn declared(uid: Uid, generation: u64, created: Timestamp, status: Value) -> Self {
        Self {
            uid,
            generation,
            created,
            labels: BTreeMap::new(),
            owner: None,
            spec: Value::Null,
            status,
            reason: None,
        }
    }
}

fn storage(found: &StorageObject) -> Parts {
    let known = &found.storage;
    let status = backup_storage::status(&found.status);
    let parts = Parts::declared(known.uid, known.generation, known.created_at, status);
    Parts { reason: found.reason.clone(), ..parts }
}

fn configuration(found: &ConfigurationObject) -> Parts {
    let status = backup_configuration::status(&found.status);
    let parts = Parts::declared(found.uid, found.generation, found.created_at, status);
    Parts { reason: configuration_problem(found), ..parts }
}

fn restore(found: &RestoreObject) -> Parts {
    let status = restore_session::status(&found.status);
    let parts = Parts::declared(found.uid, found.generation, found.created_at, status);
    Parts { reason: found.reason.clone(), ..parts }
}

fn repository(found: &RepositoryObject) -> Parts {
    let known = &found.repository;
    let owner = Owner {
        kind: Kind::Repository,
        namespace: &known.key.namespace,
        name: &known.key.name,
        session: "",
    };
    Parts {
        uid: known.uid,
        generation: 1,
        created: known.created_at,
        labels: labels::offshoot(owner, &BTreeMap::new()),
        owner: None,
        spec: repository::spec(known),
        status: repository::status(&found.status),
        reason: known.failure.as_ref().map(|failure| failure.message.clone()),
    }
}

fn backup(found: &BackupObject) -> Parts {
    let known = &found.backup;
    let configuration = found.configuration.as_ref();
    let name = configuration.map_or("", |found| found.name.as_str());
    let labels = [
        (labels::MANAGED_BY, labels::MANAGER),
        (labels::INVOKER_NAME, name),
        (labels::INVOKER_NAMESPACE, known.key.namespace.as_str()),
        (labels::SESSION_NAME, known.session.as_str()),
    ];
    Parts {
        uid: known.uid,
        generation: 1,
        created: known.created_at,
        labels: own(&labels),
        owner: configuration.map(|found| owner(Kind::BackupConfiguration, found)),
        spec: backup_session::spec(known, name),
        status: backup_session::status(&found.status),
        reason: found.reason.clone(),
    }
}

fn snapshot(found: &SnapshotObject) -> Parts {
    let known = &found.snapshot;
    let repository = found.repository.as_ref();
    let name = repository.map_or("", |found| found.name.as_str());
    let TypedRef { kind, namespace, name: app, .. } = &known.app;
    let labels = [
        (labels::MANAGED_BY, labels::MANAGER),
        (labels::REPO_NAME, name),
        (labels::APP_REF_KIND, kind.as_str()),
        (labels::APP_REF_NAMESPACE, namespace.as_str()),
        (labels::APP_REF_NAME, app.as_str()),
    ];
    Parts {
        uid: known.uid,
        generation: 1,
        created: known.taken,
        labels: own(&labels),
        owner: repository.map(|found| owner(Kind::Repository, found)),
        spec: snapshot::spec(known, name, found.backup.as_deref()),
        status: snapshot::status(&found.status),
        reason: first_failure(known),
    }
}

/// What its conditions or its backends say.
fn configuration_problem(found: &ConfigurationObject) -> Option<String> {
    let status = &found.status;
    let conditions = status.sessions.iter().flat_map(|session| &session.conditions);
    let mut all = status.conditions.iter().chain(conditions);
    let condition = all.find(|condition| condition.status == Status::False);
    let target = || {
        let target = found.target.as_ref().filter(|_| !status.target_found)?;
        Some(format!("{target} is not declared"))
    };
    let backend = || {
        let mut reasons = status
            .backends
            .iter()
            .filter_map(|b| b.storage_reason.clone().or(b.retention_reason.clone()));
        reasons.next()
    };
    condition
        .map(|condition| condition.message.clone().into_owned())
        .or_else(target)
        .or_else(backend)
}

fn first_failure(found: &Snapshot) -> Option<String> {
    found.components.iter().find_map(|component| match &component.outcome {
        Some(Outcome::Failed(failure)) => {
            Some(format!("component {}: {}", component.name, failure.message))
        }
        _ => None,
    })
}

/// `apiVersion` of a kind in a group. The Stash family has its sessions at another version than its
/// repositories.
fn api_version(kind: Kind, group: Group) -> String {
    let version = match (group, kind) {
        (Group::Stash, Kind::Repository) => kind::VERSION,
        (Group::Stash, _) => "v1beta1",
        _ => kind::VERSION,
    };
    format!("{group}/{version}")
}

fn own(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, text)| ((*key).to_owned(), labels::value(text))).collect()
}

fn owner(kind: Kind, of: &view::Owner) -> Value {
    Fields::default()
        .set("apiVersion", api_version(kind, of.group))
        .set("kind", kind.name())
        .set("name", of.name.as_str())
        .set("uid", of.uid.to_string())
        .set("controller", true)
        .set("blockOwnerDeletion", true)
        .into_value()
}
