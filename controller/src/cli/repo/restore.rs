//! `holdfast repo restore`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use holdfast_executor::job::{self, Job, RestoreOptions, Work};
use holdfast_executor::repo::{self, Open, Repo};
use holdfast_executor::snapshot::Snapshot;

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::repository::{Watch, glob};
use crate::show::lines::Lines;
use crate::show::repository::{rehearsal as show, report};
use crate::show::style::Style;

/// Arguments of `holdfast repo restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// An id, a unique prefix of one, or `latest`. With `:/sub/dir` the content of that directory goes
    /// directly into the target.
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    snapshot: String,
    #[command(flatten)]
    choose: Choose,
    /// The directory that receives it; made when missing.
    #[arg(long, short = 't', value_name = "DIR")]
    target: PathBuf,
    /// Restore only what fits. Can be repeated.
    #[arg(long, short = 'i', value_name = "GLOB", value_parser = glob)]
    include: Vec<String>,
    /// Leave out what fits. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB", value_parser = glob)]
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
    /// Leave extended attributes whose names fit as the target has them. Can be repeated.
    #[arg(long, value_name = "PATTERN", conflicts_with = "include_xattr")]
    exclude_xattr: Vec<String>,
    /// Restore only extended attributes whose names fit. Can be repeated.
    #[arg(long, value_name = "PATTERN")]
    include_xattr: Vec<String>,
    /// Write nothing: say what would be made (+), replaced (M), removed (-) and refused (!).
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Threads; 0: one for each processor, or fewer where a container's memory limit leaves no room.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(..=super::WORKERS_MAX))]
    workers: u32,
}

impl Restore {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (snapshot, from) = split(&self.snapshot);
        let filter = self.choose.filter_of(snapshot)?;
        let target = job::Target { from: from.to_owned(), to: self.target };
        let options = RestoreOptions {
            include: self.include,
            exclude: self.exclude,
            delete_extra: self.delete,
            verify: self.verify,
            privileged: self.privileged,
            include_attributes: self.include_xattr,
            exclude_attributes: self.exclude_xattr,
        };
        if self.dry_run {
            let repository = location.open()?;
            let (_, found) = self.choose.one(&repository, snapshot, output)?;
            return rehearse(&repository, &found, &target, &options, output);
        }
        let job = Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Restore(job::Restore {
                repository: location.repository()?,
                snapshot: snapshot.to_owned(),
                component: None,
                targets: vec![target],
                options,
            }),
            resources: super::resources(self.workers),
        };
        let report = {
            let watch = Watch::new("restore", output)?;
            holdfast_executor::run_choosing(&job, &filter, &watch)
        };
        report::print(&report, location.url()?, output)?;
        Ok(Exit::of(&report.outcome))
    }
}

fn rehearse(
    repository: &Repo<Open>,
    snapshot: &Snapshot,
    target: &job::Target,
    options: &RestoreOptions,
    output: Output,
) -> anyhow::Result<Exit> {
    let (mut lines, style) = (Lines::new(), Style::detect());
    // Lines and a bar would write over each other.
    let watch = Watch::new("restore", Output { quiet: true, ..output })?;
    let figures = repo::rehearse(repository, snapshot, target, options, &watch, |path, action| {
        match output.json {
            true => lines.line(show::json(path, action)),
            false => output.quiet || lines.line(show::line(path, action, style)),
        };
        Ok(())
    })?;
    if output.json {
        lines.line(serde_json::json!({ "message": "summary", "figures": figures }));
    } else if !output.quiet {
        lines.line(show::summary(&figures));
    }
    lines.finish()?;
    Ok(if figures.failed.count == 0 { Exit::Done } else { Exit::Unreadable })
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
