//! `holdfast repo ls`.

use clap::Args;
use holdfast_executor::repo;

use super::location::Location;
use super::output::Output;
use super::restore::split;
use crate::exit::Exit;
use crate::show::lines::Lines;
use crate::show::repository::node;

/// Arguments of `holdfast repo ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// An id, a unique prefix of one, or `latest`; with `:/sub/dir` only what lies there.
    snapshot: String,
    /// Mode, owner, size and time too.
    #[arg(long, short = 'l')]
    long: bool,
}

impl Ls {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let (name, path) = split(&self.snapshot);
        let (_, snapshot) = repository.find_snapshot(name, None)?;
        let mut lines = Lines::new();
        repo::ls(&repository, &snapshot, path, |path, entry| {
            Ok(match output.json {
                true => lines.line(node::json(path, entry)),
                false => lines.line(node::text(path, entry, self.long)),
            })
        })?;
        lines.finish()?;
        Ok(Exit::Done)
    }
}
