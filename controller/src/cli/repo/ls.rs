//! `holdfast repo ls`.

use super::selection;
use clap::Args;
use holdfast_executor::repo;

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::show::lines::Lines;
use crate::show::repository::{failure, node};

/// Arguments of `holdfast repo ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// An id, a unique prefix of one, or `latest`; with `:/sub/dir` only what lies there.
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    snapshot: String,
    /// Only what lies there; can be given several times, instead of SNAPSHOT:PATH.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    choose: Choose,
    /// Mode, owner, size and time too.
    #[arg(long, short = 'l')]
    long: bool,
}

impl Ls {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (name, below) = selection::split(&self.snapshot)?;
        let paths = selection::either(below, &self.paths)?;
        self.choose.filter_of(name)?;
        let repository = location.open()?;
        let (id, snapshot) = self.choose.one(&repository, name, output)?;
        if snapshot.partial && !output.quiet {
            let text = format!("snapshot {id} is partial: what could not be read is not in it");
            failure::warn(&text, output.json);
        }
        let mut lines = Lines::new();
        for path in paths {
            repo::ls(&repository, &snapshot, path, |path, entry| {
                Ok(match output.json {
                    true => lines.line(node::json(path, entry)),
                    false => lines.line(node::text(path, entry, self.long)),
                })
            })?;
        }
        lines.finish()?;
        Ok(Exit::Done)
    }
}
