//! Tables of snapshots.

use holdfast_engine::{Timestamp, units::format_size};
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::error::Error;
use holdfast_executor::repo::is_of_the_future;
use holdfast_executor::report::SnapshotInfo;

use super::{failure, short};
use crate::exit::Exit;
use crate::show::table::Table;

/// When a snapshot was taken, as tables show it.
#[must_use]
pub fn taken(info: &SnapshotInfo) -> String {
    Timestamp(info.at / 1_000_000_000 * 1_000).to_string()
}

/// What is not as it should be with a snapshot, in a word or two; nothing where it is.
#[must_use]
pub fn state(info: &SnapshotInfo, now_ms: Option<i64>) -> String {
    let words = [(info.partial, "Partial"), (is_of_the_future(info, now_ms), "Future")];
    let words: Vec<&str> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    words.join(",")
}

/// The same as a remark behind an id.
#[must_use]
pub fn remark(is_partial: bool) -> &'static str {
    if is_partial { " (partial)" } else { "" }
}

/// One row a snapshot.
#[must_use]
pub fn table(snapshots: &[SnapshotInfo], now_ms: i64) -> Table {
    let header = ["ID", "TIME", "HOST", "TAGS", "FILES", "SIZE", "STATE", "PATHS"];
    let mut table = Table::new(&header).right(&["FILES", "SIZE"]);
    for info in snapshots {
        table.row([
            short(&info.id).to_owned(),
            taken(info),
            info.host.clone(),
            info.tags.join(","),
            info.files.to_string(),
            format_size(info.bytes),
            state(info, Some(now_ms)),
        ]);
        table.last_column(&info.roots);
    }
    table
}

/// Names snapshots that cannot be read on standard error, and says how the verb ends.
pub fn report_damaged(damaged: &[(SnapshotName, Error)], json: bool) -> Exit {
    for (name, error) in damaged {
        let text = format!("snapshot {name} is not listed: {error}");
        let class = failure::Class::of(error);
        failure::print_text(&text, Some(class), Exit::Damaged, json);
    }
    if damaged.is_empty() { Exit::Done } else { Exit::Damaged }
}
