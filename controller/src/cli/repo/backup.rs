//! `holdfast repo backup`.

use super::workers::Workers;
use crate::ports::environment;
use std::path::PathBuf;

use clap::Args;
use holdfast_executor::job::{self, Job, Reading, Source, Work};

use super::excludes::Excludes;
use super::habits::NoScan;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::repository::{
    Misuse, Watch, command, lines, paths, records, sources, stream_name, tags,
};
use crate::show::repository::{backup as show, report};

/// Snapshots of this verb look for their parents among themselves, not among an operator's.
const COMPONENT: &str = "manual";

/// What a stream is called that nobody has named, as restic does.
const STREAM_NAME: &str = "stdin";

/// Arguments of `holdfast repo backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Files and directories; a link is followed. They may lie in each other. With --stdin-from-command: the
    /// command and its arguments, behind `--`.
    #[arg(
        required_unless_present_any = ["stdin", "stdin_from_command", "files_from", "files_from_verbatim", "files_from_raw"],
        conflicts_with = "stdin"
    )]
    paths: Vec<PathBuf>,
    /// Take paths from this file too, one a line; lines that begin with `#` are comments, and `*`, `?` and `[`
    /// stand for what is there. `-` is standard input. Can be repeated.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "stdin_from_command"])]
    files_from: Vec<PathBuf>,
    /// The same, where each line is a path and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "stdin_from_command"])]
    files_from_verbatim: Vec<PathBuf>,
    /// The same, where each path ends with a NUL, as `find -print0` writes them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "stdin_from_command"])]
    files_from_raw: Vec<PathBuf>,
    /// Label the snapshot. Can be repeated.
    #[arg(long, value_name = "TAG[,TAG…]", value_parser = tags)]
    tag: Vec<Vec<String>>,
    /// Back up standard input as a file of this name, `stdin` where none is given.
    #[arg(long, value_name = "NAME", value_parser = stream_name, num_args = 0..=1, default_missing_value = STREAM_NAME)]
    stdin: Option<String>,
    /// Back up what a command writes, if it ends well: `--stdin-from-command -- COMMAND ARGUMENTS`.
    #[arg(long, conflicts_with = "stdin")]
    stdin_from_command: bool,
    /// Name of the file that standard input or the command becomes.
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stdin_filename: Option<String>,
    /// Name of the machine that the data belongs to, instead of this one's; an empty one is this one's. In a pod,
    /// whose name is another each time, name what it backs up.
    #[arg(long, short = 'H', env = "HOLDFAST_HOST", hide_env_values = true, default_value_t = environment::hostname(), hide_default_value = true)]
    host: String,
    /// Compare with this snapshot, whatever it is of, instead of the newest complete one of the same host, paths
    /// and excludes.
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,
    /// Compare with no snapshot: read every file again.
    #[arg(long, short = 'f', conflicts_with = "parent")]
    force: bool,
    /// A file whose ctime alone has changed counts as unmodified.
    #[arg(long)]
    ignore_ctime: bool,
    /// A file whose inode or ctime alone has changed counts as unmodified.
    #[arg(long)]
    ignore_inode: bool,
    /// Read devices and pipes that are named as paths, and store them as files.
    #[arg(long)]
    read_special: bool,
    /// Nothing at all on standard input, or in paths that had files, is no failure.
    #[arg(long)]
    allow_empty: bool,
    /// Create the repository if the place is empty.
    #[arg(long, conflicts_with = "expect_repository")]
    init: bool,
    /// Write nothing: read everything that a backup would read, and say what it would add.
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    excludes: Excludes,
    #[command(flatten)]
    no_scan: NoScan,
}

impl Backup {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (names_files, dry_run) = (output.is_verbose(), self.dry_run);
        let allow_empty = self.allow_empty;
        let job = self.job(location)?;
        let watch = Watch::new("backup", output)?.naming_files(names_files);
        if dry_run {
            let Work::Backup(backup) = &job.work else { return Ok(Exit::Failed) };
            let to = &backup.repositories[0];
            let figures = holdfast_executor::rehearse_backup(&job, backup, to, &watch);
            drop(watch);
            let figures = figures.map_err(|error| location.place(error))?;
            show::warn_of(&figures, allow_empty, output);
            return Ok(show::rehearsed(&figures, output)?);
        }
        let report = holdfast_executor::run(&job, &watch);
        drop(watch);
        show::warn(&report, allow_empty, output);
        report::print(&report, location.url()?, output)?;
        Ok(Exit::of(&report.outcome))
    }

    fn sources(&self) -> anyhow::Result<Vec<Source>> {
        let named = self.stdin_filename.clone();
        if self.stdin_from_command {
            return Ok(vec![command(&self.paths, named.unwrap_or(format!("/{STREAM_NAME}")))?]);
        }
        if let Some(name) = &self.stdin {
            return Ok(vec![Source::Stdin { stored_as: named.unwrap_or(name.clone()) }]);
        }
        if named.is_some() {
            let text = "--stdin-filename goes with --stdin or --stdin-from-command";
            return Err(Misuse::new(text).into());
        }
        let mut all = self.paths.clone();
        for file in &self.files_from {
            all.extend(paths(file)?);
        }
        for file in &self.files_from_verbatim {
            all.extend(lines(file)?);
        }
        for file in &self.files_from_raw {
            all.extend(records(file)?);
        }
        match all.is_empty() {
            true => Err(Misuse::new("no path was given, and the files name none").into()),
            false => sources(&all),
        }
    }

    fn job(self, location: &Location) -> anyhow::Result<Job> {
        let sources = self.sources()?;
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
                // A variable of a script that is not set names no other machine.
                host: if self.host.is_empty() { environment::hostname() } else { self.host },
                session: ids::uid().to_string(),
                component: COMPONENT.into(),
                attempt_number: 1,
                parent: self.parent,
                allow_partial: false,
                had_files_before: None,
                labels: Default::default(),
                reading: Reading {
                    force: self.force,
                    ignore_ctime: self.ignore_ctime,
                    ignore_inode: self.ignore_inode,
                    read_special: self.read_special,
                    allow_empty: self.allow_empty,
                },
            }),
            resources: self.workers.resources(),
        })
    }
}
