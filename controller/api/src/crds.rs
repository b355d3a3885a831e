//! The definitions of the kinds, as an API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps,
};
use kube::CustomResourceExt;

use crate::addons::{Addon, Function};
use crate::core::{
    BackupBatch, BackupBlueprint, BackupConfiguration, BackupSession, BackupVerificationSession,
    BackupVerifier, HookTemplate, RestoreSession,
};
use crate::storage::{BackupStorage, Repository, RetentionPolicy, Snapshot};
use crate::{Kind, schema};

/// The definitions of all kinds, in the order of [`Kind::ALL`].
pub fn crds() -> Vec<CustomResourceDefinition> {
    Kind::ALL.into_iter().map(crd).collect()
}

/// The definition of a kind.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    let mut crd = bare(kind);
    // Every schema has this form; tests/golden.rs holds it for all of them.
    let props: Option<JSONSchemaProps> = serde_json::from_value(schema::of(kind).clone()).ok();
    for version in &mut crd.spec.versions {
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: props.clone() });
    }
    crd
}

/// Names, columns and subresources.
fn bare(kind: Kind) -> CustomResourceDefinition {
    match kind {
        Kind::Addon => Addon::crd(),
        Kind::Function => Function::crd(),
        Kind::BackupBatch => BackupBatch::crd(),
        Kind::BackupBlueprint => BackupBlueprint::crd(),
        Kind::BackupConfiguration => BackupConfiguration::crd(),
        Kind::BackupSession => BackupSession::crd(),
        Kind::BackupVerificationSession => BackupVerificationSession::crd(),
        Kind::BackupVerifier => BackupVerifier::crd(),
        Kind::HookTemplate => HookTemplate::crd(),
        Kind::RestoreSession => RestoreSession::crd(),
        Kind::BackupStorage => BackupStorage::crd(),
        Kind::Repository => Repository::crd(),
        Kind::RetentionPolicy => RetentionPolicy::crd(),
        Kind::Snapshot => Snapshot::crd(),
    }
}
