//! `holdfast repo restore`.

use std::path::PathBuf;

use clap::Args;
use holdfast_executor::job::{self, Job, Resources, RestoreOptions, Work};

use super::location::Location;
use super::output::Output;
use super::progress::Watch;
use super::summary;
use crate::exit::Exit;
use crate::ports::{clock, ids};

/// Arguments of `holdfast repo restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// An id, a unique prefix of one, or `latest`. With `:/sub/dir` the content of that directory goes
    /// directly into the target.
    snapshot: String,
    /// The directory that receives it; made when missing.
    #[arg(long, short = 't', value_name = "DIR")]
    target: PathBuf,
    /// Restore only what fits. Can be repeated.
    #[arg(long, short = 'i', value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out what fits. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB")]
    exclude: Vec<String>,
    /// Remove what the target holds and the snapshot does not.
    #[arg(long)]
    delete: bool,
    /// Compare content of files that look unchanged instead of trusting size and time.
    #[arg(long)]
    verify: bool,
    /// Restore owners, setuid bits, capabilities and devices too (needs root).
    #[arg(long)]
    privileged: bool,
    /// Threads; 0: one for each processor.
    #[arg(long, default_value_t = 0)]
    workers: u32,
}

impl Restore {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (snapshot, from) = split(&self.snapshot);
        let job = Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Restore(job::Restore {
                repository: location.repository()?,
                snapshot: snapshot.to_owned(),
                component: None,
                targets: vec![job::Target { from: from.to_owned(), to: self.target }],
                options: RestoreOptions {
                    include: self.include,
                    exclude: self.exclude,
                    delete_extra: self.delete,
                    verify: self.verify,
                    privileged: self.privileged,
                },
            }),
            resources: Resources { workers: self.workers, memory_bytes: 0 },
        };
        let report = {
            let watch = Watch::new("restore", output.hides_progress())?;
            holdfast_executor::run(&job, &watch)
        };
        summary::print(&report, output)?;
        Ok(Exit::of(&report.outcome))
    }
}

/// `SNAPSHOT[:/sub/dir]`; ids hold no colon, so the first one divides.
pub fn split(text: &str) -> (&str, &str) {
    match text.split_once(':') {
        Some((snapshot, path)) if !path.is_empty() => (snapshot, path),
        Some((snapshot, _)) => (snapshot, "/"),
        None => (text, "/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_and_a_path_in_it() {
        assert_eq!(split("latest"), ("latest", "/"));
        assert_eq!(split("ab12:/etc/ssh"), ("ab12", "/etc/ssh"));
        assert_eq!(split("ab12:"), ("ab12", "/"));
        assert_eq!(split("ab12:/a:b"), ("ab12", "/a:b"));
    }
}
