//! `holdfast repo dump`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::repo;

use super::location::Location;
use super::output::Output;
use super::restore::split;
use crate::exit::Exit;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Arguments of `holdfast repo dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// An id, a unique prefix of one, or `latest`. With `:/sub/dir` names in an archive begin there.
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    snapshot: String,
    /// What to write, with its full path in the names of an archive.
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Write to this file instead of standard output.
    #[arg(long, short = 't', value_name = "FILE")]
    target: Option<PathBuf>,
}

impl Dump {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (name, below) = split(&self.snapshot);
        let both = self.path.is_some() && below != "/";
        anyhow::ensure!(!both, "dump: give the path once, as SNAPSHOT:PATH or after the snapshot");
        let repository = location.open()?;
        let (_, snapshot) = repository.find_snapshot(name, None)?;
        let path = self.path.as_deref().unwrap_or(below);
        let dump = repo::Dump::at(&repository, &snapshot, path, self.path.is_some())?;
        let sink: Box<dyn Write> = match &self.target {
            Some(file) => Box::new(
                File::create(file).with_context(|| format!("--target {}", file.display()))?,
            ),
            None => {
                let shown = dump.is_archive() && std::io::stdout().is_terminal();
                anyhow::ensure!(
                    !shown,
                    "dump: a terminal cannot show an archive: redirect the output, or give --target FILE"
                );
                Box::new(std::io::stdout().lock())
            }
        };
        let done = dump.write(&mut BufWriter::with_capacity(BUFFER_BYTES, sink))?;
        if done.skipped > 0 && !output.quiet {
            eprintln!(
                "skipped {} sockets and attributes, which an archive cannot hold",
                done.skipped
            );
        }
        Ok(Exit::Done)
    }
}
