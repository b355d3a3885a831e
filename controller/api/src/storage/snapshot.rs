//! Snapshot: what one session committed to one repository.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::driver::Driver;
use crate::references::TypedReference;
use crate::storage::{
    ClickHouseStats, DeletionPolicy, LogStats, MedusaStats, Neo4jStats, ResticStats, SolrStats,
    VolumeSnapshotterStats, WalGStats,
};

/// What one session committed to one repository.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "storage.kubestash.com",
    version = "v1alpha1",
    kind = "Snapshot",
    plural = "snapshots",
    singular = "snapshot",
    category = "kubestash",
    category = "appscode",
    namespaced,
    status = "SnapshotStatus",
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default",
    doc = "What one session committed to one repository.",
    label("app.kubernetes.io/name", "kubestash"),
    printcolumn(name = "Repository", type_ = "string", json_path = ".spec.repository"),
    printcolumn(name = "Session", type_ = "string", json_path = ".spec.session"),
    printcolumn(name = "Snapshot-Time", type_ = "string", json_path = ".status.snapshotTime"),
    printcolumn(name = "Deletion-Policy", type_ = "string", json_path = ".spec.deletionPolicy"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSpec {
    /// Its ULID.
    #[serde(rename = "snapshotID", skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
    /// `FullBackup` or `IncrementalBackup`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Repository that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Session of the configuration that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// BackupSession that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_session: Option<String>,
    /// Version of the data layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_ref: Option<TypedReference>,
    /// What deleting it does to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Delete"))]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether events are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// How far a Snapshot is, and what it holds.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// Generation of the spec that the rest of the status is about; -1 before the first look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: Option<i64>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
    /// Whether it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<VerificationStatus>,
    /// BackupVerificationSession that verified it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_session: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<Time>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,
    /// Size of the data behind it, with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Whether its data passed the last check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<bool>,
    /// Components that it will have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_components: Option<i32>,
    /// The components by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "granular"))]
    pub components: BTreeMap<String, Component>,
    /// Facts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How far a snapshot or a component of it is.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum SnapshotPhase {
    /// It has not started.
    Pending,
    /// It is being made.
    Running,
    /// It is complete.
    Succeeded,
    /// It is not complete.
    Failed,
}

/// Whether a snapshot was verified.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum VerificationStatus {
    /// It was restored and checked.
    Verified,
    /// It was not.
    NotVerified,
    /// It was, and something was wrong.
    VerificationFailed,
}

/// What is known about a component of a snapshot.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Path inside the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<SnapshotPhase>,
    /// Size of the data behind the component, with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Whether its data passed the last check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<bool>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What moved the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    /// Figures of Restic, one for each path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restic_stats: Vec<ResticStats>,
    /// Volume snapshots, one for each claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_snapshotter_stats: Vec<VolumeSnapshotterStats>,
    /// Figures of WalG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_g_stats: Option<WalGStats>,
    /// Figures of Medusa.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medusa_stats: Option<MedusaStats>,
    /// Figures of Solr.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub solr_stats: Vec<SolrStats>,
    /// Figures of clickhouse-backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub click_house_stats: Vec<ClickHouseStats>,
    /// Figures of neo4j-admin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neo4j_stats: Vec<Neo4jStats>,
    /// Figures of log archiving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stats: Option<LogStats>,
}
