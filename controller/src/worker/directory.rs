//! The directory that an operator and a worker share. Each start of a worker has one of its own, so that a
//! worker of an earlier start can never take the job of a later one.
//!
//! | File | Written by | Holds |
//! |---|---|---|
//! | `job.json` | operator | the job with its secrets, mode 0600; the worker removes it as it takes it |
//! | `worker.json` | worker, first of all | who works here |
//! | `progress.json` | worker | how far it has come |
//! | `result.json` | worker, last of all | its report |
//! | `stderr.log` | worker | what it said when it could not report |

use std::io;
use std::path::{Path, PathBuf};

use holdfast_executor::job::Job;
use holdfast_executor::report::{ProgressUpdate, Report};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::process::Identity;
use crate::replace::{OPEN, PRIVATE, replace};

/// Bytes of a worker's last words that are shown.
const LAST_WORDS_BYTES: usize = 2048;

/// Who works in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// The worker's uid, given by whoever started it.
    pub uid: String,
    /// Its process.
    pub process: Identity,
}

/// A report and when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Milliseconds since 1970.
    pub ended_ms: i64,
    /// What was done.
    pub report: Report,
}

/// The directory of one start of a worker.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory at a path; nothing is made yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a worker's standard error goes.
    #[must_use]
    pub fn stderr(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    /// Makes the directory and puts the job into it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn leave_job(&self, job: &Job) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let text = Zeroizing::new(serde_json::to_vec(job)?);
        replace(&self.0.join("job.json"), &text, PRIVATE)
    }

    /// Takes the job out of the directory; `None` when it was taken or withdrawn.
    ///
    /// # Errors
    /// What the file system says.
    pub fn take_job(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.0.join("job.json");
        let text = match std::fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Of two that read it, only the one that removes it has taken it.
        Ok(self.withdraw_job()?.then_some(text))
    }

    /// Removes the job; whether it was still there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn withdraw_job(&self) -> io::Result<bool> {
        match std::fs::remove_file(self.0.join("job.json")) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says who works here.
    ///
    /// # Errors
    /// What the file system says.
    pub fn attend(&self, attendance: &Attendance) -> io::Result<()> {
        replace(&self.0.join("worker.json"), &serde_json::to_vec(attendance)?, OPEN)
    }

    /// Who works or worked here.
    #[must_use]
    pub fn attendance(&self) -> Option<Attendance> {
        self.read("worker.json")
    }

    /// Leaves the result.
    ///
    /// # Errors
    /// What the file system says.
    pub fn leave_result(&self, ended: &Ended) -> io::Result<()> {
        replace(&self.0.join("result.json"), &serde_json::to_vec(ended)?, OPEN)
    }

    /// The result, once it is there.
    #[must_use]
    pub fn result(&self) -> Option<Ended> {
        self.read("result.json")
    }

    /// Leaves how far the job has come; it is only for people, so nothing is made of an error.
    pub fn leave_progress(&self, update: &ProgressUpdate) {
        if let Ok(text) = serde_json::to_vec(update) {
            let _ = std::fs::write(self.0.join(".progress"), text).and_then(|()| {
                std::fs::rename(self.0.join(".progress"), self.0.join("progress.json"))
            });
        }
    }

    /// How far the job has come.
    #[must_use]
    pub fn progress(&self) -> Option<ProgressUpdate> {
        self.read("progress.json")
    }

    /// The end of what the worker said.
    #[must_use]
    pub fn last_words(&self) -> String {
        let said = std::fs::read(self.stderr()).unwrap_or_default();
        let start = said.len().saturating_sub(LAST_WORDS_BYTES);
        holdfast_executor::report::printable(said[start..].trim_ascii())
    }

    /// Removes the directory.
    ///
    /// # Errors
    /// What the file system says; that it is gone already is none.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.0.join(name)).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_executor::job::{
        Passphrase, Repository, Resources, Restore, RestoreOptions, Work,
    };

    fn job() -> Job {
        Job {
            attempt: "a".into(),
            at: 0,
            work: Work::Restore(Restore {
                repository: Repository {
                    name: "r".into(),
                    url: "file:///r".into(),
                    access: Default::default(),
                    passphrase: Passphrase::new("marker".into()),
                    expected_id: None,
                    create_if_missing: false,
                },
                snapshot: "latest".into(),
                component: None,
                targets: Vec::new(),
                options: RestoreOptions::default(),
            }),
            resources: Resources::default(),
        }
    }

    #[test]
    fn a_job_is_taken_once_and_then_gone() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::at(&dir.path().join("attempt"));
        directory.leave_job(&job()).unwrap();
        assert!(directory.take_job().unwrap().is_some());
        assert!(directory.take_job().unwrap().is_none());
        assert!(!directory.withdraw_job().unwrap());
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains("marker"));
        }
    }

    #[test]
    fn last_words_are_the_end_without_control_characters() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::at(dir.path());
        assert_eq!(directory.last_words(), "");
        std::fs::write(directory.stderr(), format!("{}\x1b[31mend\n", "x".repeat(5000))).unwrap();
        let words = directory.last_words();
        assert!(words.ends_with("\\u{1b}[31mend") && words.len() < LAST_WORDS_BYTES + 20);
    }
}
