//! From JSON through the type of a kind and back.

#![allow(dead_code, reason = "no test that includes this module uses all of it")]

use holdfast_api::addons::{Addon, Function};
use holdfast_api::core::{
    BackupBatch, BackupBlueprint, BackupConfiguration, BackupSession, BackupVerificationSession,
    BackupVerifier, HookTemplate, RestoreSession,
};
use holdfast_api::storage::{BackupStorage, Repository, RetentionPolicy, Snapshot};
use holdfast_api::{Kind, ReadError, read};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is left of an object that goes through its type.
pub fn through_type(kind: Kind, object: &Value) -> Value {
    match kind {
        Kind::Addon => through::<Addon>(object),
        Kind::Function => through::<Function>(object),
        Kind::BackupBatch => through::<BackupBatch>(object),
        Kind::BackupBlueprint => through::<BackupBlueprint>(object),
        Kind::BackupConfiguration => through::<BackupConfiguration>(object),
        Kind::BackupSession => through::<BackupSession>(object),
        Kind::BackupVerificationSession => through::<BackupVerificationSession>(object),
        Kind::BackupVerifier => through::<BackupVerifier>(object),
        Kind::HookTemplate => through::<HookTemplate>(object),
        Kind::RestoreSession => through::<RestoreSession>(object),
        Kind::BackupStorage => through::<BackupStorage>(object),
        Kind::Repository => through::<Repository>(object),
        Kind::RetentionPolicy => through::<RetentionPolicy>(object),
        Kind::Snapshot => through::<Snapshot>(object),
    }
}

fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    strip(serde_json::to_value(typed).unwrap())
}

/// Without the nulls, which mean that a field is absent.
pub fn strip(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let some = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(some.map(|(name, member)| (name, strip(member))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(strip).collect()),
        other => other,
    }
}

/// Why an object cannot be read as its kind.
pub fn refusal(kind: Kind, object: &Value) -> Option<ReadError> {
    match kind {
        Kind::Addon => read::<Addon>(object).err(),
        Kind::Function => read::<Function>(object).err(),
        Kind::BackupBatch => read::<BackupBatch>(object).err(),
        Kind::BackupBlueprint => read::<BackupBlueprint>(object).err(),
        Kind::BackupConfiguration => read::<BackupConfiguration>(object).err(),
        Kind::BackupSession => read::<BackupSession>(object).err(),
        Kind::BackupVerificationSession => read::<BackupVerificationSession>(object).err(),
        Kind::BackupVerifier => read::<BackupVerifier>(object).err(),
        Kind::HookTemplate => read::<HookTemplate>(object).err(),
        Kind::RestoreSession => read::<RestoreSession>(object).err(),
        Kind::BackupStorage => read::<BackupStorage>(object).err(),
        Kind::Repository => read::<Repository>(object).err(),
        Kind::RetentionPolicy => read::<RetentionPolicy>(object).err(),
        Kind::Snapshot => read::<Snapshot>(object).err(),
    }
}
