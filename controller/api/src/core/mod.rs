//! The group `core.kubestash.com`: what is backed up, and its sessions.

mod addon_info;
mod backup_batch;
mod backup_blueprint;
mod backup_configuration;
mod backup_session;
mod backup_verification_session;
mod backup_verifier;
mod hook_info;
mod hook_template;
mod manifest_options;
mod restore_session;
mod retry;
mod scheduler;

pub use addon_info::{
    AddonInfo, AddonVolumeInfo, TargetVolumes, TaskReference, VolumeClaimTemplate,
};
pub use backup_batch::{
    BackupBatch, BackupBatchSpec, BackupBatchStatus, BatchSession, BatchSessionTarget, BatchTarget,
};
pub use backup_blueprint::{
    BackupBlueprint, BackupBlueprintSpec, BackupConfigurationTemplate, BlueprintDeletionPolicy,
    BlueprintSubject,
};
pub use backup_configuration::{
    BackendReference, BackendStatus, BackupConfiguration, BackupConfigurationSpec,
    BackupConfigurationStatus, BackupHooks, InvokerPhase, RepositoryInfo, RepositoryStatusEntry,
    RetentionPolicyStatus, Session, SessionStatus, StorageStatus,
};
pub use backup_session::{
    BackupSession, BackupSessionPhase, BackupSessionSpec, BackupSessionStatus, RetentionPhase,
    RetentionPolicyApplyStatus, SnapshotStatusEntry,
};
pub use backup_verification_session::{
    BackupVerificationSession, BackupVerificationSessionSpec, BackupVerificationSessionStatus,
    VerificationSessionPhase,
};
pub use backup_verifier::{
    BackupVerifier, BackupVerifierSpec, RestoreOption, VerificationScript, VerificationType,
};
pub use hook_info::{HookExecutionPolicy, HookExecutionStatus, HookInfo, HookPhase, HookStatus};
pub use hook_template::{
    FormEntry, FunctionHookExecutor, HookAction, HookExecutionStrategy, HookExecutor,
    HookExecutorType, HookTemplate, HookTemplateSpec, HttpPostAction, PodHookExecutor,
};
pub use manifest_options::{
    DruidManifestOptions, KubeDbManifestOptions, ManifestRestoreOptions,
    MsSqlServerManifestOptions, RedisSentinelManifestOptions, WorkloadManifestOptions,
};
pub use restore_session::{
    PointInTimeRecovery, RestoreComponentStatus, RestoreDataSource, RestoreHooks, RestorePhase,
    RestoreProgress, RestoreSession, RestoreSessionSpec, RestoreSessionStatus,
};
pub use retry::RetryConfig;
pub use scheduler::{JobTemplate, SchedulerSpec};
