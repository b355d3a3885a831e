//! `holdfast repo diff`.

use super::selection;
use clap::Args;
use holdfast_executor::repo::{self, Change};

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::show::lines::Lines;
use crate::show::repository::snapshots::remark;
use crate::show::repository::{changes, short};
use crate::show::style::Style;

/// Arguments of `holdfast repo diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The older side: an id, a unique prefix of one, or `latest`; with `:/sub/dir` only what lies there.
    #[arg(value_name = "BEFORE[:PATH]")]
    before: String,
    /// The newer side, given the same way.
    #[arg(value_name = "AFTER[:PATH]")]
    after: String,
    #[command(flatten)]
    choose: Choose,
    /// List entries too of which only mode, owner, times or attributes changed.
    #[arg(long)]
    metadata: bool,
}

impl Diff {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let ((one, before), (other, after)) =
            (selection::split(&self.before)?, selection::split(&self.after)?);
        if ![one, other].contains(&"latest") {
            self.choose.filter_of(one)?;
        }
        let repository = location.open()?;
        let find = |name: &str| match name {
            "latest" => self.choose.one(&repository, name, output),
            name => Ok(repository.find_snapshot(name, None)?),
        };
        let ((one, old), (other, new)) = (find(one)?, find(other)?);
        let (one, other) = (one.to_string(), other.to_string());
        let (mut lines, style) = (Lines::new(), Style::detect());
        if !output.json && !output.quiet {
            let (before, after) = (remark(old.partial), remark(new.partial));
            lines.line(format_args!("from {}{before} to {}{after}", short(&one), short(&other)));
        }
        let mut read = true;
        let summary =
            repo::diff(&repository, (&old, before), (&new, after), |path, change, node| {
                if change != Change::Metadata || self.metadata {
                    read = match output.json {
                        true => lines.line(changes::json(path, change, node)),
                        false => lines.line(changes::line(path, change, node, style)),
                    };
                }
                Ok(read)
            })?;
        if read && output.json {
            let mut line = changes::summary_json(&one, &other, &summary);
            line["beforePartial"] = old.partial.into();
            line["afterPartial"] = new.partial.into();
            lines.line(line);
        } else if read && !output.quiet {
            lines.line(format_args!("\n{}", changes::summary(&summary).trim_end()));
        }
        lines.finish()?;
        Ok(Exit::Done)
    }
}
