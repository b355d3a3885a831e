//! `status` of a BackupSession.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::hooks::{self, HookStatus};
use crate::backup::phase::{Phase, phase};
use crate::backup::state::Backup;
use crate::condition::Condition;
use crate::ids::{Key, TypedRef, Uid};
use crate::snapshot::phase::Phase as SnapshotPhase;
use crate::state::State;
use crate::time::Timestamp;

/// `status` of a BackupSession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// `phase`.
    pub phase: Phase,
    /// `duration` from creation to end in whole seconds; absent before the end.
    pub duration: Option<String>,
    /// `backupDeadline`.
    pub deadline: Option<Timestamp>,
    /// `totalSnapshots`.
    pub total_snapshots: u32,
    /// `snapshots`.
    pub snapshots: Vec<SnapshotEntry>,
    /// `hooks`; absent without hooks.
    pub hooks: Option<HookStatus>,
    /// `retentionPolicy`.
    pub retention: Vec<RetentionEntry>,
    /// `retried`; absent where no retry is configured.
    pub retried: Option<bool>,
    /// `nextRetry`.
    pub next_retry: Option<Timestamp>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// One entry of `snapshots`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEntry {
    /// `name`.
    pub name: String,
    /// `phase`.
    pub phase: SnapshotPhase,
    /// `appRef`.
    pub app: TypedRef,
    /// `repository`; its uid where the name is not known any more.
    pub repository: String,
}

/// One entry of `retentionPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionEntry {
    /// `ref`.
    pub policy: Key,
    /// `repository`; its uid where the name is not known any more.
    pub repository: String,
    /// `phase`.
    pub phase: RetentionPhase,
    /// `error`.
    pub error: Option<String>,
}

/// Phase of the retention of one repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum RetentionPhase {
    Pending,
    Applied,
    FailedToApply,
}

impl RetentionPhase {
    /// The word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Applied => "Applied",
            Self::FailedToApply => "FailedToApply",
        }
    }
}

/// Name of a repository; its uid where the name is not known any more.
pub(super) fn repository_name(state: &State, repository: Uid) -> String {
    let known = state.repositories.get(&repository);
    known.map_or_else(|| repository.to_string(), |known| known.key.name.clone())
}

/// The status of a backup session.
#[must_use]
pub fn status(state: &State, backup: &Backup) -> BackupStatus {
    let snapshots = backup.snapshots.iter().map(|snapshot| SnapshotEntry {
        name: snapshot.key.name.clone(),
        phase: snapshot.phase,
        app: snapshot.app.clone(),
        repository: repository_name(state, snapshot.repository),
    });
    let retention = backup.retention.iter().map(|entry| RetentionEntry {
        policy: entry.policy.clone(),
        repository: repository_name(state, entry.repository),
        phase: match &entry.result {
            None => RetentionPhase::Pending,
            Some(Ok(())) => RetentionPhase::Applied,
            Some(Err(_)) => RetentionPhase::FailedToApply,
        },
        error: entry.result.clone().and_then(Result::err),
    });
    let spec = backup.plan.as_ref().map(|plan| &plan.spec);
    let retries = spec.is_some_and(|spec| spec.retry.is_some()) || backup.retry_at.is_some();
    let ended = backup.ended_at.map(|end| end.since(backup.created_at).whole_seconds());
    BackupStatus {
        phase: phase(backup),
        duration: ended.map(|duration| duration.to_string()),
        deadline: backup.deadline,
        total_snapshots: backup.total_snapshots,
        snapshots: snapshots.collect(),
        hooks: spec.and_then(|s| hooks::status(&s.pre_hooks, &s.post_hooks, &backup.hooks)),
        retention: retention.collect(),
        retried: retries.then_some(backup.retried_by.is_some()),
        next_retry: backup.retry_at,
        conditions: super::conditions(&backup.conditions),
    }
}
