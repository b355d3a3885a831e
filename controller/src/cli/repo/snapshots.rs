//! `holdfast repo snapshots`.

use clap::Args;
use holdfast_engine::{Timestamp, units::format_size};
use holdfast_executor::repo::describe;
use holdfast_executor::report::SnapshotInfo;

use super::location::Location;
use crate::exit::Exit;
use crate::show::style::{Style, Tone, safe};
use crate::show::table::Table;

/// Characters of an id that tables show; any unique prefix names a snapshot.
const SHORT_ID: usize = 16;

/// Arguments of `holdfast repo snapshots`.
#[derive(Debug, Args)]
pub struct Snapshots {
    /// Only snapshots with this label. Can be repeated; all must fit.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only snapshots of this machine.
    #[arg(long)]
    host: Option<String>,
}

impl Snapshots {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let all = location.open()?.snapshots()?;
        let shown: Vec<SnapshotInfo> = all
            .found
            .iter()
            .map(|(name, snapshot)| describe(name, snapshot))
            .filter(|info| self.tag.iter().all(|tag| info.tags.contains(tag)))
            .filter(|info| self.host.as_ref().is_none_or(|host| info.host == *host))
            .collect();
        if json {
            println!("{}", serde_json::to_string(&shown)?);
        } else {
            print!("{}", table(&shown).render(Style::detect()));
        }
        for (name, error) in &all.damaged {
            let word = Style::detect().paint(Tone::Bad, "error");
            eprintln!("{word}: snapshot {name}: {}", safe(&error.to_string()));
        }
        Ok(if all.damaged.is_empty() { Exit::Done } else { Exit::Damaged })
    }
}

fn table(snapshots: &[SnapshotInfo]) -> Table {
    let mut table = Table::new(&["ID", "TIME", "HOST", "PATHS", "TAGS", "FILES", "SIZE", "STATE"]);
    for info in snapshots {
        table.row([
            info.id.chars().take(SHORT_ID).collect(),
            Timestamp(info.at / 1_000_000).to_string(),
            info.host.clone(),
            info.roots.join(" "),
            info.tags.join(","),
            info.files.to_string(),
            format_size(info.bytes),
            if info.partial { "Partial".into() } else { String::new() },
        ]);
    }
    table
}
