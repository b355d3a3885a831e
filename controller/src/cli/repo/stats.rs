//! `holdfast repo stats`.

use clap::Args;
use holdfast_executor::repo::usage;

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::progress;
use crate::show::repository::{failure, snapshots, usage as show};
use crate::show::style::Style;

/// Arguments of `holdfast repo stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Ids, unique prefixes of them, or `latest`; without any: all snapshots.
    snapshots: Vec<String>,
    #[command(flatten)]
    choose: Choose,
}

impl Stats {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let chosen = repository.choose(&self.snapshots, &self.choose.filter())?;
        let all = repository.snapshots()?;
        let names = chosen.found.iter().map(|(name, _)| *name).collect();
        let (usage, stored) = {
            let _bar = progress::bar("stats", output.hides_progress());
            (usage(&repository, &all.found, &names)?, repository.stored()?)
        };
        chosen.warnings.iter().for_each(|text| failure::warn(text, output.json));
        let infos = chosen.infos;
        if output.json {
            lines::print(show::json(&infos, &usage, &stored))?;
        } else {
            lines::print(show::table(&infos, &usage).render(Style::detect()).trim_end())?;
            lines::print(format_args!("\n{}", show::sums(&infos, &usage, &stored).trim_end()))?;
        }
        Ok(snapshots::report_damaged(&all.damaged, output.json))
    }
}
