//! A worker's own report: what it committed, repository by repository, and what that is worth.
//!
//! | Row | if | the component of that snapshot is |
//! |---|---|---|
//! | 1 | nothing was committed | Failed |
//! | 2 | it ended after the deadline | Failed, what was committed stays |
//! | 3 | something could not be read, and partial backups are not allowed | Failed, what was committed stays, marked partial |
//! | 4 | it was not read back | Failed |
//! | 5 | the source is empty and was not at its last success | Failed |
//! | 6 | the repository, or nothing but the report as a whole, names a failure | Failed |
//! | 7 | otherwise | Succeeded |

use alloc::format;
use alloc::string::String;

use crate::backup::Worker;
use crate::backup::decide::{advance, end, known, result, worker};
use crate::backup::state::{Backup, SnapshotSummary};
use crate::draft::Draft;
use crate::ids::Attempt;
use crate::limits;
use crate::outcome::{Failure, Outcome};
use crate::rejection::Rejection;
use crate::report::{BackupReport, Grade, RepositoryResult};
use crate::snapshot;
use crate::snapshot::phase::{Phase, phase};

pub(crate) fn decide(
    draft: &mut Draft,
    attempt: &Attempt,
    given: Worker,
    report: &BackupReport,
) -> Result<(), Rejection> {
    let component = worker::current(draft, attempt)?;
    match component.worker {
        Some(recorded) if !worker::is_same(recorded, given) => {
            let key = known(draft, attempt.session)?.key.clone();
            return Err(Rejection::conflict(key, "the report is of another worker"));
        }
        Some(_) => {}
        None => worker::observe(draft, attempt, given),
    }
    worker::forget_start(draft, attempt);
    let backup = known(draft, attempt.session)?.clone();
    let mut first_failure = None;
    for listed in &backup.snapshots {
        let outcome = record(draft, &backup, listed, attempt, report);
        if let Outcome::Failed(failure) = outcome {
            first_failure.get_or_insert(failure);
        }
    }
    let outcome = first_failure.map_or(Outcome::Succeeded, Outcome::Failed);
    worker::end(draft, attempt, outcome, report.duration);
    if is_late(&backup, report) {
        // The others are late as well.
        end::time_out(draft, attempt.session);
    }
    advance(draft, attempt.session);
    Ok(())
}

fn is_late(backup: &Backup, report: &BackupReport) -> bool {
    backup.deadline.is_some_and(|deadline| report.ended > deadline)
}

/// Records what one repository got.
fn record(
    draft: &mut Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    attempt: &Attempt,
    report: &BackupReport,
) -> Outcome {
    let nothing = nothing();
    let found = report.repositories.iter().find(|entry| entry.repository == listed.repository);
    let entry = found.unwrap_or(&nothing);
    let outcome = match judge(draft, backup, listed, attempt, report, entry) {
        None => Outcome::Succeeded,
        Some(failure) => Outcome::Failed(failure),
    };
    let uid = listed.uid;
    for path in &entry.paths {
        draft.emit(snapshot::Event::PathRecorded {
            uid,
            component: attempt.component.clone(),
            result: path.clone(),
        });
    }
    draft.emit(snapshot::Event::ComponentEnded {
        uid,
        component: attempt.component.clone(),
        outcome: outcome.clone(),
        commit: entry.commit.clone(),
        partial: entry.partial,
        source_empty: entry.source_empty,
        grade: entry.grade,
        size: entry.repository_size,
        duration: report.duration,
    });
    outcome
}

fn nothing() -> RepositoryResult {
    RepositoryResult {
        repository: crate::ids::Uid::default(),
        commit: String::new(),
        partial: false,
        source_empty: false,
        grade: Grade::None,
        repository_size: 0,
        paths: alloc::vec::Vec::new(),
        unreadable: 0,
        first_unreadable: alloc::vec::Vec::new(),
        failure: None,
    }
}

fn judge(
    draft: &Draft,
    backup: &Backup,
    listed: &SnapshotSummary,
    attempt: &Attempt,
    report: &BackupReport,
    entry: &RepositoryResult,
) -> Option<Failure> {
    let named = || entry.failure.clone().or_else(|| report.failure.clone());
    if entry.commit.is_empty() {
        return Some(named().unwrap_or_else(|| {
            result::failure("NothingCommitted", "the worker committed nothing to this repository")
        }));
    }
    if is_late(backup, report) {
        return Some(result::failure(
            "DeadlineExceeded",
            "the worker ended after the session's deadline",
        ));
    }
    let allow_partial = backup.plan.as_ref().is_some_and(|plan| plan.allow_partial);
    if entry.partial && !allow_partial {
        return Some(partial(entry));
    }
    if entry.grade < Grade::ReadBack {
        return Some(named().unwrap_or_else(|| {
            result::failure("NotReadBack", "what was committed could not be read back")
        }));
    }
    if entry.source_empty && had_files(draft, backup, listed, &attempt.component) {
        return Some(result::failure(
            "SourceEmpty",
            "the source has no entry, and had some in its last Succeeded snapshot; \
             if that is right, delete that snapshot",
        ));
    }
    let tolerated = entry.partial && allow_partial;
    let elsewhere = report.repositories.iter().any(|other| {
        other.repository != entry.repository && (other.failure.is_some() || other.partial)
    });
    match (&entry.failure, &report.failure) {
        (Some(failure), _) if !tolerated => Some(failure.clone()),
        (None, Some(failure)) if !tolerated && !elsewhere => Some(failure.clone()),
        _ => None,
    }
}

fn partial(entry: &RepositoryResult) -> Failure {
    let paths = entry.first_unreadable.iter().take(limits::UNREADABLE_NAMED);
    let list = paths.map(String::as_str).collect::<alloc::vec::Vec<_>>().join(", ");
    Failure {
        reason: "PartialBackup".into(),
        message: format!(
            "{} entries could not be read: {list}; what could be read is kept and marked partial",
            entry.unreadable
        ),
        permanent: false,
    }
}

/// Whether this component of the last Succeeded snapshot of the session had any file.
fn had_files(draft: &Draft, backup: &Backup, listed: &SnapshotSummary, component: &str) -> bool {
    let last = draft
        .snapshots()
        .filter(|snapshot| {
            snapshot.repository == listed.repository
                && snapshot.session == backup.session
                && snapshot.uid != listed.uid
                && phase(snapshot) == Phase::Succeeded
        })
        .max_by_key(|snapshot| (snapshot.taken, snapshot.uid));
    last.and_then(|snapshot| snapshot.component(component))
        .is_some_and(|known| !known.source_empty && known.paths.iter().any(|path| path.files > 0))
}
