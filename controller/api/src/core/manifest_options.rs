//! What of an application's manifests is restored, and under which names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::references::{LocalTypedReference, ObjectReference};

/// Options by the kind of application.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRestoreOptions {
    /// Workloads and their resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadManifestOptions>,
    /// MongoDB.
    #[serde(rename = "mongoDB", skip_serializing_if = "Option::is_none")]
    pub mongodb: Option<KubeDbManifestOptions>,
    /// Postgres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<KubeDbManifestOptions>,
    /// MySQL.
    #[serde(rename = "mySQL", skip_serializing_if = "Option::is_none")]
    pub mysql: Option<KubeDbManifestOptions>,
    /// ClickHouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<KubeDbManifestOptions>,
    /// MariaDB.
    #[serde(rename = "mariaDB", skip_serializing_if = "Option::is_none")]
    pub mariadb: Option<KubeDbManifestOptions>,
    /// Microsoft SQL Server.
    #[serde(rename = "msSQLServer", skip_serializing_if = "Option::is_none")]
    pub mssql_server: Option<MsSqlServerManifestOptions>,
    /// Druid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub druid: Option<DruidManifestOptions>,
    /// ZooKeeper.
    #[serde(rename = "zooKeeper", skip_serializing_if = "Option::is_none")]
    pub zookeeper: Option<KubeDbManifestOptions>,
    /// Singlestore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub singlestore: Option<KubeDbManifestOptions>,
    /// Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<KubeDbManifestOptions>,
    /// Redis Sentinel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_sentinel: Option<RedisSentinelManifestOptions>,
}

/// Options for workloads.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadManifestOptions {
    /// Namespace to restore into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_namespace: Option<String>,
}

/// Options for a database of KubeDB.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeDbManifestOptions {
    /// Namespace to restore into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_namespace: Option<String>,
    /// Whether the database object is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub db: Option<bool>,
    /// New name of the database object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_name: Option<String>,
    /// Whether the Secret with credentials is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub auth_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_secret_name: Option<String>,
    /// Whether archiving is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub archiver: Option<bool>,
    /// The archiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_ref: Option<ObjectReference>,
    /// Whether the Secret with configuration is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub config_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_secret_name: Option<String>,
    /// Whether init scripts are restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub init_script: Option<bool>,
    /// New issuer of certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_issuer_ref: Option<LocalTypedReference>,
}

/// Options for Microsoft SQL Server.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MsSqlServerManifestOptions {
    /// Namespace to restore into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_namespace: Option<String>,
    /// Whether the database object is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub db: Option<bool>,
    /// New name of the database object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_name: Option<String>,
    /// Whether the Secret with credentials is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub auth_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_secret_name: Option<String>,
    /// Whether init scripts are restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub init_script: Option<bool>,
    /// Whether archiving is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub archiver: Option<bool>,
    /// The archiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_ref: Option<ObjectReference>,
    /// New issuer of certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_issuer_ref: Option<LocalTypedReference>,
}

/// Options for Druid.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DruidManifestOptions {
    /// Namespace to restore into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_namespace: Option<String>,
    /// Whether the database object is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub db: Option<bool>,
    /// New name of the database object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_name: Option<String>,
    /// Whether the Secret with credentials is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub auth_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_secret_name: Option<String>,
    /// Whether the Secret with configuration is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub config_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_secret_name: Option<String>,
    /// Whether the Secret of the deep storage is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub deep_storage_secret: Option<bool>,
}

/// Options for Redis Sentinel.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisSentinelManifestOptions {
    /// Namespace to restore into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_namespace: Option<String>,
    /// Whether the sentinel object is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub sentinel: Option<bool>,
    /// New name of the sentinel object; its spelling on the wire begins with a capital.
    #[serde(rename = "SentinelName", skip_serializing_if = "Option::is_none")]
    pub sentinel_name: Option<String>,
    /// Whether the Secret with credentials is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub auth_secret: Option<bool>,
    /// New name of that Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_secret_name: Option<String>,
    /// New issuer of certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_issuer_ref: Option<LocalTypedReference>,
}
