//! `holdfast repo backup`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use holdfast_executor::job::{self, Job, Source, Work};

use super::excludes::Excludes;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::repository::{Misuse, Watch, paths, source, stream_name, tags};
use crate::show::repository::{backup as show, report};

/// Snapshots of this verb look for their parents among themselves, not among an operator's.
const COMPONENT: &str = "manual";

/// Arguments of `holdfast repo backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Files and directories.
    #[arg(required_unless_present_any = ["stdin", "files_from"], conflicts_with = "stdin")]
    paths: Vec<PathBuf>,
    /// Take paths from this file too, one a line; lines that begin with `#` are comments. Can be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    files_from: Vec<PathBuf>,
    /// Label the snapshot. Can be repeated.
    #[arg(long, value_name = "TAG[,TAG…]", value_parser = tags)]
    tag: Vec<Vec<String>>,
    /// Back up standard input as a file of this name.
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stdin: Option<String>,
    /// Name of the machine that the data belongs to, instead of this one's.
    #[arg(long, short = 'H', default_value_t = super::hostname(), hide_default_value = true)]
    host: String,
    /// Compare with this snapshot instead of the newest that fits.
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,
    /// Create the repository if the place is empty.
    #[arg(long, conflicts_with = "expect_repository")]
    init: bool,
    /// Write nothing: read everything that a backup would read, and say what it would add.
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Name the files that are read, because they are new (+) or have changed (M).
    #[arg(long, short = 'v')]
    verbose: bool,
    /// Threads; 0: one for each processor, or fewer where a container's memory limit leaves no room.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(..=super::WORKERS_MAX))]
    workers: u32,
    #[command(flatten)]
    excludes: Excludes,
}

impl Backup {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (names_files, dry_run) = (self.verbose && !output.quiet, self.dry_run);
        let hint = self.parent.clone();
        let job = self.job(location)?;
        let watch = Watch::new("backup", output)?.naming_files(names_files);
        if dry_run {
            let Work::Backup(backup) = &job.work else { return Ok(Exit::Failed) };
            let to = &backup.repositories[0];
            let figures = holdfast_executor::rehearse_backup(&job, backup, to, &watch);
            drop(watch);
            return Ok(show::rehearsed(&figures.map_err(|error| location.place(error))?, output)?);
        }
        let report = holdfast_executor::run(&job, &watch);
        drop(watch);
        show::warn_of_parent(&report, hint.as_deref(), output);
        report::print(&report, location.url()?, output)?;
        Ok(Exit::of(&report.outcome))
    }

    fn job(self, location: &Location) -> anyhow::Result<Job> {
        let sources = match self.stdin {
            Some(stored_as) => vec![Source::Stdin { stored_as }],
            None => {
                let mut all = self.paths;
                for file in &self.files_from {
                    all.extend(paths(file)?);
                }
                if all.is_empty() {
                    return Err(Misuse::new("no path was given, and the files name none").into());
                }
                all.iter().map(|path| source(path)).collect::<anyhow::Result<_>>()?
            }
        };
        let selection = self.excludes.selection()?;
        let mut repository = location.repository()?;
        repository.create_if_missing = self.init;
        Ok(Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Backup(job::Backup {
                repositories: vec![repository],
                sources,
                tags: self.tag.into_iter().flatten().collect(),
                selection,
                host: self.host,
                session: ids::uid().to_string(),
                component: COMPONENT.into(),
                attempt_number: 1,
                parent: self.parent,
                allow_partial: false,
                had_files_before: None,
            }),
            resources: super::resources(self.workers),
        })
    }
}
