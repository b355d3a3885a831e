//! Jobs as a worker gets them.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_executor::job::{
    Backup, Job, Passphrase, Repository, Resources, Restore, RestoreOptions, Selection, Source,
    Target, Work,
};
use holdfast_executor::report::{Outcome, Quiet, Report};

const STORED_AS: &str = "/data";
static SESSIONS: AtomicU32 = AtomicU32::new(0);

fn repository(at: &Path) -> Repository {
    Repository {
        name: "main".to_owned(),
        url: format!("file://{}", at.display()),
        access: Default::default(),
        passphrase: Passphrase::new("correct horse".to_owned()),
        expected_id: None,
        create_if_missing: false,
    }
}

fn job(work: Work) -> Job {
    Job { attempt: "attempt".to_owned(), at: 0, work, resources: Resources::default() }
}

/// A backup of `source` in a session of its own; the repository is made when missing.
#[must_use]
pub fn backup(source: &Path, to: &Path) -> Job {
    let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
    job(Work::Backup(Backup {
        repositories: vec![Repository { create_if_missing: true, ..repository(to) }],
        sources: vec![Source::Directory {
            path: source.to_owned(),
            stored_as: STORED_AS.to_owned(),
        }],
        selection: Selection::default(),
        tags: Default::default(),
        host: "host".to_owned(),
        session: format!("session-{number}"),
        component: "dump".to_owned(),
        attempt_number: 0,
        parent: None,
        allow_partial: false,
        had_files_before: None,
        labels: Default::default(),
        reading: Default::default(),
    }))
}

/// A restore of the latest snapshot into `to`.
#[must_use]
pub fn restore(from: &Path, to: &Path) -> Job {
    job(Work::Restore(Restore {
        repository: repository(from),
        snapshot: "latest".to_owned(),
        component: None,
        targets: vec![Target { from: STORED_AS.to_owned(), to: to.to_owned() }],
        options: RestoreOptions::default(),
    }))
}

/// Does a job.
///
/// # Panics
/// If it does not succeed: nothing was measured then.
#[must_use]
pub fn done(job: &Job) -> Report {
    let report = holdfast_executor::run(job, &Quiet);
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    report
}
