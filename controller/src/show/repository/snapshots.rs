//! Tables of snapshots.

use holdfast_engine::{Timestamp, units::format_size};
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::error::Error;
use holdfast_executor::report::SnapshotInfo;

use super::short;
use crate::exit::Exit;
use crate::show::style::{Style, Tone, safe};
use crate::show::table::Table;

/// When a snapshot was taken, as tables show it.
#[must_use]
pub fn taken(info: &SnapshotInfo) -> String {
    Timestamp(info.at / 1_000_000_000 * 1_000).to_string()
}

/// One row a snapshot.
#[must_use]
pub fn table(snapshots: &[SnapshotInfo]) -> Table {
    let header = ["ID", "TIME", "HOST", "TAGS", "PATHS", "FILES", "SIZE", "STATE"];
    let mut table = Table::new(&header).right(&["FILES", "SIZE"]);
    for info in snapshots {
        table.row([
            short(&info.id).to_owned(),
            taken(info),
            info.host.clone(),
            info.tags.join(","),
            info.roots.join(" "),
            info.files.to_string(),
            format_size(info.bytes),
            if info.partial { "Partial".into() } else { String::new() },
        ]);
    }
    table
}

/// Names snapshots that cannot be read on standard error, and says how the verb ends.
pub fn report_damaged(damaged: &[(SnapshotName, Error)]) -> Exit {
    for (name, error) in damaged {
        let word = Style::detect().paint(Tone::Bad, "error");
        eprintln!("{word}: snapshot {name}: {}", safe(&error.to_string()));
    }
    if damaged.is_empty() { Exit::Done } else { Exit::Damaged }
}
