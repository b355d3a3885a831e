//! The group `storage.kubestash.com`: where data is kept, and for how long.

mod backup_storage;
mod deletion_policy;
mod driver_stats;
mod repository;
mod retention_policy;
mod snapshot;
mod usage_policy;

pub use backup_storage::{
    AzureSpec, Backend, BackupStorage, BackupStorageSpec, BackupStorageStatus, GcsSpec, LocalSpec,
    S3Spec, StoredRepository,
};
pub use deletion_policy::{DeletionPolicy, RepositoryDeletionPolicy};
pub use driver_stats::{
    BackupProgress, BackupSummary, ClickHouseStats, LogRetentionRun, LogRun, LogStats, MedusaStats,
    Neo4jStats, ResticStats, SolrStats, VolumeSnapshotterStats, WalGStats,
};
pub use repository::{
    RecentSnapshot, Repository, RepositoryPhase, RepositorySpec, RepositoryStatus,
};
pub use retention_policy::{
    FailedSnapshots, RetentionPolicy, RetentionPolicySpec, SuccessfulSnapshots,
};
pub use snapshot::{
    Component, Snapshot, SnapshotPhase, SnapshotSpec, SnapshotStatus, VerificationStatus,
};
pub use usage_policy::{AllowedFrom, AllowedNamespaces, UsagePolicy};
