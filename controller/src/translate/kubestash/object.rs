//! Whole objects, as an API server would hand them out: what was declared or made, with its status.

use std::collections::BTreeMap;

use holdfast_api::labels::{self, Owner};
use holdfast_api::{Kind, labels::FINALIZER};
use holdfast_engine::condition::Status;
use holdfast_engine::configuration::state::Configuration;
use holdfast_engine::snapshot::state::Snapshot;
use holdfast_engine::{Key, Outcome, State, StreamKind, Timestamp, TypedRef, Uid, view};
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

/// The object behind a stream, with its status; `declared` gives the manifest of one that a user declared.
///
/// None for what has no status, and for what is not known any more.
pub fn published(
    state: &State,
    kind: StreamKind,
    uid: Uid,
    declared: impl Fn(Kind, &Key) -> Option<Value>,
) -> Option<Published> {
    let parts = match kind {
        StreamKind::Storage => storage(state, uid),
        StreamKind::Configuration => configuration(state, uid),
        StreamKind::Repository => repository(state, uid),
        StreamKind::Backup => backup(state, uid),
        StreamKind::Snapshot => snapshot(state, uid),
        StreamKind::Restore => restore(state, uid),
        _ => None,
    }?;
    let Parts { kind, key, generation, created, labels, owner, spec, status, reason } = parts;
    let mut object = declared(kind, &key).unwrap_or_else(|| {
        json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": {"labels": labels}, "spec": spec})
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
    Some(Published { kind, key, object, reason })
}

struct Parts {
    kind: Kind,
    key: Key,
    generation: u64,
    created: Timestamp,
    labels: BTreeMap<String, String>,
    owner: Option<Value>,
    spec: Value,
    status: Value,
    reason: Option<String>,
}

fn storage(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.storages.get(&uid)?;
    Some(Parts {
        kind: Kind::BackupStorage,
        key: found.key.clone(),
        generation: found.generation,
        created: found.created_at,
        labels: BTreeMap::new(),
        owner: None,
        spec: Value::Null,
        status: backup_storage::status(&view::storage::status(state, found)),
        reason: view::storage::reason(state, found),
    })
}

fn configuration(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.configurations.get(&uid)?;
    Some(Parts {
        kind: Kind::BackupConfiguration,
        key: found.key.clone(),
        generation: found.generation,
        created: found.created_at,
        labels: BTreeMap::new(),
        owner: None,
        spec: Value::Null,
        status: backup_configuration::status(&view::configuration::status(state, found)),
        reason: configuration_problem(state, found),
    })
}

fn restore(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.restores.get(&uid)?;
    Some(Parts {
        kind: Kind::RestoreSession,
        key: found.key.clone(),
        generation: found.generation,
        created: found.created_at,
        labels: BTreeMap::new(),
        owner: None,
        spec: Value::Null,
        status: restore_session::status(&view::restore::status(state, found)),
        reason: view::phases::restore_error(found)
            .or_else(|| view::restore::status(state, found).waiting),
    })
}

fn repository(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.repositories.get(&uid)?;
    let owner = Owner {
        kind: Kind::Repository,
        namespace: &found.key.namespace,
        name: &found.key.name,
        session: "",
    };
    Some(Parts {
        kind: Kind::Repository,
        key: found.key.clone(),
        generation: 1,
        created: found.created_at,
        labels: labels::offshoot(owner, &BTreeMap::new()),
        owner: None,
        spec: repository::spec(found),
        status: repository::status(&view::repository::status(state, found)),
        reason: found.failure.as_ref().map(|failure| failure.message.clone()),
    })
}

fn backup(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.backups.get(&uid)?;
    let configuration = state.configurations.get(&found.configuration);
    let name = configuration.map_or("", |c| c.key.name.as_str());
    let labels = [
        (labels::MANAGED_BY, labels::MANAGER),
        (labels::INVOKER_NAME, name),
        (labels::INVOKER_NAMESPACE, found.key.namespace.as_str()),
        (labels::SESSION_NAME, found.session.as_str()),
    ];
    Some(Parts {
        kind: Kind::BackupSession,
        key: found.key.clone(),
        generation: 1,
        created: found.created_at,
        labels: own(&labels),
        owner: configuration.map(|c| owner(Kind::BackupConfiguration, &c.key.name, c.uid)),
        spec: backup_session::spec(found, name),
        status: backup_session::status(&view::backup::status(state, found)),
        reason: view::phases::backup_error(found),
    })
}

fn snapshot(state: &State, uid: Uid) -> Option<Parts> {
    let found = state.snapshots.get(&uid)?;
    let repository = state.repositories.get(&found.repository);
    let name = repository.map_or("", |r| r.key.name.as_str());
    let backup = found.backup.and_then(|uid| state.backups.get(&uid));
    let TypedRef { kind, namespace, name: app, .. } = &found.app;
    let labels = [
        (labels::MANAGED_BY, labels::MANAGER),
        (labels::REPO_NAME, name),
        (labels::APP_REF_KIND, kind.as_str()),
        (labels::APP_REF_NAMESPACE, namespace.as_str()),
        (labels::APP_REF_NAME, app.as_str()),
    ];
    Some(Parts {
        kind: Kind::Snapshot,
        key: found.key.clone(),
        generation: 1,
        created: found.taken,
        labels: own(&labels),
        owner: repository.map(|r| owner(Kind::Repository, &r.key.name, r.uid)),
        spec: snapshot::spec(found, name, backup.map(|b| b.key.name.as_str())),
        status: snapshot::status(&view::snapshot::status(found)),
        reason: first_failure(found),
    })
}

/// What its conditions or its backends say.
fn configuration_problem(state: &State, found: &Configuration) -> Option<String> {
    let status = view::configuration::status(state, found);
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
    condition.map(|condition| condition.message.clone()).or_else(target).or_else(backend)
}

fn first_failure(found: &Snapshot) -> Option<String> {
    found.components.iter().find_map(|component| match &component.outcome {
        Some(Outcome::Failed(failure)) => {
            Some(format!("component {}: {}", component.name, failure.message))
        }
        _ => None,
    })
}

fn own(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, text)| ((*key).to_owned(), labels::value(text))).collect()
}

fn owner(kind: Kind, name: &str, uid: Uid) -> Value {
    Fields::default()
        .set("apiVersion", kind.api_version())
        .set("kind", kind.name())
        .set("name", name)
        .set("uid", uid.to_string())
        .set("controller", true)
        .set("blockOwnerDeletion", true)
        .into_value()
}
