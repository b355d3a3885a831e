//! A source, a repository, and the jobs between them: what a worker is given, without an operator.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use holdfast_executor::error::Error;
use holdfast_executor::job::{
    Backup, Job, Passphrase, Repository, Resources, Restore, RestoreOptions, Selection, Source,
    Target, Work,
};
use holdfast_executor::repo::{Open, Repo};
use holdfast_executor::report::{
    BackupFigures, FailureKind, Figures, Outcome, Quiet, Report, RestoreFigures, SnapshotInfo,
};
use holdfast_executor::store::{Access, SharedStore, StoreError, open_url};

/// Where the source lies in a snapshot.
pub const STORED_AS: &str = "/data";
/// Opens every repository here.
pub const PASSPHRASE: &str = "correct horse";
/// Longer than the time in which a file that was just changed is read again to be sure.
const SETTLED: Duration = Duration::from_millis(60);
/// An ordinary user. No account is needed for a number to own things.
pub const ORDINARY_USER: u32 = 64_001;

/// A directory with all of it.
#[derive(Debug)]
pub struct Site {
    base: PathBuf,
    repository: PathBuf,
    sessions: AtomicU32,
}

impl Site {
    /// An empty source in `base`; the repository beside it is made by the first backup.
    ///
    /// # Errors
    /// What making the directories answers.
    pub fn new(base: &Path) -> io::Result<Self> {
        fs::create_dir_all(base.join("source"))?;
        let repository = base.join("repository");
        Ok(Self { base: base.to_owned(), repository, sessions: AtomicU32::new(0) })
    }

    /// The same with its repository somewhere else.
    #[must_use]
    pub fn with_repository(mut self, at: &Path) -> Self {
        self.repository = at.to_owned();
        self
    }

    /// What is backed up.
    #[must_use]
    pub fn source(&self) -> PathBuf {
        self.base.join("source")
    }

    /// A place beside it.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// A backup in a session of its own. Snapshots of one component are each other's parents.
    ///
    /// # Errors
    /// What asking the file system for the time answers.
    pub fn backup(&self, component: &str, workers: u32) -> io::Result<Job> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let source = Source::Directory { path: self.source(), stored_as: STORED_AS.to_owned() };
        let work = Work::Backup(Backup {
            repositories: vec![self.named(true)],
            sources: vec![source],
            selection: Selection::default(),
            tags: Default::default(),
            host: "host".to_owned(),
            session: format!("session-{number}"),
            component: component.to_owned(),
            attempt_number: 0,
            parent: None,
            allow_partial: false,
            had_files_before: None,
            labels: Default::default(),
            reading: Default::default(),
        });
        self.job(work, workers)
    }

    /// A restore of the whole source into `to`.
    ///
    /// # Errors
    /// What asking the file system for the time answers.
    pub fn restore(&self, snapshot: &str, to: &Path, options: RestoreOptions) -> io::Result<Job> {
        let work = Work::Restore(Restore {
            repository: self.named(false),
            snapshot: snapshot.to_owned(),
            component: None,
            targets: vec![Target { from: STORED_AS.to_owned(), to: to.to_owned() }],
            options,
        });
        self.job(work, 2)
    }

    fn job(&self, work: Work, workers: u32) -> io::Result<Job> {
        let resources = Resources { workers, memory_bytes: 0 };
        Ok(Job { attempt: "attempt".to_owned(), at: self.now()?, work, resources })
    }

    fn named(&self, create_if_missing: bool) -> Repository {
        Repository {
            name: "main".to_owned(),
            url: format!("file://{}", self.repository.display()),
            access: Default::default(),
            passphrase: Passphrase::new(PASSPHRASE.to_owned()),
            expected_id: None,
            create_if_missing,
        }
    }

    /// The time by the clock of the file system, which also stamps the files.
    fn now(&self) -> io::Result<i64> {
        let path = self.beside("clock");
        File::create(&path)?;
        let meta = fs::metadata(&path)?;
        fs::remove_file(&path)?;
        Ok(meta.ctime() * 1_000_000_000 + meta.ctime_nsec())
    }

    /// Where the repository lies.
    ///
    /// # Errors
    /// What the store answers.
    pub fn store(&self) -> Result<SharedStore, StoreError> {
        open_url(&format!("file://{}", self.repository.display()), &Access::default())
    }

    /// The opened repository.
    ///
    /// # Errors
    /// What opening it answers.
    pub fn open(&self) -> Result<Repo<Open>, Error> {
        Repo::at(self.store()?).open(PASSPHRASE.as_bytes(), Default::default())
    }
}

/// Lets files grow older than the time in which they count as still being written.
pub fn settle() {
    std::thread::sleep(SETTLED);
}

/// Does a job in this process.
#[must_use]
pub fn done(job: &Job) -> Report {
    holdfast_executor::run(job, &Quiet)
}

/// Does a job in a process of an ordinary user.
///
/// # Errors
/// What starting `mover` answers, or that it did not end with a report.
pub fn done_by(user: u32, mover: &Path, job: &Job) -> io::Result<Report> {
    let id = user.to_string();
    done_under(&["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"], mover, job)
}

/// Does a job in a process that a command starts: one with other rights, or one that watches.
///
/// # Errors
/// What starting it answers, or that it did not end with a report.
pub fn done_under(command: &[&str], mover: &Path, job: &Job) -> io::Result<Report> {
    // A copy that everybody can reach: build directories often lie where only their owner may go.
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let copy = dir.path().join("mover");
    fs::copy(mover, &copy)?;
    let mut child = Command::new(command[0]);
    child.args(&command[1..]).arg(&copy).current_dir("/");
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&serde_json::to_vec(job)?)?;
    }
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Lets everybody read a tree, and go through it.
///
/// # Errors
/// What the file system answers.
pub fn open_to_all(root: &Path) -> io::Result<()> {
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(root).status()?;
    if done.success() { Ok(()) } else { Err(io::Error::other(format!("chmod: {done}"))) }
}

/// The figures of a backup that succeeded.
///
/// # Panics
/// If it did not.
pub fn backed_up(report: &Report) -> &BackupFigures {
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    backup_figures(report)
}

/// The figures of a backup that wrote a snapshot, partial or not.
///
/// # Panics
/// If it did not.
#[must_use]
pub fn backup_figures(report: &Report) -> &BackupFigures {
    match report.repositories.first().map(|repository| &repository.figures) {
        Some(Figures::Backup(figures)) => figures,
        _ => panic!("no figures of a backup: {report:#?}"),
    }
}

/// The figures of a restore that came to an end, with failures or without.
///
/// # Panics
/// If it did not.
#[must_use]
pub fn restore_figures(report: &Report) -> &RestoreFigures {
    match report.repositories.first().map(|repository| &repository.figures) {
        Some(Figures::Restore(figures)) => figures,
        _ => panic!("no figures of a restore: {report:#?}"),
    }
}

/// The figures of a restore that succeeded.
///
/// # Panics
/// If it did not.
pub fn restored(report: &Report) -> &RestoreFigures {
    assert!(matches!(report.outcome, Outcome::Succeeded { .. }), "{report:#?}");
    restore_figures(report)
}

/// The snapshot that a job wrote or read.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn snapshot(report: &Report) -> &SnapshotInfo {
    let snapshot = report.repositories.first().and_then(|found| found.snapshot.as_ref());
    snapshot.unwrap_or_else(|| panic!("no snapshot: {report:#?}"))
}

/// How a job failed.
///
/// # Panics
/// If it did not.
pub fn failed(report: &Report) -> FailureKind {
    match &report.outcome {
        Outcome::Failed(failure) => failure.kind,
        outcome => panic!("it did not fail: {outcome:?}"),
    }
}
