//! What the drivers report about a component of a snapshot.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Figures of one path.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResticStats {
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<BackupSummary>,
    /// How much is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<BackupProgress>,
}

/// The result of backing up a path.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupSummary {
    /// Id of the snapshot in the data layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Bytes that were new, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<String>,
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_path: Option<String>,
    /// Bytes in all, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
}

/// How much of a path is backed up.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupProgress {
    /// Time since the start, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_elapsed: Option<i64>,
    /// Share that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_done: Option<String>,
    /// Files in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_files: Option<i64>,
    /// Files that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_done: Option<i64>,
    /// Bytes that are done, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_done: Option<String>,
    /// Bytes in all, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Bytes a second, with their unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
}

/// A snapshot of a volume.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSnapshotterStats {
    /// The claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc_name: Option<String>,
    /// Where the claim was mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_path: Option<String>,
    /// Name of the VolumeSnapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_snapshot_name: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_snapshot_time: Option<Time>,
}

/// Figures of WalG.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalGStats {
    /// Id of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Databases in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_time: Option<Time>,
}

/// Figures of Medusa.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MedusaStats {
    /// Name of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_name: Option<String>,
    /// Nodes in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_nodes: Vec<String>,
    /// How it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<String>,
}

/// Figures of Solr.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SolrStats {
    /// Number of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::integer")]
    pub backup_id: Option<i64>,
    /// Name of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_name: Option<String>,
    /// The collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Files of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::integer")]
    pub index_file_count: Option<i64>,
    /// Size of the index, in MB.
    #[serde(rename = "indexSizeMB", skip_serializing_if = "Option::is_none")]
    pub index_size_mb: Option<f64>,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// Bytes that were new, in MB.
    #[serde(rename = "uploadedIndexFileMB", skip_serializing_if = "Option::is_none")]
    pub uploaded_index_file_mb: Option<f64>,
}

/// Figures of clickhouse-backup.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClickHouseStats {
    /// Id of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Host that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<Time>,
}

/// Figures of neo4j-admin.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Neo4jStats {
    /// The backup file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Name of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Id of the database.
    #[serde(rename = "databaseID", skip_serializing_if = "Option::is_none")]
    pub database_id: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Whether it is a full backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// Whether it is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<bool>,
    /// First transaction in it.
    #[serde(rename = "lowestTX", skip_serializing_if = "Option::is_none")]
    pub lowest_tx: Option<i64>,
    /// Last transaction in it.
    #[serde(rename = "highestTX", skip_serializing_if = "Option::is_none")]
    pub highest_tx: Option<i64>,
    /// Hash of the store's id.
    #[serde(rename = "storeIDHash", skip_serializing_if = "Option::is_none")]
    pub store_id_hash: Option<String>,
    /// Whether recovery was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
}

/// Figures of log archiving.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogStats {
    /// First log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Last log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Position of the last log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsn: Option<String>,
    /// How often it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_failed_count: Option<i64>,
    /// The last failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_failed_stats: Vec<LogRun>,
    /// How often it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_succeeded_count: Option<i64>,
    /// The last successes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_succeeded_stats: Vec<LogRun>,
    /// The last times old logs were cleaned up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_log_retention_stats: Vec<LogRetentionRun>,
}

/// One run of log archiving.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogRun {
    /// First log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Last log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One time old logs were cleaned up.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogRetentionRun {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_execution_time: Option<String>,
    /// Logs older than this went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_period_applied: Option<String>,
    /// How many went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_log_count: Option<i64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
