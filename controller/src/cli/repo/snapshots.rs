//! `holdfast repo snapshots`.

use clap::{Args, value_parser};

use super::choose::Choose;
use super::habits::Compact;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::keep::GroupBy;
use crate::ports::clock;
use crate::show::lines;
use crate::show::repository::snapshots::{report_damaged, table};
use crate::show::repository::{counted, failure};
use crate::show::style::Style;

/// Arguments of `holdfast repo snapshots`.
#[derive(Debug, Args)]
pub struct Snapshots {
    /// Ids, unique prefixes of them, or `latest`; without any: all snapshots.
    snapshots: Vec<String>,
    #[command(flatten)]
    choose: Choose,
    /// Only the newest N of each group.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    latest: Option<u32>,
    #[command(flatten)]
    compact: Compact,
    /// What snapshots of a group share: host, paths, tags. One table a group; --latest alone goes by host and
    /// paths, and prints one table.
    #[arg(long, short = 'g', value_name = "LIST")]
    group_by: Option<GroupBy>,
}

impl Snapshots {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let chosen = location.open()?.choose(&self.snapshots, &self.choose.filter())?;
        chosen.warnings.iter().for_each(|text| failure::warn(text, output.json));
        let mut shown = chosen.infos;
        if let Some(count) = self.latest {
            shown = self.group_by.unwrap_or_default().latest(&shown, count as usize);
        }
        let groups = self.group_by.map(|by| by.groups(&shown));
        if let Some(groups) = &groups {
            shown = groups.values().flatten().cloned().collect();
        }
        if output.json {
            lines::print(serde_json::to_string(&shown)?)?;
        } else if let Some(groups) = groups.filter(|groups| !groups.is_empty()) {
            for (key, infos) in groups {
                let count = counted(infos.len() as u64, "snapshot");
                let table = table(&infos, clock::now().0).render(Style::detect());
                lines::print(format_args!("{key}: {count}\n{table}"))?;
            }
            output.say(format_args!("{}; times are UTC", counted(shown.len() as u64, "snapshot")));
        } else {
            lines::print(table(&shown, clock::now().0).render(Style::detect()).trim_end())?;
            output.say(format_args!("{}; times are UTC", counted(shown.len() as u64, "snapshot")));
        }
        Ok(report_damaged(&chosen.damaged, output.json))
    }
}
