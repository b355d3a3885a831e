//! `holdfast repo backup`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::job::{self, Job, Resources, Source, Work};

use super::choose::tags;
use super::excludes::{Excludes, lines};
use super::location::Location;
use super::output::Output;
use super::progress::Watch;
use super::summary;
use crate::exit::Exit;
use crate::ports::{clock, ids};

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
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<String>,
    /// Back up standard input as a file of this name.
    #[arg(long, value_name = "NAME")]
    stdin: Option<String>,
    /// Name of the machine that the data belongs to, instead of this one's.
    #[arg(long, short = 'H', default_value_t = super::hostname(), hide_default_value = true)]
    host: String,
    /// Compare with this snapshot instead of the newest that fits.
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,
    /// Create the repository if the place is empty.
    #[arg(long)]
    init: bool,
    /// Threads; 0: one for each processor.
    #[arg(long, default_value_t = 0)]
    workers: u32,
    #[command(flatten)]
    excludes: Excludes,
}

impl Backup {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let job = self.job(location)?;
        let report = {
            let watch = Watch::new("backup", output.hides_progress())?;
            holdfast_executor::run(&job, &watch)
        };
        summary::print(&report, output)?;
        Ok(Exit::of(&report.outcome))
    }

    fn job(self, location: &Location) -> anyhow::Result<Job> {
        let sources = match &self.stdin {
            Some(name) => {
                vec![Source::Stdin { stored_as: format!("/{}", name.trim_start_matches('/')) }]
            }
            None => self.sources()?,
        };
        let mut repository = location.repository()?;
        repository.create_if_missing = self.init;
        let tags = self.tag.iter().flat_map(|list| tags(list)).filter(|tag| !tag.is_empty());
        Ok(Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Backup(job::Backup {
                repositories: vec![repository],
                sources,
                tags: tags.collect(),
                selection: self.excludes.selection()?,
                host: self.host,
                session: ids::uid().to_string(),
                component: COMPONENT.into(),
                attempt_number: 1,
                parent: self.parent,
                allow_partial: false,
                had_files_before: None,
            }),
            resources: Resources { workers: self.workers, memory_bytes: 0 },
        })
    }

    fn sources(&self) -> anyhow::Result<Vec<Source>> {
        let mut paths = self.paths.clone();
        for file in &self.files_from {
            let lines = lines(file).with_context(|| format!("--files-from {}", file.display()))?;
            paths.extend(lines.into_iter().map(PathBuf::from));
        }
        anyhow::ensure!(!paths.is_empty(), "backup: no path was given");
        paths.iter().map(|path| source(path)).collect()
    }
}

fn source(path: &Path) -> anyhow::Result<Source> {
    let absolute = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
    // `a/..` means the directory above only while `a` is no link; nothing else may be stored under a
    // name that it does not have.
    let stored_as = absolute
        .to_str()
        .with_context(|| {
            format!("{}: the path given must be UTF-8 (what lies below need not)", path.display())
        })?
        .trim_end_matches('/');
    let stored_as = if stored_as.is_empty() { "/" } else { stored_as };
    anyhow::ensure!(
        !absolute.components().any(|part| part == std::path::Component::ParentDir),
        "{}: give the path without `..`",
        path.display()
    );
    Ok(Source::Directory { path: absolute.clone(), stored_as: stored_as.to_owned() })
}
