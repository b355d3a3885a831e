//! Workers as child processes of the same binary.
//!
//! A worker outlives its operator. Whether one is there is read from its directory: who attends it, and
//! whether that very process still runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_engine::{Attempt, Failure, Uid};
use holdfast_executor::job::Job;
use holdfast_executor::report::ProgressUpdate;
use rustix::process::Signal;
use tokio::process::Command;

use crate::ports::ids;
use crate::translate::job::attempt_name;
use crate::translate::report::uid;
use crate::worker::directory::{Attendance, Directory, Ended};

/// How often a directory is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How often progress is told: work that ends sooner needs none.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// A worker attends its directory before it does anything else; after this it is broken.
const ATTENDANCE_LIMIT: Duration = Duration::from_secs(10);

/// What a worker may take to leave its work after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Where workers work, and which program they are.
#[derive(Clone)]
pub struct Workers {
    root: PathBuf,
    program: PathBuf,
    progress: Progress,
}

/// Hears of the components of long jobs how far they have come.
pub type Progress = Arc<dyn Fn(&str, &ProgressUpdate) + Send + Sync>;

/// How a worker ended.
#[derive(Debug)]
pub enum End {
    /// It reported.
    Reported(Box<Ended>),
    /// It is gone without a report.
    Vanished(Failure),
}

impl Workers {
    /// Workers below `root`, as processes of `program`.
    #[must_use]
    pub fn new(root: PathBuf, program: PathBuf, progress: Progress) -> Self {
        Self { root, program, progress }
    }

    /// The directories of an attempt, one for each time that somebody started a worker for it. More than one
    /// is there only while a worker that came too late is about to find that it has no job.
    fn starts(&self, attempt: &Attempt) -> Vec<Directory> {
        let found = std::fs::read_dir(self.root.join(attempt_name(attempt)));
        found.into_iter().flatten().flatten().map(|entry| Directory::at(&entry.path())).collect()
    }

    /// Starts a worker, or finds the one that an earlier operator started. Returns its uid.
    ///
    /// # Errors
    /// When no worker can be made.
    pub async fn start(&self, attempt: &Attempt, job: &Job) -> Result<Uid, Failure> {
        for earlier in self.starts(attempt) {
            // Whoever withdraws the job first has it: either no worker will come of that start, or one is
            // already there.
            let withdrawn = earlier.withdraw_job().map_err(|e| not_started(earlier.path(), &e))?;
            if !withdrawn && let Some(there) = earlier.attendance() {
                return identified(&there);
            }
            // A worker that is only now on its way writes into what is being removed; what it leaves is
            // cleaned away at the next start.
            let _ = earlier.remove();
        }
        let id = ids::uid();
        let directory = Directory::at(&self.root.join(attempt_name(attempt)).join(id.to_string()));
        directory.leave_job(job).map_err(|error| not_started(directory.path(), &error))?;
        self.spawn(&directory, id).await.map_err(|error| not_started(directory.path(), &error))?;
        Ok(id)
    }

    async fn spawn(&self, directory: &Directory, id: Uid) -> std::io::Result<()> {
        let mut child = Command::new(&self.program)
            .arg("work")
            .arg("--dir")
            .arg(directory.path())
            .arg("--uid")
            .arg(id.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.stderr())?)
            .spawn()?;
        let begun = Instant::now();
        let failed = loop {
            if directory.attendance().is_some() {
                break None;
            }
            if let Some(status) = child.try_wait()? {
                break Some(format!(
                    "the worker ended at once ({status}): {}",
                    directory.last_words()
                ));
            }
            if begun.elapsed() > ATTENDANCE_LIMIT {
                child.start_kill()?;
                break Some("the worker did not begin".to_owned());
            }
            tokio::time::sleep(POLL).await;
        };
        // Somebody has to take note of its end, or it stays in the process table.
        tokio::spawn(async move { child.wait().await });
        match failed {
            // It may have been quicker than the look.
            Some(_) if directory.result().is_some() => Ok(()),
            Some(message) => Err(std::io::Error::other(message)),
            None => Ok(()),
        }
    }

    /// Waits until a worker has ended.
    pub async fn wait(&self, attempt: &Attempt) -> End {
        let mut told = Instant::now();
        loop {
            if let Some(end) = self.ended(attempt) {
                return end;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                if let Some(update) = self.starts(attempt).iter().find_map(Directory::progress) {
                    (self.progress)(&attempt.component, &update);
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How a worker ended, if it did.
    #[must_use]
    pub fn ended(&self, attempt: &Attempt) -> Option<End> {
        let starts = self.starts(attempt);
        let running = starts.iter().any(is_attended);
        // In this order: a worker that leaves its result and ends between the two looks is found.
        if let Some(ended) = starts.iter().find_map(Directory::result) {
            return Some(End::Reported(Box::new(ended)));
        }
        let last = starts.into_iter().next_back();
        let last = last.unwrap_or_else(|| Directory::at(&self.root.join(attempt_name(attempt))));
        (!running).then(|| End::Vanished(vanished(&last)))
    }

    /// Stops a worker and sees that it is gone.
    pub async fn stop(&self, attempt: &Attempt) {
        for directory in self.starts(attempt) {
            // A job that nobody took will not be taken either; that it cannot be removed changes nothing.
            let _ = directory.withdraw_job();
            let Some(there) = directory.attendance() else { continue };
            there.process.signal(Signal::TERM);
            let asked = Instant::now();
            while there.process.is_running() {
                if asked.elapsed() > STOP_LIMIT {
                    there.process.signal(Signal::KILL);
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Removes what an attempt left behind.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(&self, attempt: &Attempt) -> std::io::Result<()> {
        Directory::at(&self.root.join(attempt_name(attempt))).remove()
    }

    /// Removes what is left of attempts that nobody waits for.
    pub fn clean(&self, keep: impl Fn(&str) -> bool) {
        for entry in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let starts = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let running =
                starts.map(|start| Directory::at(&start.path())).any(|at| is_attended(&at));
            if !running && !name.to_str().is_some_and(&keep) {
                // What cannot be removed now is tried again at the next start.
                let _ = Directory::at(&entry.path()).remove();
            }
        }
    }
}

fn is_attended(directory: &Directory) -> bool {
    directory.attendance().is_some_and(|there| there.process.is_running())
}

fn identified(there: &Attendance) -> Result<Uid, Failure> {
    uid(&there.uid).ok_or_else(|| Failure {
        reason: "WorkerNotStarted".into(),
        message: format!("the worker's directory names {:?}, which is no uid", there.uid),
        permanent: true,
    })
}

fn not_started(path: &Path, error: &std::io::Error) -> Failure {
    Failure {
        reason: "WorkerNotStarted".into(),
        message: format!("cannot start a worker in {}: {error}", path.display()),
        permanent: false,
    }
}

fn vanished(directory: &Directory) -> Failure {
    let words = directory.last_words();
    let said =
        if words.is_empty() { "it said nothing".into() } else { format!("it said: {words}") };
    Failure {
        reason: "WorkerVanished".into(),
        message: format!("the worker ended without a report; {said}"),
        permanent: false,
    }
}
