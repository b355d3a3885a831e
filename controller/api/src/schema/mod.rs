//! The structural schemas of the kinds, made from the Rust types.
//!
//! [`structural`] turns what schemars writes into what an API server accepts; [`marks`] adds what
//! Kubernetes' own types carry in a definition and their Rust form does not: kinds of lists and maps,
//! defaults, and fields that are newer than the types. [`validations`] adds the rules about several
//! fields of one object.

pub mod defaults;
pub mod marks;
pub mod structural;
pub mod validations;

use std::sync::OnceLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::Kind;
use crate::addons::{AddonSpec, FunctionSpec};
use crate::aliases;
use crate::core::{
    BackupBatchSpec, BackupBatchStatus, BackupBlueprintSpec, BackupConfigurationSpec,
    BackupConfigurationStatus, BackupSessionSpec, BackupSessionStatus,
    BackupVerificationSessionSpec, BackupVerificationSessionStatus, BackupVerifierSpec,
    HookTemplateSpec, RestoreSessionSpec, RestoreSessionStatus,
};
use crate::storage::{
    BackupStorageSpec, BackupStorageStatus, RepositorySpec, RepositoryStatus, RetentionPolicySpec,
    SnapshotSpec, SnapshotStatus,
};

/// The schema of a kind, whole objects included: `apiVersion`, `kind`, `metadata`, `spec`, `status`.
pub fn of(kind: Kind) -> &'static Value {
    static SCHEMAS: [OnceLock<Value>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    SCHEMAS[kind as usize].get_or_init(|| make(kind))
}

/// The schema of `metadata`, of which the API server takes care itself in every kind.
pub fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(part::<ObjectMeta>)
}

fn make(kind: Kind) -> Value {
    let (spec, status) = parts(kind);
    let doc = spec["description"].clone();
    let mut schema = json!({
        "type": "object",
        "description": doc,
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": "Group and version of the kind, as this object spells it.",
            },
            "kind": { "type": "string", "description": "Name of the kind." },
            "metadata": { "type": "object" },
            "spec": spec,
        },
    });
    if let Some(mut status) = status {
        // Whoever judges an object by its status waits until it was looked at: kstatus takes one without this field
        // for current.
        status["properties"]["observedGeneration"]["default"] = json!(-1);
        status["default"] = json!({ "observedGeneration": -1 });
        schema["properties"]["status"] = status;
    }
    schema["properties"]["spec"]["description"] = json!("What is wanted.");
    aliases::declare(kind, &mut schema);
    validations::declare(kind, &mut schema);
    schema
}

fn parts(kind: Kind) -> (Value, Option<Value>) {
    match kind {
        Kind::Addon => (part::<AddonSpec>(), None),
        Kind::Function => (part::<FunctionSpec>(), None),
        Kind::BackupBatch => both::<BackupBatchSpec, BackupBatchStatus>(),
        Kind::BackupBlueprint => (part::<BackupBlueprintSpec>(), None),
        Kind::BackupConfiguration => both::<BackupConfigurationSpec, BackupConfigurationStatus>(),
        Kind::BackupSession => both::<BackupSessionSpec, BackupSessionStatus>(),
        Kind::BackupVerificationSession => {
            both::<BackupVerificationSessionSpec, BackupVerificationSessionStatus>()
        }
        Kind::BackupVerifier => (part::<BackupVerifierSpec>(), None),
        Kind::HookTemplate => (part::<HookTemplateSpec>(), None),
        Kind::RestoreSession => both::<RestoreSessionSpec, RestoreSessionStatus>(),
        Kind::BackupStorage => both::<BackupStorageSpec, BackupStorageStatus>(),
        Kind::Repository => both::<RepositorySpec, RepositoryStatus>(),
        Kind::RetentionPolicy => (part::<RetentionPolicySpec>(), None),
        Kind::Snapshot => both::<SnapshotSpec, SnapshotStatus>(),
    }
}

fn both<Spec: JsonSchema, Status: JsonSchema>() -> (Value, Option<Value>) {
    (part::<Spec>(), Some(part::<Status>()))
}

fn part<T: JsonSchema>() -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    structural::structural(generator.into_root_schema_for::<T>().to_value())
}

/// An object whose content the API server keeps and does not look into.
pub(crate) fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// An integer of no particular width, where the documents give none.
pub(crate) fn integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer" })
}
