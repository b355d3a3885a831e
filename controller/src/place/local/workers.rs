//! Workers as child processes of the same binary.
//!
//! A worker outlives its operator. Whether one is there is read from its directory: who attends it, and
//! whether that very process still runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_engine::{Attempt, Failure, Uid};
use holdfast_executor::job::Job;
use holdfast_executor::report::ProgressUpdate;
use rustix::process::Signal;
use tokio::process::Command;

use crate::place::End;
use crate::ports::ids;
use crate::translate::job::attempt_name;
use crate::translate::report::uid;
use crate::worker::directory::{Attendance, Directory};

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
    ids: ids::Handle,
    ends: Ends,
}

/// How workers of this operator ended, by their directories; absent until they have. Only their parent is told.
type Ends = Arc<Mutex<BTreeMap<PathBuf, Option<ExitStatus>>>>;

impl Workers {
    /// Workers below `root`, as processes of `program`.
    #[must_use]
    pub fn new(root: PathBuf, program: PathBuf, ids: ids::Handle) -> Self {
        Self { root, program, ids, ends: Ends::default() }
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
        let id = self.ids.uid();
        let directory = Directory::at(&self.root.join(attempt_name(attempt)).join(id.to_string()));
        directory.leave_job(job).map_err(|error| not_started(directory.path(), &error))?;
        self.spawn(&directory, id).await.map_err(|error| not_started(directory.path(), &error))?;
        Ok(id)
    }

    async fn spawn(&self, directory: &Directory, id: Uid) -> std::io::Result<()> {
        let mut child = Command::new(&self.program)
            // Its job brings all that it needs: no storage borrows what the operator's environment holds.
            .env_clear()
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
        let path = directory.path().to_owned();
        self.told().insert(path.clone(), None);
        let workers = self.clone();
        tokio::spawn(async move {
            match child.wait().await {
                Ok(status) => workers.told().insert(path, Some(status)),
                Err(_) => workers.told().remove(&path),
            };
        });
        match failed {
            // It may have been quicker than the look.
            Some(_) if directory.result().is_some() => Ok(()),
            Some(message) => Err(std::io::Error::other(message)),
            None => Ok(()),
        }
    }

    /// Waits until a worker has ended, and tells how far it comes.
    pub async fn wait(&self, attempt: &Attempt, tell: impl Fn(&ProgressUpdate) + Send) -> End {
        let mut told = Instant::now();
        loop {
            if let Some(end) = self.ended(attempt) {
                return end;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                if let Some(update) = self.starts(attempt).iter().find_map(Directory::progress) {
                    tell(&update);
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How a worker ended, if it did.
    #[must_use]
    pub fn ended(&self, attempt: &Attempt) -> Option<End> {
        let starts = self.starts(attempt);
        let running = starts.iter().any(|start| is_attended(start) || self.is_awaited(start));
        // In this order: a worker that leaves its result and ends between the two looks is found.
        if let Some(ended) = starts.iter().find_map(Directory::result) {
            return Some(End::Reported(Box::new(ended)));
        }
        let last = starts.into_iter().next_back();
        let last = last.unwrap_or_else(|| Directory::at(&self.root.join(attempt_name(attempt))));
        (!running).then(|| End::Vanished(self.vanished(&last)))
    }

    /// Stops a worker and sees that it is gone.
    pub async fn stop(&self, attempt: &Attempt) {
        for directory in self.starts(attempt) {
            // A job that nobody took will not be taken either; that it cannot be removed changes nothing.
            let _ = directory.withdraw_job();
            let Some(there) = directory.attendance() else { continue };
            there.process.signal(Signal::TERM);
            let asked = Instant::now();
            while there.process.is_running() || self.is_awaited(&directory) {
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
        let path = self.root.join(attempt_name(attempt));
        self.told().retain(|start, _| !start.starts_with(&path));
        Directory::at(&path).remove()
    }

    /// It has ended at most a moment ago: how, is about to be told.
    fn is_awaited(&self, start: &Directory) -> bool {
        self.told().get(start.path()).is_some_and(Option::is_none)
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<ExitStatus>>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vanished(&self, directory: &Directory) -> Failure {
        let how = self.told().get(directory.path()).copied().flatten();
        let how = how.map(|status| format!(" ({status})"));
        let how = how.unwrap_or_default();
        let words = directory.last_words();
        let said =
            if words.is_empty() { "it said nothing".into() } else { format!("it said: {words}") };
        Failure {
            reason: "WorkerVanished".into(),
            message: format!("the worker ended without a report{how}; {said}"),
            permanent: false,
        }
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

#[cfg(test)]
mod tests {
    use holdfast_executor::job::{
        Passphrase, Repository, Resources, Restore, RestoreOptions, Work,
    };
    use holdfast_executor::report::{FailureKind, Outcome, Report};

    use super::*;
    use crate::worker::directory::Ended;
    use crate::worker::process::Identity;

    /// What a worker says first: who it is.
    const ATTEND: &str =
        r#"printf '{"uid":"%s","process":{"pid":%d,"start":0}}' "$5" $$ > "$3/worker.json""#;

    /// Works until it is stopped, or its directory is taken away.
    const WORK: &str = r#"while test -e "$3/worker.json"; do sleep 0.05; done"#;

    struct Bench {
        dir: tempfile::TempDir,
        workers: Workers,
    }

    impl Bench {
        /// Workers that are this shell script, called as `work --dir DIR --uid UID`.
        fn new(script: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let program = dir.path().join("program");
            // Written by another process: a file that this one ever had open for writing may still be so in a
            // child of another test, and cannot be run then.
            let text = format!("#!/bin/sh\nset -e\n{script}\n");
            let written = std::process::Command::new("sh")
                .args(["-c", "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\""])
                .arg(&program)
                .arg(&text)
                .status()
                .unwrap();
            assert!(written.success());
            let (work, ids) = (dir.path().join("work"), Arc::new(ids::Machine));
            let workers = Workers::new(work, program, ids);
            Self { dir, workers }
        }

        fn started(&self) -> usize {
            std::fs::read_dir(self.dir.path().join("work").join(attempt_name(&attempt())))
                .map_or(0, Iterator::count)
        }
    }

    fn attempt() -> Attempt {
        Attempt { session: Uid([1; 16]), component: "dump".into(), number: 1 }
    }

    fn job() -> Job {
        let repository = Repository {
            name: "r".into(),
            url: "file:///r".into(),
            access: Default::default(),
            passphrase: Passphrase::new("marker".into()),
            expected_id: None,
            create_if_missing: false,
        };
        let restore = Restore {
            repository,
            snapshot: "latest".into(),
            component: None,
            targets: Vec::new(),
            options: RestoreOptions::default(),
        };
        Job {
            attempt: "a".into(),
            at: 0,
            work: Work::Restore(restore),
            resources: Resources::default(),
        }
    }

    fn result() -> Ended {
        let failure = holdfast_executor::report::Failure::new(FailureKind::Interrupted, "x");
        let report = Report {
            attempt: "a".into(),
            outcome: Outcome::Failed(failure),
            repositories: Vec::new(),
            duration_ms: 1,
        };
        Ended { ended_ms: 5, report }
    }

    #[tokio::test]
    async fn a_worker_that_is_there_is_found_again_and_none_is_started_beside_it() {
        let bench = Bench::new(&format!("rm \"$3/job.json\"; {ATTEND}; {WORK}"));
        let uid = bench.workers.start(&attempt(), &job()).await.unwrap();
        assert_eq!(bench.workers.start(&attempt(), &job()).await.unwrap(), uid);
        assert_eq!(bench.started(), 1);
        assert!(bench.workers.ended(&attempt()).is_none());
        // Nobody waits for it, and yet it works.
        bench.workers.clean(|_| false);
        assert_eq!(bench.started(), 1);
        bench.workers.stop(&attempt()).await;
        assert!(matches!(bench.workers.ended(&attempt()), Some(End::Vanished(_))));
        bench.workers.clean(|name| name == attempt_name(&attempt()));
        assert_eq!(bench.started(), 1, "it is kept");
        bench.workers.clean(|_| false);
        assert_eq!(bench.started(), 0);
    }

    #[tokio::test]
    async fn a_job_that_nobody_took_is_withdrawn_before_another_worker_is_started() {
        let bench = Bench::new(&format!("{ATTEND}; {WORK}"));
        let first = bench.workers.start(&attempt(), &job()).await.unwrap();
        let second = bench.workers.start(&attempt(), &job()).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(bench.started(), 1, "no job is left for the first one");
        bench.workers.stop(&attempt()).await;
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_told_with_its_last_words() {
        let bench = Bench::new("echo 'no such library' >&2; exit 127");
        let failure = bench.workers.start(&attempt(), &job()).await.unwrap_err();
        assert_eq!((failure.reason.as_str(), failure.permanent), ("WorkerNotStarted", false));
        assert!(failure.message.contains("no such library"), "{}", failure.message);
        assert!(!failure.message.contains("marker"));
    }

    #[tokio::test]
    async fn a_result_counts_even_when_the_worker_is_gone_and_said_something() {
        let bench = Bench::new("exit 0");
        let directory =
            Directory::at(&bench.dir.path().join("work").join(attempt_name(&attempt())).join("x"));
        std::fs::create_dir_all(directory.path()).unwrap();
        let gone = Identity { pid: i32::MAX, start: 1 };
        directory.attend(&Attendance { uid: Uid([2; 16]).to_string(), process: gone }).unwrap();
        std::fs::write(directory.stderr(), "killed").unwrap();
        match bench.workers.ended(&attempt()) {
            Some(End::Vanished(failure)) => assert!(failure.message.contains("killed")),
            other => panic!("{other:?}"),
        }
        directory.leave_result(&result()).unwrap();
        match bench.workers.wait(&attempt(), |_| {}).await {
            End::Reported(ended) => assert_eq!(*ended, result()),
            other => panic!("{other:?}"),
        }
        bench.workers.remove(&attempt()).unwrap();
        assert_eq!(bench.started(), 0);
    }

    #[tokio::test]
    async fn how_a_worker_was_ended_is_told() {
        let bench = Bench::new(&format!("{ATTEND}\nsleep 0.2\nkill -9 $$"));
        bench.workers.start(&attempt(), &job()).await.unwrap();
        let end = bench.workers.wait(&attempt(), |_| {}).await;
        let End::Vanished(failure) = end else { panic!("{end:?}") };
        let said = "the worker ended without a report (signal: 9 (SIGKILL)); it said nothing";
        assert_eq!(failure.message, said);
        bench.workers.remove(&attempt()).unwrap();
        assert!(bench.workers.told().is_empty());
    }

    #[tokio::test]
    async fn an_attempt_without_a_directory_has_vanished() {
        let bench = Bench::new("exit 0");
        assert!(matches!(bench.workers.wait(&attempt(), |_| {}).await, End::Vanished(_)));
    }
}
