//! Conditions: facts about an object that users see, in order of first appearance.
//!
//! A condition is set by the event that states its fact. Types, statuses and reasons are the
//! documents' own (API reference, sections 2, 3, 4, 8, 9, 10); messages are sentences for people.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Type {
    ValidationPassed,
    SchedulerEnsured,
    InitialBackupTriggered,
    BackendInitialized,
    RepositoryInitialized,
    BackupSkipped,
    SnapshotsEnsured,
    PreBackupHooksExecutionSucceeded,
    BackupExecutorEnsured,
    PostBackupHooksExecutionSucceeded,
    RetentionPolicyExecutorEnsured,
    SessionHistoryCleaned,
    SnapshotCleanupIncomplete,
    DeadlineExceeded,
    MetricsPushed,
    RecentSnapshotListUpdated,
    SnapshotMetadataUploaded,
    BackupIncomplete,
    SourceEmpty,
    RestoreTargetFound,
    PreRestoreHooksExecutionSucceeded,
    RestoreExecutorEnsured,
    PostRestoreHooksExecutionSucceeded,
    RestoreIncomplete,
    /// Never recorded: views join it from the Secret's presence.
    BackendSecretFound,
    /// Ours: there while it waits for a worker, and gone after that.
    Queued,
}

/// Whether the fact holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the documents' own words")]
pub enum Status {
    True,
    False,
    Unknown,
}

/// One fact, and since when it stands like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is about.
    pub kind: Type,
    /// Whether it holds.
    pub status: Status,
    /// A word for programs.
    pub reason: Cow<'static, str>,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// `lastTransitionTime`.
    pub since: Timestamp,
}

/// The conditions of one object, in order of first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Condition>")]
pub struct Conditions(Vec<Condition>);

impl From<Vec<Condition>> for Conditions {
    fn from(mut conditions: Vec<Condition>) -> Self {
        conditions.iter_mut().for_each(Condition::share_usual_words);
        Self(conditions)
    }
}

impl Condition {
    /// Words that its type says all the time take no memory of their own: every session has ten conditions.
    fn share_usual_words(&mut self) {
        let kind = self.kind;
        let usual = [kind.good_reason(), kind.bad_reason(), kind.good_message()];
        for words in [&mut self.reason, &mut self.message] {
            if let Some(same) = usual.iter().find(|usual| **usual == *words) {
                *words = Cow::Borrowed(same);
            }
        }
    }
}

impl Conditions {
    /// Sets a condition: an equal one keeps its time, a different one is replaced in its place, a new
    /// one is appended (API reference, section 1.1).
    pub fn set(
        &mut self,
        at: Timestamp,
        kind: Type,
        status: Status,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) {
        let new =
            Condition { kind, status, reason: reason.into(), message: message.into(), since: at };
        match self.0.iter_mut().find(|old| old.kind == kind) {
            Some(old)
                if old.status == new.status
                    && old.reason == new.reason
                    && old.message == new.message => {}
            Some(old) => *old = new,
            None => self.0.push(new),
        }
    }

    /// Sets a condition to True or False with the type's usual reason and the message that goes with
    /// success; `problem` is the message of failure.
    pub fn state(&mut self, at: Timestamp, kind: Type, problem: Option<&str>) {
        match problem {
            None => self.set(at, kind, Status::True, kind.good_reason(), kind.good_message()),
            Some(message) => {
                self.set(at, kind, Status::False, kind.bad_reason(), String::from(message))
            }
        }
    }

    /// Sets a condition whose presence is bad news to True.
    pub fn raise(&mut self, at: Timestamp, kind: Type, message: &str) {
        self.set(at, kind, Status::True, kind.bad_reason(), String::from(message));
    }

    /// Takes away a condition that speaks of the moment only.
    pub fn remove(&mut self, kind: Type) {
        self.0.retain(|condition| condition.kind != kind);
    }

    /// The condition of this type.
    #[must_use]
    pub fn get(&self, kind: Type) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    /// Present and True; a missing condition is neither True nor False.
    #[must_use]
    pub fn is_true(&self, kind: Type) -> bool {
        self.get(kind).is_some_and(|condition| condition.status == Status::True)
    }

    /// Present and False.
    #[must_use]
    pub fn is_false(&self, kind: Type) -> bool {
        self.get(kind).is_some_and(|condition| condition.status == Status::False)
    }

    /// Present, whatever its status.
    #[must_use]
    pub fn has(&self, kind: Type) -> bool {
        self.get(kind).is_some()
    }

    /// In order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }
}

impl Type {
    /// The type as it stands in `conditions[].type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidationPassed => "ValidationPassed",
            Self::SchedulerEnsured => "SchedulerEnsured",
            Self::InitialBackupTriggered => "InitialBackupTriggered",
            Self::BackendInitialized => "BackendInitialized",
            Self::RepositoryInitialized => "RepositoryInitialized",
            Self::BackupSkipped => "BackupSkipped",
            Self::SnapshotsEnsured => "SnapshotsEnsured",
            Self::PreBackupHooksExecutionSucceeded => "PreBackupHooksExecutionSucceeded",
            Self::BackupExecutorEnsured => "BackupExecutorEnsured",
            Self::PostBackupHooksExecutionSucceeded => "PostBackupHooksExecutionSucceeded",
            Self::RetentionPolicyExecutorEnsured => "RetentionPolicyExecutorEnsured",
            Self::SessionHistoryCleaned => "SessionHistoryCleaned",
            Self::SnapshotCleanupIncomplete => "SnapshotCleanupIncomplete",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::MetricsPushed => "MetricsPushed",
            Self::RecentSnapshotListUpdated => "RecentSnapshotListUpdated",
            Self::SnapshotMetadataUploaded => "SnapshotMetadataUploaded",
            Self::BackupIncomplete => "BackupIncomplete",
            Self::SourceEmpty => "SourceEmpty",
            Self::Queued => "Queued",
            Self::RestoreTargetFound => "RestoreTargetFound",
            Self::PreRestoreHooksExecutionSucceeded => "PreRestoreHooksExecutionSucceeded",
            Self::RestoreExecutorEnsured => "RestoreExecutorEnsured",
            Self::PostRestoreHooksExecutionSucceeded => "PostRestoreHooksExecutionSucceeded",
            Self::RestoreIncomplete => "RestoreIncomplete",
            Self::BackendSecretFound => "BackendSecretFound",
        }
    }

    /// The reason when all is well.
    #[must_use]
    pub fn good_reason(self) -> &'static str {
        match self {
            Self::ValidationPassed => "ResourceValidationPassed",
            Self::SchedulerEnsured => "SchedulerEnsured",
            Self::InitialBackupTriggered => "SuccessfullyTriggeredInitialBackup",
            Self::BackendInitialized => "BackendInitializationSucceeded",
            Self::RepositoryInitialized => "RepositoryInitializationSucceeded",
            Self::SnapshotsEnsured => "SuccessfullyEnsuredSnapshots",
            Self::PreBackupHooksExecutionSucceeded => "SuccessfullyExecutedPreBackupHooks",
            Self::BackupExecutorEnsured => "SuccessfullyEnsuredBackupExecutor",
            Self::PostBackupHooksExecutionSucceeded => "SuccessfullyExecutedPostBackupHooks",
            Self::RetentionPolicyExecutorEnsured => "SuccessfullyEnsuredRetentionPolicyExecutor",
            Self::SessionHistoryCleaned => "SuccessfullyCleanedSessionHistory",
            Self::MetricsPushed => "SuccessfullyPushedMetrics",
            Self::RecentSnapshotListUpdated => "SuccessfullyUpdatedRecentSnapshotList",
            Self::SnapshotMetadataUploaded => "SuccessfullyUploadedSnapshotMetadata",
            Self::RestoreTargetFound => "RestoreTargetFound",
            Self::PreRestoreHooksExecutionSucceeded => "SuccessfullyExecutedPreRestoreHooks",
            Self::RestoreExecutorEnsured => "SuccessfullyEnsuredRestoreExecutor",
            Self::PostRestoreHooksExecutionSucceeded => "SuccessfullyExecutedPostRestoreHooks",
            Self::BackendSecretFound => "BackendSecretAvailable",
            Self::BackupSkipped
            | Self::SnapshotCleanupIncomplete
            | Self::DeadlineExceeded
            | Self::BackupIncomplete
            | Self::SourceEmpty
            | Self::Queued
            | Self::RestoreIncomplete => self.bad_reason(),
        }
    }

    /// The reason when something is wrong.
    #[must_use]
    pub fn bad_reason(self) -> &'static str {
        match self {
            Self::ValidationPassed => "ResourceValidationFailed",
            Self::SchedulerEnsured => "SchedulerNotEnsured",
            Self::InitialBackupTriggered => "FailedToTriggerInitialBackup",
            Self::BackendInitialized => "BackendInitializationFailed",
            Self::RepositoryInitialized => "RepositoryInitializationFailed",
            Self::BackupSkipped => "PreRequisitesNotSatisfied",
            Self::SnapshotsEnsured => "FailedToEnsureSnapshots",
            Self::PreBackupHooksExecutionSucceeded => "FailedToExecutePreBackupHooks",
            Self::BackupExecutorEnsured => "FailedToEnsureBackupExecutor",
            Self::PostBackupHooksExecutionSucceeded => "FailedToExecutePostBackupHooks",
            Self::RetentionPolicyExecutorEnsured => "FailedToEnsureRetentionPolicyExecutor",
            Self::SessionHistoryCleaned => "FailedToCleanSessionHistory",
            Self::SnapshotCleanupIncomplete => "SnapshotCleanupTerminatedBeforeCompletion",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::MetricsPushed => "FailedToPushMetrics",
            Self::RecentSnapshotListUpdated => "FailedToUpdateRecentSnapshotList",
            Self::SnapshotMetadataUploaded => "FailedToUploadSnapshotMetadata",
            Self::BackupIncomplete => "BackupExecutorTerminatedBeforeCompletion",
            Self::SourceEmpty => "SourceHasNoEntries",
            Self::Queued => "WaitingForWorker",
            Self::RestoreTargetFound => "RestoreTargetNotFound",
            Self::PreRestoreHooksExecutionSucceeded => "FailedToExecutePreRestoreHooks",
            Self::RestoreExecutorEnsured => "FailedToEnsureRestoreExecutor",
            Self::PostRestoreHooksExecutionSucceeded => "FailedToExecutePostRestoreHooks",
            Self::BackendSecretFound => "BackendSecretNotAvailable",
            Self::RestoreIncomplete => "RestoreExecutorTerminatedBeforeCompletion",
        }
    }

    /// The message when all is well; empty where presence is bad news.
    #[must_use]
    pub fn good_message(self) -> &'static str {
        match self {
            Self::ValidationPassed => "Validation has been passed successfully.",
            Self::SchedulerEnsured => "Scheduler has been ensured successfully.",
            Self::InitialBackupTriggered => "The first backup of this session was created.",
            Self::BackendInitialized => "The backend was checked and can be used.",
            Self::RepositoryInitialized => "The repository opens with its Secret.",
            Self::SnapshotsEnsured => "Every repository of the session has a Snapshot.",
            Self::PreBackupHooksExecutionSucceeded => "All hooks before the backup succeeded.",
            Self::BackupExecutorEnsured => "Every component has a worker.",
            Self::PostBackupHooksExecutionSucceeded => "All hooks after the backup succeeded.",
            Self::RetentionPolicyExecutorEnsured => "The retention policies are being applied.",
            Self::SessionHistoryCleaned => "Sessions beyond the history limit were archived.",
            Self::MetricsPushed => "The session has ended and its result is final.",
            Self::RecentSnapshotListUpdated => "The repository lists this Snapshot.",
            Self::SnapshotMetadataUploaded => "The description lies beside the data.",
            Self::RestoreTargetFound => "The restore target exists.",
            Self::PreRestoreHooksExecutionSucceeded => "All hooks before the restore succeeded.",
            Self::RestoreExecutorEnsured => "Every component has a worker.",
            Self::PostRestoreHooksExecutionSucceeded => "All hooks after the restore succeeded.",
            Self::BackendSecretFound => "The credential Secret exists.",
            Self::BackupSkipped
            | Self::SnapshotCleanupIncomplete
            | Self::DeadlineExceeded
            | Self::BackupIncomplete
            | Self::SourceEmpty
            | Self::Queued
            | Self::RestoreIncomplete => "",
        }
    }
}

impl Status {
    /// The status as it stands in `conditions[].status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use serde::de::IntoDeserializer;
    use serde::de::value::StrDeserializer;

    use super::*;

    #[test]
    fn order_is_first_appearance_and_time_moves_only_on_change() {
        let mut conditions = Conditions::default();
        conditions.state(Timestamp(1), Type::ValidationPassed, Some("no backend"));
        conditions.state(Timestamp(2), Type::MetricsPushed, None);
        conditions.state(Timestamp(3), Type::ValidationPassed, Some("no backend"));
        assert_eq!(conditions.get(Type::ValidationPassed).unwrap().since, Timestamp(1));

        conditions.state(Timestamp(4), Type::ValidationPassed, Some("no session"));
        conditions.state(Timestamp(5), Type::MetricsPushed, None);
        let seen: Vec<_> = conditions.iter().map(|c| (c.kind, c.since)).collect();
        assert_eq!(
            seen,
            [(Type::ValidationPassed, Timestamp(4)), (Type::MetricsPushed, Timestamp(2))]
        );
    }

    /// Every type and every usual reason has a row in the document, in the words of the code.
    #[test]
    fn all_of_them_are_explained() {
        let document = include_str!("../../docs/conditions.md");
        let (_, rows) = document.split_once("\n|---|---|---|---|---|\n").unwrap();
        let rows: Vec<&str> = rows.lines().take_while(|line| line.starts_with('|')).collect();
        let code = include_str!("condition.rs");
        let (_, variants) = code.split_once("pub enum Type {\n").unwrap();
        let (variants, _) = variants.split_once("\n}\n").unwrap();
        let variants = variants.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let variants: Vec<&str> = variants.filter_map(|line| line.strip_suffix(',')).collect();
        assert_eq!(variants.len(), rows.len());
        for name in variants {
            let word: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
            let kind = Type::deserialize(word).unwrap();
            let (good, bad) = (kind.good_reason(), kind.bad_reason());
            let reasons = match good == bad {
                true => format!("| `{bad}` | - |"),
                false => format!("| `{good}` | `{bad}` |"),
            };
            let row = rows.iter().find(|row| row.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.ends_with(&reasons)), "{name}: {row:?}, {reasons}");
        }
    }

    #[test]
    fn a_missing_condition_is_neither_true_nor_false() {
        let conditions = Conditions::default();
        assert!(!conditions.is_true(Type::MetricsPushed));
        assert!(!conditions.is_false(Type::MetricsPushed));
        assert!(!conditions.has(Type::MetricsPushed));
    }
}
