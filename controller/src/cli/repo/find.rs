//! `holdfast repo find`.

use clap::Args;
use holdfast_executor::repo::{self, Query};

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::repository::{Instant, glob};
use crate::show::lines::Lines;
use crate::show::repository::{failure, node, short, snapshots};

/// Arguments of `holdfast repo find`.
#[derive(Debug, Args)]
pub struct Find {
    /// With a slash it is matched against the path from the root, without one against the name, at any
    /// level. `*` does not cross a slash, `**` does.
    #[arg(required = true, value_name = "GLOB", value_parser = glob)]
    globs: Vec<String>,
    /// Look in this snapshot only: an id, a unique prefix of one, or `latest`. Can be repeated.
    #[arg(long, short = 's', value_name = "SNAPSHOT")]
    snapshot: Vec<String>,
    #[command(flatten)]
    choose: Choose,
    /// Take letters of both cases for the same.
    #[arg(long, short = 'i')]
    ignore_case: bool,
    /// Only what was changed at this time or later, such as 2026-11-21 or 2026-11-21T03:00:00Z.
    #[arg(long, short = 'O', value_name = "TIME")]
    oldest: Option<Instant>,
    /// Only what was changed at this time or earlier.
    #[arg(long, short = 'N', value_name = "TIME")]
    newest: Option<Instant>,
    /// Mode, owner, size and time too.
    #[arg(long, short = 'l')]
    long: bool,
}

impl Find {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let chosen = repository.choose(&self.snapshot, &self.choose.filter())?;
        chosen.warnings.iter().for_each(|text| failure::warn(text, output.json));
        let query = Query {
            globs: self.globs,
            ignore_case: self.ignore_case,
            oldest: self.oldest.map(Instant::seconds),
            newest: self.newest.map(Instant::seconds),
        };
        let (mut lines, mut last) = (Lines::new(), None);
        repo::find(&repository, &chosen.found, &query, |name, snapshot, path, entry| {
            let id = name.to_string();
            if output.json {
                let mut line = node::json(path, entry);
                line["snapshot"] = id.into();
                line["partial"] = snapshot.partial.into();
                return Ok(lines.line(line));
            }
            if last.replace(*name) != Some(*name) && !output.quiet {
                let taken = snapshots::taken(&repo::describe(name, snapshot));
                let remark = snapshots::remark(snapshot.partial);
                lines.line(format_args!("snapshot {} of {taken}{remark}", short(&id)));
            }
            Ok(lines.line(node::text(path, entry, self.long)))
        })?;
        lines.finish()?;
        Ok(snapshots::report_damaged(&chosen.damaged, output.json))
    }
}
