//! Reports, as workers leave them.

use std::collections::BTreeSet;

use holdfast_executor::report::{
    BackupFigures, Entries, Failure, FailureKind, Figures, Grade, Listed, Outcome, Report,
    RepositoryReport, RestoreFigures, SnapshotInfo, SourceFigures,
};

use super::clock::BEGINNING;
use super::worker::{Ending, Started};
use crate::translate::job::attempt_name;
use crate::worker::directory::Ended;

/// The report of a worker that ended by itself; `lost` are the repositories that were not there.
pub(super) fn of(started: &Started, ended: i64, lost: &BTreeSet<String>) -> Ended {
    let duration_ms = u64::try_from(ended - started.begun).unwrap();
    let repositories: Vec<RepositoryReport> = started
        .work
        .repositories
        .iter()
        .map(|(name, place)| {
            let gone = lost.contains(place).then(|| {
                Outcome::Failed(Failure::new(
                    FailureKind::RepositoryNotFound,
                    "there is no repository",
                ))
            });
            let outcome = gone.unwrap_or_else(|| outcome(started.ending));
            let failed = matches!(outcome, Outcome::Failed(_));
            RepositoryReport {
                name: name.clone(),
                repository_id: None,
                snapshot: (!failed).then(|| snapshot(started)),
                figures: if failed { Figures::Nothing } else { figures(started) },
                outcome,
                duration_ms,
            }
        })
        .collect();
    let worst = repositories.iter().map(|r| &r.outcome).max_by_key(|outcome| outcome.severity());
    let outcome = worst.cloned().unwrap_or_else(|| outcome(started.ending));
    let attempt = attempt_name(&started.attempt);
    let report = Report { attempt, outcome, repositories, duration_ms };
    Ended { ended_ms: BEGINNING + ended, report }
}

fn outcome(ending: Ending) -> Outcome {
    let failed = |permanent| {
        let failure = Failure::new(FailureKind::SourceUnreadable, "the disk says no");
        Outcome::Failed(Failure { permanent, ..failure })
    };
    match ending {
        Ending::Partial => Outcome::Partial { grade: Grade::ReadBack },
        Ending::Fails => failed(false),
        Ending::FailsForGood => failed(true),
        Ending::Succeeds | Ending::Vanishes | Ending::Hangs => {
            Outcome::Succeeded { grade: Grade::ReadBack }
        }
    }
}

fn entries() -> Entries {
    Entries { files: 10, directories: 2, ..Entries::default() }
}

fn figures(started: &Started) -> Figures {
    if !started.work.writes {
        let (entries, bytes_written) = (entries(), 1_000);
        let figures = RestoreFigures { entries, bytes_written, ..RestoreFigures::default() };
        return Figures::Restore(Box::new(figures));
    }
    let mut unreadable = Listed::default();
    if started.ending == Ending::Partial {
        unreadable.add(b"/source/data/locked", "permission denied");
        unreadable.add(b"/source/data/torn", "input/output error");
    }
    let source = SourceFigures {
        entries: entries(),
        bytes_processed: 1_000,
        bytes_added: 100,
        ..SourceFigures::default()
    };
    Figures::Backup(Box::new(BackupFigures {
        entries: entries(),
        bytes_processed: 1_000,
        bytes_added: 100,
        unreadable,
        repository_bytes: 10_000,
        sources: vec![source; started.work.paths.len()],
        ..BackupFigures::default()
    }))
}

fn snapshot(started: &Started) -> SnapshotInfo {
    SnapshotInfo {
        id: started.work.commit.clone(),
        object_digest: None,
        tree: String::new(),
        at: (BEGINNING + started.begun) * 1_000_000,
        ended_at: None,
        stored_at: None,
        host: String::new(),
        session: String::new(),
        component: started.attempt.component.clone(),
        tags: Vec::new(),
        roots: started.work.paths.clone(),
        partial: started.ending == Ending::Partial,
        parent: None,
        files: 10,
        directories: 2,
        bytes: 1_000,
    }
}
