//! A worker: one process for one attempt at one component.
//!
//! It takes its job from a directory and leaves its result there, and needs nobody while it works: an
//! operator that is gone finds the result when it is back.

pub mod directory;
pub mod guard;
pub mod process;
pub mod task;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use holdfast_executor::job::Job;
use holdfast_executor::report::{Failure, FailureKind, Outcome, Progress, ProgressUpdate, Report};

use crate::ports::{clock, memory};
use crate::signals;
use directory::{Attendance, Directory, Ended};

/// How often the progress file changes at most; nobody reads it faster.
const PROGRESS_EVERY: Duration = Duration::from_millis(300);

/// Takes the job of a directory, does it, and leaves the result.
///
/// # Errors
/// When the directory cannot be used; a job that fails is a result, not an error.
pub fn work(dir: &Path, uid: &str) -> anyhow::Result<()> {
    // A session of its own: the terminal's signals are the operator's. Fails only where it is set already.
    let _ = rustix::process::setsid();
    let directory = Directory::at(dir);
    directory.attend(&Attendance { uid: uid.into(), process: process::Identity::own()? })?;
    let Some(text) = directory.take_job()? else {
        // Somebody else took it; then this process has nothing to do and nothing to report.
        return Ok(());
    };
    let cancelled = signals::cancelled()?;
    let report = match serde_json::from_slice::<Job>(&text) {
        Ok(mut job) => {
            job.resources = memory::within_limit(job.resources);
            holdfast_executor::run(&job, &Reporter::new(&directory, cancelled))
        }
        Err(error) => unreadable(&error),
    };
    drop(text);
    directory.leave_result(&Ended { ended_ms: clock::now().0, report })?;
    Ok(())
}

fn unreadable(error: &serde_json::Error) -> Report {
    // The parser's message may show a value, and a job holds passphrases.
    let message =
        format!("the job cannot be read (line {}, column {})", error.line(), error.column());
    Report {
        attempt: String::new(),
        outcome: Outcome::Failed(Failure::new(FailureKind::InvalidJob, message)),
        repositories: Vec::new(),
        duration_ms: 0,
    }
}

/// Writes how far the job has come, now and then.
struct Reporter<'a> {
    directory: &'a Directory,
    cancelled: std::sync::Arc<AtomicBool>,
    last: Mutex<Option<Instant>>,
}

impl<'a> Reporter<'a> {
    fn new(directory: &'a Directory, cancelled: std::sync::Arc<AtomicBool>) -> Self {
        Self { directory, cancelled, last: Mutex::new(None) }
    }
}

impl Progress for Reporter<'_> {
    fn update(&self, update: &ProgressUpdate) {
        // Another thread that writes just now writes the same; nobody waits.
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
            *last = Some(Instant::now());
            self.directory.leave_progress(update);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn cancel_flag(&self) -> Option<std::sync::Arc<AtomicBool>> {
        Some(self.cancelled.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cannot_be_read_is_a_result_that_shows_no_value() {
        // The parser's own message quotes the value.
        let text = r#"{"attempt": "a", "at": "marker-of-a-secret", "work": {}}"#;
        let error = serde_json::from_str::<Job>(text).unwrap_err();
        assert!(error.to_string().contains("marker"));
        let report = unreadable(&error);
        assert!(!format!("{report:?}").contains("marker"), "{report:?}");
        match report.outcome {
            Outcome::Failed(failure) => {
                assert_eq!((failure.kind, failure.permanent), (FailureKind::InvalidJob, true));
                assert!(failure.message.contains("line 1"), "{}", failure.message);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn progress_is_left_at_once_and_then_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::at(dir.path());
        let cancelled = std::sync::Arc::new(AtomicBool::new(false));
        let reporter = Reporter::new(&directory, cancelled.clone());
        assert!(directory.progress().is_none() && !reporter.cancelled());
        reporter.update(&ProgressUpdate { files: 1, ..ProgressUpdate::default() });
        assert_eq!(directory.progress().unwrap().files, 1);
        // As if just now: then it is not written again.
        *reporter.last.lock().unwrap() = Some(Instant::now() + PROGRESS_EVERY);
        reporter.update(&ProgressUpdate { files: 2, ..ProgressUpdate::default() });
        assert_eq!(directory.progress().unwrap().files, 1);
        *reporter.last.lock().unwrap() = None;
        reporter.update(&ProgressUpdate { files: 3, ..ProgressUpdate::default() });
        assert_eq!(directory.progress().unwrap().files, 3);
        cancelled.store(true, Ordering::Relaxed);
        assert!(reporter.cancelled());
    }
}
