//! The programs that move data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The program that moves the data of a task.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema,
)]
pub enum Driver {
    /// Files, encrypted and deduplicated.
    Restic,
    /// Write-ahead logs of databases.
    WalG,
    /// Snapshots made by the storage of a volume.
    VolumeSnapshotter,
    /// Solr's own backup.
    Solr,
    /// Cassandra's Medusa.
    Medusa,
    /// clickhouse-backup.
    ClickHouseBackup,
    /// neo4j-admin.
    Neo4jAdmin,
}
