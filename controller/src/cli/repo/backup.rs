//! `holdfast repo backup`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::job::{self, Job, Resources, Selection, Source, Work};

use super::choose::tags;
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
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    paths: Vec<PathBuf>,
    /// Leave out what fits; with a slash from the root, without one at any level. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB")]
    exclude: Vec<String>,
    /// Label the snapshot. Can be repeated.
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<String>,
    /// Back up standard input as a file of this name.
    #[arg(long, value_name = "NAME")]
    stdin: Option<String>,
    /// Name of the machine that the data belongs to.
    #[arg(long, default_value_t = super::hostname())]
    host: String,
    /// Compare with this snapshot instead of the newest that fits.
    #[arg(long, value_name = "SNAPSHOT")]
    parent: Option<String>,
    /// Do not descend into other file systems.
    #[arg(long, short = 'x')]
    one_file_system: bool,
    /// Create the repository if the place is empty.
    #[arg(long)]
    init: bool,
    /// Threads; 0: one for each processor.
    #[arg(long, default_value_t = 0)]
    workers: u32,
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
            None => self.paths.iter().map(source).collect::<anyhow::Result<_>>()?,
        };
        let mut repository = location.repository()?;
        repository.create_if_missing = self.init;
        Ok(Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Backup(job::Backup {
                repositories: vec![repository],
                sources,
                selection: Selection {
                    exclude: self.exclude,
                    one_file_system: self.one_file_system,
                    network_file_system: false,
                },
                tags: self
                    .tag
                    .iter()
                    .flat_map(|list| tags(list))
                    .filter(|tag| !tag.is_empty())
                    .collect(),
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
}

fn source(path: &PathBuf) -> anyhow::Result<Source> {
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
