//! One job from beginning to end: what the worker process calls.

use std::sync::Arc;
use std::time::Instant;

use crate::digest::RepoId;
use crate::error::{Error, Result};
use crate::job::{Backup, Job, Repository, Resources, Restore, Source, Work};
use crate::repo::{self, Environment, Filter, InitOptions, Open, Repo, Unlock, describe};
use crate::report::{
    BackupFigures, Failure, FailureKind, Figures, Grade, Outcome, Phase, Progress, ProgressUpdate,
    Report, RepositoryReport, printable, without_credentials,
};
use crate::store::{MemoryStore, Record, Retry, Store as _, StoreError, open_url};

/// What the first key slot of a repository is called.
const FIRST_SLOT_LABEL: &str = "first";

/// Does a job. Whatever happens, there is a report.
#[must_use]
pub fn run(job: &Job, progress: &dyn Progress) -> Report {
    run_choosing(job, &Filter::default(), progress)
}

/// The same, where `latest` of a restore means the newest complete snapshot that fits.
#[must_use]
pub fn run_choosing(job: &Job, filter: &Filter, progress: &dyn Progress) -> Report {
    let began = Instant::now();
    let repositories = match &job.work {
        Work::Backup(backup) => match refuse(backup) {
            Some(error) => return refused(job, &error),
            None => {
                backup.repositories.iter().map(|to| run_backup(job, backup, to, progress)).collect()
            }
        },
        Work::Restore(restore) => vec![run_restore(job, restore, filter, progress)],
    };
    let worst = repositories
        .iter()
        .map(|report: &RepositoryReport| report.outcome.clone())
        .max_by_key(Outcome::severity);
    let outcome = worst.unwrap_or_else(|| {
        Outcome::Failed(Failure::new(FailureKind::InvalidJob, "repositories: name at least one"))
    });
    Report { attempt: job.attempt.clone(), outcome, repositories, duration_ms: millis(began) }
}

/// What a backup into one repository would come to. Nothing is written anywhere: a repository that would be
/// made is made in memory.
///
/// # Errors
/// As those of the backup.
pub fn rehearse_backup(
    job: &Job,
    backup: &Backup,
    to: &Repository,
    progress: &dyn Progress,
) -> Result<BackupFigures> {
    if let Some(error) = refuse(backup) {
        return Err(error);
    }
    let (repo, store) = match open(to, job.at, false, progress) {
        Err(Error::NoRepository) if to.create_if_missing => {
            let store = Arc::new(Record::new(Arc::new(MemoryStore::new())));
            let made = Repo::at(store.clone()).init(to.passphrase.as_bytes(), first(job.at))?;
            (made, store)
        }
        opened => opened?,
    };
    let mut figures = repo::rehearse_backup(&repo, backup, &environment(job, to, progress))?;
    figures.requests = requests(&store);
    Ok(figures)
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

fn refused(job: &Job, error: &Error) -> Report {
    let outcome = Outcome::Failed(failure_of(error));
    Report { attempt: job.attempt.clone(), outcome, repositories: Vec::new(), duration_ms: 0 }
}

/// Jobs that contradict themselves.
fn refuse(backup: &Backup) -> Option<Error> {
    let is_stream =
        |source: &&Source| matches!(source, Source::Stdin { .. } | Source::Command { .. });
    let streams = backup.sources.iter().filter(is_stream);
    let invalid = |field, reason: &str| Some(Error::Invalid { field, reason: reason.to_owned() });
    match streams.count() {
        0 => {}
        1 if backup.repositories.len() <= 1 => {}
        1 => {
            return invalid("repositories", "a stream can be read once: name one repository");
        }
        _ => return invalid("sources", "one stream makes a snapshot: name one"),
    }
    if backup.repositories.iter().any(|to| to.create_if_missing && to.expected_id.is_some()) {
        return invalid("createIfMissing", "a repository that is known is never initialised again");
    }
    None
}

fn run_backup(
    job: &Job,
    backup: &Backup,
    to: &Repository,
    progress: &dyn Progress,
) -> RepositoryReport {
    let began = Instant::now();
    let mut report = begin(to, progress);
    let done = open(to, job.at, true, progress).and_then(|(repo, store)| {
        report.repository_id = Some(repo.id().to_string());
        let done = repo::backup(&repo, backup, &environment(job, to, progress));
        store.notices().iter().for_each(|text| progress.warn(text));
        Ok((done?, store))
    });
    match done {
        Ok((done, store)) => {
            let mut info = describe(&done.committed.name, &done.committed.snapshot);
            info.object_digest = Some(done.committed.digest.to_string());
            report.snapshot = Some(info);
            let figures = BackupFigures { requests: requests(&store), ..done.figures };
            let lost = figures.unreadable.count + figures.attributes_unreadable.count;
            let unreadable = lost > 0 && !backup.allow_partial;
            let grade = Grade::ReadBack;
            report.outcome =
                if unreadable { Outcome::Partial { grade } } else { Outcome::Succeeded { grade } };
            report.figures = Figures::Backup(Box::new(figures));
        }
        Err(error) => report.outcome = outcome_of(&error, progress),
    }
    report.duration_ms = millis(began);
    report
}

fn run_restore(
    job: &Job,
    restore: &Restore,
    filter: &Filter,
    progress: &dyn Progress,
) -> RepositoryReport {
    let began = Instant::now();
    let mut report = begin(&restore.repository, progress);
    let done = open(&restore.repository, job.at, false, progress).and_then(|(repo, store)| {
        report.repository_id = Some(repo.id().to_string());
        let component = restore.component.as_deref();
        let filter = Filter { now_ms: Some(job.at / 1_000_000), ..filter.clone() };
        let (name, snapshot) =
            repo.find_fitting(&restore.snapshot, component, &filter, progress)?;
        report.snapshot = Some(describe(&name, &snapshot));
        let environment = environment(job, &restore.repository, progress);
        let (targets, options) = (&restore.targets, &restore.options);
        let mut figures = repo::restore(&repo, &snapshot, targets, options, &environment)?;
        figures.requests = requests(&store);
        Ok(figures)
    });
    match done {
        Ok(figures) => {
            // Every id was recomputed on the way.
            let grade = Grade::ReadBack;
            report.outcome = match figures.failed.count + figures.unset.count {
                0 => Outcome::Succeeded { grade },
                _ => Outcome::Partial { grade },
            };
            report.figures = Figures::Restore(Box::new(figures));
        }
        Err(error) => report.outcome = outcome_of(&error, progress),
    }
    report.duration_ms = millis(began);
    report
}

fn begin(to: &Repository, progress: &dyn Progress) -> RepositoryReport {
    let update =
        ProgressUpdate { repository: to.name.clone(), phase: Phase::Opening, ..Default::default() };
    progress.update(&update);
    RepositoryReport {
        name: to.name.clone(),
        outcome: Outcome::Failed(Failure::new(FailureKind::Internal, "it never ended")),
        repository_id: None,
        snapshot: None,
        figures: Figures::Nothing,
        duration_ms: 0,
    }
}

fn environment<'a>(job: &Job, to: &'a Repository, progress: &'a dyn Progress) -> Environment<'a> {
    let Resources { workers, memory_bytes } = job.resources;
    let workers = workers as usize;
    Environment { at: job.at, workers, memory_bytes, progress, repository: &to.name }
}

fn requests(store: &Record) -> u64 {
    store.tallies().values().map(|tally| tally.calls).sum()
}

/// Opens a repository, or makes it where that was asked for and provably nothing is.
fn open(
    to: &Repository,
    at: i64,
    write: bool,
    progress: &dyn Progress,
) -> Result<(Repo<Open>, Arc<Record>)> {
    let expected = match &to.expected_id {
        None => None,
        Some(text) => Some(RepoId::from_hex(text).ok_or_else(|| Error::Invalid {
            field: "expectedId",
            reason: "is no repository id (32 hexadecimal digits)".to_owned(),
        })?),
    };
    let record = Arc::new(Record::new(open_url(&to.url, &to.access)?));
    let closed = Repo::at(Arc::new(Retry::patient(record.clone()).until(progress.cancel_flag())));
    let unlock = Unlock { expected, write };
    let passphrase = to.passphrase.as_bytes();
    let create = write && to.create_if_missing && expected.is_none();
    let open = || closed.open_telling(passphrase, unlock, |text| progress.warn(text));
    let repo = match open() {
        Err(Error::NoRepository) if create => match closed.init(passphrase, first(at)) {
            // Somebody else was first: theirs is as good.
            Err(Error::AlreadyInitialised { .. }) => open()?,
            other => other?,
        },
        other => other?,
    };
    Ok((repo, record))
}

/// How a repository begins that a job makes.
fn first(at: i64) -> InitOptions<'static> {
    InitOptions { label: FIRST_SLOT_LABEL, now_ms: at / 1_000_000, ..Default::default() }
}

fn outcome_of(error: &Error, progress: &dyn Progress) -> Outcome {
    match error {
        Error::Superseded { snapshot } => Outcome::Superseded { snapshot: snapshot.to_string() },
        Error::SessionFailed(inner) => outcome_of(inner, progress),
        // What was being waited for when somebody asked to stop is not why it ends.
        Error::Store(store) if !store.permanent() && progress.cancelled() => {
            Outcome::Failed(failure_of(&Error::Interrupted))
        }
        error => Outcome::Failed(failure_of(error)),
    }
}

/// The class and the words of an error. Classes are what others decide by.
#[must_use]
pub fn failure_of(error: &Error) -> Failure {
    let kind = kind_of(error);
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    let message = printable(without_credentials(&message).as_bytes());
    Failure { kind, permanent: kind.is_permanent(), message }
}

fn kind_of(error: &Error) -> FailureKind {
    use FailureKind as K;
    match error {
        Error::Store(error) => kind_of_store(error),
        Error::SessionFailed(inner) => kind_of(inner),
        Error::NoRepository => K::RepositoryNotFound,
        Error::RepositoryReplaced { .. } => K::RepositoryReplaced,
        Error::Unsupported { .. } => K::RepositoryUnsupported,
        Error::WrongPassphrase { .. } => K::WrongPassphrase,
        Error::KeySlotDamaged { .. } | Error::KeySlotTampered { .. } | Error::NoKeySlot => {
            K::KeySlotDamaged
        }
        Error::ConfigLost { .. }
        | Error::KdfRefused { .. }
        | Error::NewerEpoch { .. }
        | Error::Damaged { .. }
        | Error::Binding { .. }
        | Error::BlobMissing { .. } => K::RepositoryDamaged,
        Error::NoSuch { what: "snapshot", .. } | Error::OnlyPartial { .. } => K::SnapshotNotFound,
        Error::NoSuch { .. } => K::PathNotFound,
        Error::Ambiguous { .. } => K::SnapshotAmbiguous,
        Error::IntentLapsed { .. } | Error::PackCollected { .. } => K::OvertakenByCollection,
        Error::SourceMissing { .. } => K::SourceMissing,
        Error::SourceUnreadable { .. } => K::SourceUnreadable,
        Error::EmptySource { .. } | Error::EmptyStream { .. } => K::EmptySource,
        Error::Target { source, .. } => match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => K::TargetFull,
            _ => K::TargetUnwritable,
        },
        Error::ReadBack { .. } => K::ReadBackFailed,
        Error::Interrupted => K::Interrupted,
        Error::NotEmpty { .. } | Error::AlreadyInitialised { .. } => K::PathNotEmpty,
        Error::Invalid { .. } | Error::Limit { .. } | Error::NoThread { .. } => K::InvalidJob,
        _ => K::Internal,
    }
}

fn kind_of_store(error: &StoreError) -> FailureKind {
    match error {
        StoreError::Denied { .. } | StoreError::NoIdentity { .. } => FailureKind::StoreDenied,
        StoreError::NoBucket { .. } => FailureKind::StoreMissing,
        StoreError::Full { .. } => FailureKind::StoreFull,
        StoreError::NotFound { .. } | StoreError::TooLarge { .. } => FailureKind::RepositoryDamaged,
        StoreError::Invalid { .. }
        | StoreError::Rejected { .. }
        | StoreError::Unfit { .. }
        | StoreError::BadUrl { .. } => FailureKind::InvalidJob,
        _ => FailureKind::StoreUnreachable,
    }
}
