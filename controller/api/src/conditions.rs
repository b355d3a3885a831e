//! Types, reasons and messages of conditions, and the rule by which a list of them changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::Condition;

/// A type of condition, with the reasons that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionType {
    /// Its name.
    pub name: &'static str,
    /// Status, reason and message when all is well. Without them the condition is absent then.
    pub good: Option<Outcome>,
    /// Status, reason and message otherwise; a cause may be added to the message.
    pub bad: Option<Outcome>,
}

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `True` or `False`.
    pub status: &'static str,
    /// One word, for machines.
    pub reason: &'static str,
    /// A sentence, for people.
    pub message: &'static str,
}

/// The status of a condition that holds.
pub const TRUE: &str = "True";

/// The status of a condition that does not hold.
pub const FALSE: &str = "False";

/// The status of a condition of which it is not known whether it holds.
pub const UNKNOWN: &str = "Unknown";

/// A condition that is True when all is well.
const fn good_when_true(
    name: &'static str,
    good: (&'static str, &'static str),
    bad: (&'static str, &'static str),
) -> ConditionType {
    ConditionType {
        name,
        good: Some(Outcome { status: TRUE, reason: good.0, message: good.1 }),
        bad: Some(Outcome { status: FALSE, reason: bad.0, message: bad.1 }),
    }
}

/// A condition that is absent when all is well, and True otherwise.
const fn bad_when_true(name: &'static str, bad: (&'static str, &'static str)) -> ConditionType {
    let bad = Some(Outcome { status: TRUE, reason: bad.0, message: bad.1 });
    ConditionType { name, good: None, bad }
}

/// The spec was accepted. On BackupConfiguration and RestoreSession.
pub const VALIDATION_PASSED: ConditionType = good_when_true(
    "ValidationPassed",
    ("ResourceValidationPassed", "Validation has been passed successfully."),
    ("ResourceValidationFailed", "Validation has failed."),
);

/// The schedule of a session stands. On the sessions of a BackupConfiguration.
pub const SCHEDULER_ENSURED: ConditionType = good_when_true(
    "SchedulerEnsured",
    ("SchedulerEnsured", "Scheduler has been ensured successfully."),
    ("SchedulerNotEnsured", "Scheduler could not be ensured."),
);

/// The first backup of a session was started. On the sessions of a BackupConfiguration.
pub const INITIAL_BACKUP_TRIGGERED: ConditionType = good_when_true(
    "InitialBackupTriggered",
    ("SuccessfullyTriggeredInitialBackup", "Initial backup has been triggered successfully."),
    ("FailedToTriggerInitialBackup", "Initial backup could not be triggered."),
);

/// The session was not run. On BackupSession.
pub const BACKUP_SKIPPED: ConditionType = bad_when_true(
    "BackupSkipped",
    ("PreRequisitesNotSatisfied", "Backup has been skipped because a prerequisite is missing."),
);

/// The Snapshots of a session exist. On BackupSession.
pub const SNAPSHOTS_ENSURED: ConditionType = good_when_true(
    "SnapshotsEnsured",
    ("SuccessfullyEnsuredSnapshots", "Snapshots have been ensured successfully."),
    ("FailedToEnsureSnapshots", "Snapshots could not be ensured."),
);

/// The hooks before a backup ran. On BackupSession.
pub const PRE_BACKUP_HOOKS: ConditionType = good_when_true(
    "PreBackupHooksExecutionSucceeded",
    ("SuccessfullyExecutedPreBackupHooks", "Pre-backup hooks have been executed successfully."),
    ("FailedToExecutePreBackupHooks", "A pre-backup hook has failed."),
);

/// There while the session waits for a worker, and gone after that. On BackupSession and RestoreSession.
pub const QUEUED: ConditionType =
    bad_when_true("Queued", ("WaitingForWorker", "It waits for a worker."));

/// The workers of a backup were started. On BackupSession.
pub const BACKUP_EXECUTOR_ENSURED: ConditionType = good_when_true(
    "BackupExecutorEnsured",
    ("SuccessfullyEnsuredBackupExecutor", "Backup Executor has been ensured successfully."),
    ("FailedToEnsureBackupExecutor", "Backup Executor could not be ensured."),
);

/// The hooks after a backup ran. On BackupSession.
pub const POST_BACKUP_HOOKS: ConditionType = good_when_true(
    "PostBackupHooksExecutionSucceeded",
    ("SuccessfullyExecutedPostBackupHooks", "Post-backup hooks have been executed successfully."),
    ("FailedToExecutePostBackupHooks", "A post-backup hook has failed."),
);

/// The removal of old snapshots was started. On BackupSession.
pub const RETENTION_EXECUTOR_ENSURED: ConditionType = good_when_true(
    "RetentionPolicyExecutorEnsured",
    (
        "SuccessfullyEnsuredRetentionPolicyExecutor",
        "Retention Policy Executor has been ensured successfully.",
    ),
    ("FailedToEnsureRetentionPolicyExecutor", "Retention Policy Executor could not be ensured."),
);

/// Old sessions were removed. On BackupSession.
pub const SESSION_HISTORY_CLEANED: ConditionType = good_when_true(
    "SessionHistoryCleaned",
    ("SuccessfullyCleanedSessionHistory", "Session history has been cleaned successfully."),
    ("FailedToCleanSessionHistory", "Session history could not be cleaned."),
);

/// The removal of old snapshots ended too early. On BackupSession.
pub const SNAPSHOT_CLEANUP_INCOMPLETE: ConditionType = bad_when_true(
    "SnapshotCleanupIncomplete",
    (
        "SnapshotCleanupTerminatedBeforeCompletion",
        "Cleanup of old snapshots has been terminated before its completion.",
    ),
);

/// A pod waits too long for its start. On BackupSession.
pub const POD_PENDING_TOO_LONG: ConditionType = bad_when_true(
    "PodHasBeenInPendingStateForLongerThanExpected",
    (
        "PodHasBeenInPendingStateForLongerThanExpected",
        "A pod has been pending for longer than expected.",
    ),
);

/// The session has ended in every respect. On BackupSession and RestoreSession.
pub const METRICS_PUSHED: ConditionType = good_when_true(
    "MetricsPushed",
    ("SuccessfullyPushedMetrics", "Metrics have been pushed successfully."),
    ("FailedToPushMetrics", "Metrics could not be pushed."),
);

/// The time limit of a session has passed. On BackupSession and RestoreSession.
pub const DEADLINE_EXCEEDED: ConditionType = bad_when_true(
    "DeadlineExceeded",
    ("FailedToCompleteWithinDeadline", "The session has not been completed within its time limit."),
);

/// The target of a restore exists. On RestoreSession.
pub const RESTORE_TARGET_FOUND: ConditionType = good_when_true(
    "RestoreTargetFound",
    ("SuccessfullyFoundRestoreTarget", "Restore target has been found."),
    ("UnableToCheckTargetAvailability", "Restore target could not be found."),
);

/// The hooks before a restore ran. On RestoreSession.
pub const PRE_RESTORE_HOOKS: ConditionType = good_when_true(
    "PreRestoreHooksExecutionSucceeded",
    ("SuccessfullyExecutedPreRestoreHooks", "Pre-restore hooks have been executed successfully."),
    ("FailedToExecutePreRestoreHooks", "A pre-restore hook has failed."),
);

/// The workers of a restore were started. On RestoreSession.
pub const RESTORE_EXECUTOR_ENSURED: ConditionType = good_when_true(
    "RestoreExecutorEnsured",
    ("SuccessfullyEnsuredRestoreExecutor", "Restore Executor has been ensured successfully."),
    ("FailedToEnsureRestoreExecutor", "Restore Executor could not be ensured."),
);

/// The hooks after a restore ran. On RestoreSession.
pub const POST_RESTORE_HOOKS: ConditionType = good_when_true(
    "PostRestoreHooksExecutionSucceeded",
    ("SuccessfullyExecutedPostRestoreHooks", "Post-restore hooks have been executed successfully."),
    ("FailedToExecutePostRestoreHooks", "A post-restore hook has failed."),
);

/// A worker of a restore ended too early. On RestoreSession.
pub const RESTORE_INCOMPLETE: ConditionType = bad_when_true(
    "RestoreIncomplete",
    (
        "RestoreExecutorTerminatedBeforeCompletion",
        "Restore Executor has been terminated before its completion.",
    ),
);

/// The storage can be written. On BackupStorage.
pub const BACKEND_INITIALIZED: ConditionType = good_when_true(
    "BackendInitialized",
    ("BackendInitializationSucceeded", "Backend has been initialized successfully."),
    ("BackendInitializationFailed", "Backend could not be initialized."),
);

/// The credentials of the storage exist. On BackupStorage.
pub const BACKEND_SECRET_FOUND: ConditionType = good_when_true(
    "BackendSecretFound",
    ("BackendSecretAvailable", "Backend Secret is available."),
    ("BackendSecretNotAvailable", "Backend Secret is not available."),
);

/// The repository can be written. On Repository.
pub const REPOSITORY_INITIALIZED: ConditionType = good_when_true(
    "RepositoryInitialized",
    ("RepositoryInitializationSucceeded", "Repository has been initialized successfully."),
    ("RepositoryInitializationFailed", "Repository could not be initialized."),
);

/// The Repository shows the snapshot. On Snapshot.
pub const RECENT_SNAPSHOT_LIST_UPDATED: ConditionType = good_when_true(
    "RecentSnapshotListUpdated",
    (
        "SuccessfullyUpdatedRecentSnapshotList",
        "Recent snapshot list has been updated successfully.",
    ),
    ("FailedToUpdateRecentSnapshotList", "Recent snapshot list could not be updated."),
);

/// The storage holds the Snapshot object. On Snapshot.
pub const SNAPSHOT_METADATA_UPLOADED: ConditionType = good_when_true(
    "SnapshotMetadataUploaded",
    ("SuccessfullyUploadedSnapshotMetadata", "Snapshot metadata has been uploaded successfully."),
    ("FailedToUploadSnapshotMetadata", "Snapshot metadata could not be uploaded."),
);

/// A worker of a backup ended too early. On Snapshot.
pub const BACKUP_INCOMPLETE: ConditionType = bad_when_true(
    "BackupIncomplete",
    (
        "BackupExecutorTerminatedBeforeCompletion",
        "Backup Executor has been terminated before its completion.",
    ),
);

/// The source of a component never had a file. On Snapshot; not known to KubeStash, and no failure.
pub const SOURCE_EMPTY: ConditionType =
    bad_when_true("SourceEmpty", ("NoFilesInSource", "There was nothing to back up."));

/// Reason of [`VALIDATION_PASSED`] for a task whose Function is none that Holdfast carries out.
pub const REASON_UNSUPPORTED_FUNCTION: &str = "UnsupportedFunction";

/// Reason of [`VALIDATION_PASSED`] for a reference that the other namespace does not allow.
pub const REASON_REFERENCE_NOT_ALLOWED: &str = "ReferenceNotAllowed";

/// Every type of condition.
pub const ALL: [ConditionType; 27] = [
    VALIDATION_PASSED,
    SCHEDULER_ENSURED,
    INITIAL_BACKUP_TRIGGERED,
    BACKUP_SKIPPED,
    SNAPSHOTS_ENSURED,
    PRE_BACKUP_HOOKS,
    QUEUED,
    BACKUP_EXECUTOR_ENSURED,
    POST_BACKUP_HOOKS,
    RETENTION_EXECUTOR_ENSURED,
    SESSION_HISTORY_CLEANED,
    SNAPSHOT_CLEANUP_INCOMPLETE,
    POD_PENDING_TOO_LONG,
    METRICS_PUSHED,
    DEADLINE_EXCEEDED,
    RESTORE_TARGET_FOUND,
    PRE_RESTORE_HOOKS,
    RESTORE_EXECUTOR_ENSURED,
    POST_RESTORE_HOOKS,
    RESTORE_INCOMPLETE,
    BACKEND_INITIALIZED,
    BACKEND_SECRET_FOUND,
    REPOSITORY_INITIALIZED,
    RECENT_SNAPSHOT_LIST_UPDATED,
    SNAPSHOT_METADATA_UPLOADED,
    BACKUP_INCOMPLETE,
    SOURCE_EMPTY,
];

/// Takes a condition into a list, and returns whether the list changed.
///
/// An entry of that type stays as it is, its time included, when status, reason, message and (where
/// the new one has it) observed generation are equal; otherwise the new one takes its place. A new
/// type goes to the end: a list shows its conditions in the order of their first appearance.
pub fn upsert(conditions: &mut Vec<Condition>, new: Condition) -> bool {
    match conditions.iter_mut().find(|old| old.r#type == new.r#type) {
        None => conditions.push(new),
        Some(old) if says_the_same(old, &new) => return false,
        Some(old) => *old = new,
    }
    true
}

fn says_the_same(old: &Condition, new: &Condition) -> bool {
    old.status == new.status
        && old.reason == new.reason
        && old.message == new.message
        && (new.observed_generation.is_none() || old.observed_generation == new.observed_generation)
}

/// Whether the list has an entry of that type that is True. A missing one is neither True nor False.
pub fn is_true(conditions: &[Condition], kind: &ConditionType) -> bool {
    has(conditions, kind, TRUE)
}

/// Whether the list has an entry of that type that is False. A missing one is neither True nor False.
pub fn is_false(conditions: &[Condition], kind: &ConditionType) -> bool {
    has(conditions, kind, FALSE)
}

fn has(conditions: &[Condition], kind: &ConditionType, status: &str) -> bool {
    conditions.iter().any(|c| c.r#type == kind.name && c.status == status)
}

impl ConditionType {
    /// The condition when all is well, for a type that is not absent then.
    pub fn good(&self, at: Time) -> Option<Condition> {
        self.good.map(|outcome| self.condition(outcome, "", at))
    }

    /// The condition otherwise, with the cause behind the message.
    pub fn bad(&self, cause: &str, at: Time) -> Option<Condition> {
        self.bad.map(|outcome| self.condition(outcome, cause, at))
    }

    fn condition(&self, outcome: Outcome, cause: &str, at: Time) -> Condition {
        let message = match cause {
            "" => outcome.message.to_owned(),
            cause => format!("{} {cause}", outcome.message),
        };
        Condition {
            r#type: self.name.to_owned(),
            status: outcome.status.to_owned(),
            last_transition_time: at,
            observed_generation: None,
            severity: None,
            reason: Some(outcome.reason.to_owned()),
            message: Some(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Time {
        Time::from(Timestamp::from_second(second).unwrap())
    }

    fn good(kind: ConditionType, second: i64) -> Condition {
        kind.good(at(second)).unwrap()
    }

    #[test]
    fn an_entry_that_says_the_same_keeps_its_time() {
        let mut list = vec![good(METRICS_PUSHED, 1)];
        assert!(!upsert(&mut list, good(METRICS_PUSHED, 2)));
        assert_eq!(list, [good(METRICS_PUSHED, 1)]);
    }

    #[test]
    fn any_difference_replaces_the_entry_in_its_place() {
        let first = good(SNAPSHOTS_ENSURED, 1);
        let changes: [fn(&mut Condition); 4] = [
            |c| c.status = FALSE.to_owned(),
            |c| c.reason = None,
            |c| c.message = Some("more".to_owned()),
            |c| c.observed_generation = Some(4),
        ];
        for change in changes {
            let mut list = vec![first.clone(), good(METRICS_PUSHED, 1)];
            let mut new = good(SNAPSHOTS_ENSURED, 9);
            change(&mut new);
            assert!(upsert(&mut list, new.clone()));
            assert_eq!(list, [new, good(METRICS_PUSHED, 1)]);
        }
    }

    #[test]
    fn a_generation_that_the_new_entry_does_not_give_is_not_compared() {
        let mut old = good(METRICS_PUSHED, 1);
        old.observed_generation = Some(4);
        let mut list = vec![old.clone()];
        assert!(!upsert(&mut list, good(METRICS_PUSHED, 2)));
        assert_eq!(list, [old]);
    }

    #[test]
    fn a_new_type_goes_to_the_end() {
        let mut list = vec![good(SNAPSHOTS_ENSURED, 1)];
        assert!(upsert(&mut list, good(METRICS_PUSHED, 1)));
        assert!(upsert(&mut list, BACKUP_INCOMPLETE.bad("exit code 137", at(2)).unwrap()));
        let types: Vec<&str> = list.iter().map(|c| c.r#type.as_str()).collect();
        assert_eq!(types, ["SnapshotsEnsured", "MetricsPushed", "BackupIncomplete"]);
        assert_eq!(
            list[2].message.as_deref(),
            Some("Backup Executor has been terminated before its completion. exit code 137")
        );
    }

    #[test]
    fn a_missing_condition_is_neither_true_nor_false() {
        let list = vec![good(SNAPSHOTS_ENSURED, 1)];
        assert!(is_true(&list, &SNAPSHOTS_ENSURED) && !is_false(&list, &SNAPSHOTS_ENSURED));
        assert!(!is_true(&list, &METRICS_PUSHED) && !is_false(&list, &METRICS_PUSHED));
    }

    #[test]
    fn names_are_distinct_and_reasons_are_words() {
        let mut names: Vec<&str> = ALL.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for kind in ALL {
            for outcome in [kind.good, kind.bad].into_iter().flatten() {
                assert!(outcome.reason.bytes().all(|b| b.is_ascii_alphabetic()), "{outcome:?}");
            }
        }
    }
}
