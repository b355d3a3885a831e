//! `holdfast repo dump`.

use super::selection;
use std::io::{BufWriter, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::error::Error;
use holdfast_executor::repo;

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::repository::Misuse;
use crate::show::repository::failure;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Arguments of `holdfast repo dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// An id, a unique prefix of one, or `latest`. With `:/sub/dir` names in an archive begin there.
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    snapshot: String,
    /// What to write, with its full path in the names of an archive.
    #[arg(id = "inside", value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    choose: Choose,
    /// Write to this file instead of standard output. What is there stays until the new content is whole.
    #[arg(long, short = 't', value_name = "FILE")]
    target: Option<PathBuf>,
}

impl Dump {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (name, below) = selection::split(&self.snapshot)?;
        let path = selection::either(below, self.path.as_slice())?[0];
        self.choose.filter_of(name)?;
        let repository = location.open()?;
        let (_, snapshot) = self.choose.one(&repository, name, output)?;
        let dump = repo::Dump::at(&repository, &snapshot, path, self.path.is_some())?;
        let done = match &self.target {
            Some(path) => into_file(&dump, path, output)?,
            None if dump.is_archive() && std::io::stdout().is_terminal() => {
                let text =
                    "a terminal cannot show an archive: redirect the output, or give --target FILE";
                return Err(Misuse::new(text).into());
            }
            None => {
                let out = std::io::stdout().lock();
                match dump.write(&mut BufWriter::with_capacity(BUFFER_BYTES, out)) {
                    // Whoever reads only the beginning has closed the pipe.
                    Err(Error::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {
                        return Ok(Exit::Done);
                    }
                    done => done?,
                }
            }
        };
        if done.skipped > 0 && !output.quiet {
            let text = format!(
                "an archive cannot hold sockets and some attributes: {} of them were left out",
                done.skipped
            );
            failure::warn(&text, output.json);
        }
        Ok(Exit::Done)
    }
}

fn into_file(dump: &repo::Dump, path: &Path, output: Output) -> anyhow::Result<repo::Dumped> {
    let mut file = repo::Destination::open(path).context("--target")?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, &mut file);
    let written = dump.write(&mut out);
    // What is left of a dump that failed is not written when the buffer goes.
    let _ = out.into_parts();
    let target = || format!("--target {}", path.display());
    let done = match written {
        Err(error) if file.holds_a_part() => {
            let text = "it could only be written in place, and holds a part of the new content now";
            return Err(anyhow::Error::new(error).context(text).context(target()));
        }
        written => written?,
    };
    for text in file.finish().with_context(target)? {
        failure::warn(&format!("{}: {text}", target()), output.json);
    }
    Ok(done)
}
