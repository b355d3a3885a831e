//! A report of the executor becomes the engine's. The only place where the two words meet.

use holdfast_engine::report::{BackupReport, Grade, PathResult, RepositoryResult, RestoreReport};
use holdfast_engine::{Failure, Millis, Timestamp, Uid};
use holdfast_executor::report::{
    self as executor, BackupFigures, Figures, Listed, Outcome, Report, SourceFigures,
};

/// The report of a backup; `ended` is when the worker was through, `paths` what it was asked to read: the
/// sources of its job, in their order.
#[must_use]
pub fn backup(report: &Report, ended: Timestamp, paths: &[String]) -> BackupReport {
    BackupReport {
        failure: failure(&report.outcome, report.repositories.iter().find_map(unreadable)),
        ended,
        duration: Millis(report.duration_ms),
        repositories: report
            .repositories
            .iter()
            .filter_map(|repository| result(repository, ended, paths))
            .collect(),
    }
}

/// The report of a restore.
#[must_use]
pub fn restore(report: &Report, ended: Timestamp) -> RestoreReport {
    let figures = report.repositories.iter().find_map(|repository| match &repository.figures {
        Figures::Restore(figures) => Some(figures.as_ref()),
        _ => None,
    });
    // What could not be written says more than what only lacks metadata.
    let failed = figures.and_then(|figures| {
        let lists = [(&figures.failed, UNWRITTEN), (&figures.unset, UNSET)];
        lists.into_iter().find(|(listed, _)| listed.count > 0)
    });
    RestoreReport {
        failure: failure(&report.outcome, failed),
        ended,
        duration: Millis(report.duration_ms),
        files: figures.map_or(0, |figures| figures.entries.files),
        bytes: figures.map_or(0, |figures| figures.bytes_written),
        skipped: figures.map(|figures| skipped(figures.skipped)).unwrap_or_default(),
    }
}

fn result(
    repository: &executor::RepositoryReport,
    ended: Timestamp,
    paths: &[String],
) -> Option<RepositoryResult> {
    let uid = uid(&repository.name)?;
    let nothing = BackupFigures::default();
    let figures = match &repository.figures {
        Figures::Backup(figures) => figures.as_ref(),
        Figures::Restore(_) | Figures::Nothing => &nothing,
    };
    let (commit, grade) = match &repository.outcome {
        Outcome::Superseded { snapshot } => (snapshot.clone(), Grade::Written),
        Outcome::Succeeded { grade } | Outcome::Partial { grade } => (
            repository.snapshot.as_ref().map(|s| s.id.clone()).unwrap_or_default(),
            self::grade(*grade),
        ),
        Outcome::Failed(_) => (String::new(), Grade::None),
    };
    let entries = figures.entries;
    let holds_nothing = entries.holds_nothing()
        && entries.directories <= u64::try_from(paths.len()).unwrap_or(u64::MAX);
    let counted = matches!(repository.figures, Figures::Backup(_));
    Some(RepositoryResult {
        repository: uid,
        partial: repository.snapshot.as_ref().is_some_and(|s| s.partial),
        source_empty: !commit.is_empty() && counted && holds_nothing,
        paths: if commit.is_empty() {
            Vec::new()
        } else {
            path_results(repository, figures, ended, paths)
        },
        commit,
        grade,
        repository_size: figures.repository_bytes,
        unreadable: figures.unreadable.count,
        first_unreadable: figures.unreadable.first.iter().map(listing).collect(),
        failure: failure(&repository.outcome, unreadable(repository)),
    })
}

/// One entry for each path. Of a commit that somebody else made nothing but the paths is known.
fn path_results(
    repository: &executor::RepositoryReport,
    figures: &BackupFigures,
    ended: Timestamp,
    paths: &[String],
) -> Vec<PathResult> {
    let lasted = i64::try_from(repository.duration_ms).unwrap_or(0);
    let start = Timestamp(ended.0.saturating_sub(lasted));
    let nothing = SourceFigures::default();
    let sources = figures.sources.iter().chain(std::iter::repeat(&nothing));
    let results = paths.iter().zip(sources).map(|(path, source)| PathResult {
        path: path.clone(),
        size: source.bytes_processed,
        uploaded: source.bytes_added,
        files: source.entries.files,
        start,
        end: ended,
    });
    results.collect()
}

fn unreadable(repository: &executor::RepositoryReport) -> Option<(&Listed, &'static str)> {
    match &repository.figures {
        Figures::Backup(figures) if figures.unreadable.count > 0 => {
            Some((&figures.unreadable, UNWRITTEN))
        }
        Figures::Backup(figures) if figures.attributes_unreadable.count > 0 => {
            Some((&figures.attributes_unreadable, ATTRIBUTES))
        }
        _ => None,
    }
}

/// What is said of entries that are listed.
const UNWRITTEN: &str = "could not be read or written";
const UNSET: &str = "lack some of their metadata";
const ATTRIBUTES: &str = "have attributes that could not be read";

fn failure(outcome: &Outcome, listed: Option<(&Listed, &str)>) -> Option<Failure> {
    match outcome {
        Outcome::Succeeded { .. } | Outcome::Superseded { .. } => None,
        Outcome::Partial { .. } => Some(Failure {
            reason: "Incomplete".into(),
            message: listed.map_or_else(|| "some entries were left out".into(), sentence),
            permanent: false,
        }),
        Outcome::Failed(failed) => Some(Failure {
            reason: format!("{:?}", failed.kind).into(),
            message: failed.message.clone(),
            permanent: failed.permanent,
        }),
    }
}

/// How many entries, and the first of them by name.
fn sentence((listed, what): (&Listed, &str)) -> String {
    /// Paths that fit into a condition's message.
    const NAMED: usize = 3;
    let names: Vec<String> = listed.first.iter().take(NAMED).map(listing).collect();
    let more = if listed.first.len() > NAMED || listed.count > NAMED as u64 { ", …" } else { "" };
    let entries = if listed.count == 1 { "entry" } else { "entries" };
    format!("{} {entries} {what}: {}{more}", listed.count, names.join(", "))
}

fn listing(listing: &executor::Listing) -> String {
    format!("{} ({})", listing.path, listing.message)
}

fn grade(grade: executor::Grade) -> Grade {
    match grade {
        executor::Grade::Written => Grade::Written,
        executor::Grade::ReadBack => Grade::ReadBack,
    }
}

fn skipped(skipped: executor::Skipped) -> Vec<(String, u64)> {
    [
        ("owners", skipped.owners),
        ("setuid", skipped.setuid),
        ("capabilities", skipped.capabilities),
        ("devices", skipped.devices),
        ("sockets", skipped.sockets),
        ("systemAttributes", skipped.system_attributes),
        ("unsupportedAttributes", skipped.unsupported_attributes),
        ("belongsToAnother", skipped.belongs_to_another),
        ("coarseTimes", skipped.coarse_times),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(class, count)| (class.to_owned(), count))
    .collect()
}

/// A uid as a job names its repository, or a repository's identity as the executor writes it.
#[must_use]
pub fn uid(text: &str) -> Option<Uid> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Uid(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_executor::report::{Entries, FailureKind, RepositoryReport, SnapshotInfo};

    fn report(outcome: Outcome, partial: bool, figures: BackupFigures) -> Report {
        let snapshot = SnapshotInfo {
            ended_at: None,
            stored_at: None,
            id: "c0".into(),
            object_digest: None,
            tree: String::new(),
            at: 0,
            host: String::new(),
            session: String::new(),
            component: String::new(),
            tags: Vec::new(),
            roots: Vec::new(),
            partial,
            parent: None,
            files: 0,
            directories: 0,
            bytes: 0,
        };
        let failed = matches!(outcome, Outcome::Failed(_));
        Report {
            attempt: "a".into(),
            outcome: outcome.clone(),
            repositories: vec![RepositoryReport {
                name: Uid([7; 16]).to_string(),
                outcome,
                repository_id: None,
                snapshot: (!failed).then_some(snapshot),
                figures: if failed { Figures::Nothing } else { Figures::Backup(Box::new(figures)) },
                duration_ms: 500,
            }],
            duration_ms: 600,
        }
    }

    fn of(outcome: Outcome, partial: bool, figures: BackupFigures) -> BackupReport {
        backup(&report(outcome, partial, figures), Timestamp(10_000), &["/a".into()])
    }

    #[test]
    fn a_success_names_its_commit_and_its_figures() {
        let entries = Entries { files: 3, directories: 1, ..Entries::default() };
        let figures = BackupFigures {
            entries,
            sources: vec![SourceFigures {
                entries,
                bytes_processed: 9,
                bytes_added: 4,
                ..SourceFigures::default()
            }],
            ..BackupFigures::default()
        };
        let report = of(Outcome::Succeeded { grade: executor::Grade::ReadBack }, false, figures);
        assert_eq!(report.failure, None);
        let result = &report.repositories[0];
        assert_eq!((result.repository, result.commit.as_str()), (Uid([7; 16]), "c0"));
        assert_eq!((result.grade, result.source_empty), (Grade::ReadBack, false));
        assert_eq!(
            (result.paths[0].size, result.paths[0].uploaded, result.paths[0].files),
            (9, 4, 3)
        );
        assert_eq!(result.paths[0].start, Timestamp(9_500));
    }

    #[test]
    fn every_path_has_a_result_of_its_own() {
        let source = |files, bytes_processed, bytes_added| SourceFigures {
            entries: Entries { files, ..Entries::default() },
            bytes_processed,
            bytes_added,
            bytes_new: 0,
        };
        let figures = BackupFigures {
            sources: vec![source(1, 10, 5), source(0, 0, 0), source(7, 70, 35)],
            ..BackupFigures::default()
        };
        let report =
            report(Outcome::Succeeded { grade: executor::Grade::ReadBack }, false, figures);
        let paths = ["/a".to_owned(), "/b".to_owned(), "/c/d".to_owned()];
        let told = &backup(&report, Timestamp(10_000), &paths).repositories[0].paths;
        let told: Vec<_> = told.iter().map(|p| (&*p.path, p.files, p.size, p.uploaded)).collect();
        assert_eq!(told, [("/a", 1, 10, 5), ("/b", 0, 0, 0), ("/c/d", 7, 70, 35)]);
    }

    #[test]
    fn a_commit_of_another_attempt_keeps_its_paths_and_a_failure_has_none() {
        let superseded = Outcome::Superseded { snapshot: "c1".into() };
        let report = of(superseded, false, BackupFigures::default());
        let result = &report.repositories[0];
        assert_eq!((result.commit.as_str(), result.paths[0].path.as_str()), ("c1", "/a"));
        let failed = executor::Failure::new(FailureKind::StoreFull, "no space left");
        let report = of(Outcome::Failed(failed), false, BackupFigures::default());
        assert!(report.repositories[0].paths.is_empty());
    }

    #[test]
    fn a_partial_backup_is_a_failure_that_names_the_first_paths() {
        let mut figures = BackupFigures::default();
        figures.unreadable.add(b"/a/locked", "permission denied");
        let report = of(Outcome::Partial { grade: executor::Grade::Written }, true, figures);
        let failure = report.failure.unwrap();
        assert!(
            failure
                .message
                .starts_with("1 entry could not be read or written: /a/locked (permission denied)"),
            "{}",
            failure.message
        );
        assert!(report.repositories[0].partial && !report.repositories[0].commit.is_empty());
    }

    #[test]
    fn an_empty_source_is_told_from_one_that_failed() {
        let entries = Entries { directories: 1, ..Entries::default() };
        let figures = BackupFigures { entries, ..BackupFigures::default() };
        assert!(
            of(Outcome::Succeeded { grade: executor::Grade::Written }, false, figures).repositories
                [0]
            .source_empty
        );
        let failed = executor::Failure::new(FailureKind::WrongPassphrase, "no slot opens");
        let report = of(Outcome::Failed(failed), false, BackupFigures::default());
        assert!(!report.repositories[0].source_empty);
        let failure = report.failure.unwrap();
        assert_eq!((failure.reason.as_str(), failure.permanent), ("WrongPassphrase", true));
    }

    #[test]
    fn uids_come_back_in_both_spellings() {
        let id = Uid([0xab; 16]);
        assert_eq!(uid(&id.to_string()), Some(id));
        assert_eq!(uid(&crate::translate::job::hex(id)), Some(id));
        assert_eq!(uid("xyz"), None);
        assert_eq!(uid(&"zz".repeat(16)), None);
    }
}
