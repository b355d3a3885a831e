//! What snapshots and the repository take.

use holdfast_engine::units::format_size;
use holdfast_executor::repo::{Amount, Stored, Usage};
use holdfast_executor::report::SnapshotInfo;
use serde_json::{Value, json};

use super::snapshots::{state, taken};
use super::{counted, short};
use crate::show::table::Table;

/// One row a snapshot: what it restores to, and what nothing else needs.
#[must_use]
pub fn table(snapshots: &[SnapshotInfo], usage: &Usage) -> Table {
    let header = ["ID", "TIME", "HOST", "FILES", "SIZE", "ONLY HERE", "STORED", "STATE", "PATHS"];
    let mut table = Table::new(&header).right(&["FILES", "SIZE", "ONLY HERE", "STORED"]);
    for (info, (_, alone)) in snapshots.iter().zip(&usage.alone) {
        table.row([
            short(&info.id).to_owned(),
            taken(info),
            info.host.clone(),
            info.files.to_string(),
            format_size(info.bytes),
            format_size(alone.plain_bytes),
            format_size(alone.stored_bytes),
            state(info, None),
        ]);
        table.last_column(&info.roots);
    }
    table
}

/// The sums beneath the table. Every figure says what it counts.
#[must_use]
pub fn sums(snapshots: &[SnapshotInfo], usage: &Usage, stored: &Stored) -> String {
    let files: u64 = snapshots.iter().map(|info| info.files).sum();
    let restore: u64 = snapshots.iter().map(|info| info.bytes).sum();
    let Amount { blobs, plain_bytes, stored_bytes } = usage.together;
    let line = |name: &str, bytes: u64, rest: &str| {
        format!("{name:<14} {:>12}  {rest}\n", format_size(bytes))
    };
    let unneeded = stored.blobs.stored_bytes.saturating_sub(stored_bytes);
    let mut text = [
        line(
            "restore size",
            restore,
            &format!("{}, {}", counted(snapshots.len() as u64, "snapshot"), counted(files, "file")),
        ),
        line(
            "deduplicated",
            plain_bytes,
            &format!("{blobs} blobs, ratio {}", ratio(restore, plain_bytes)),
        ),
        line(
            "compressed",
            stored_bytes,
            &format!(
                "ratio {}, in all {}",
                ratio(plain_bytes, stored_bytes),
                ratio(restore, stored_bytes)
            ),
        ),
        line(
            "repository",
            stored.bytes,
            &format!("{} objects, second copies, index and padding included", stored.objects),
        ),
        line("not counted", unneeded, "stored, and not needed by these snapshots"),
    ]
    .concat();
    if usage.unreadable > 0 {
        text +=
            &format!("{} pages or lists cannot be read: `check` names them\n", usage.unreadable);
    }
    text
}

/// How many times smaller, with two decimals.
fn ratio(before: u64, after: u64) -> String {
    let after = u128::from(after.max(1));
    let hundredths = (u128::from(before) * 100 + after / 2) / after;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The same for programs.
#[must_use]
pub fn json(snapshots: &[SnapshotInfo], usage: &Usage, stored: &Stored) -> Value {
    let amount = |amount: &Amount| {
        json!({
            "blobs": amount.blobs,
            "plainBytes": amount.plain_bytes,
            "storedBytes": amount.stored_bytes,
        })
    };
    let rows = snapshots.iter().zip(&usage.alone).map(|(info, (_, alone))| {
        json!({
            "id": info.id,
            "partial": info.partial,
            "files": info.files,
            "restoreBytes": info.bytes,
            "onlyHere": amount(alone),
        })
    });
    json!({
        "snapshots": rows.collect::<Vec<_>>(),
        "restoreBytes": snapshots.iter().map(|info| info.bytes).sum::<u64>(),
        "together": amount(&usage.together),
        "exclusive": amount(&usage.exclusive),
        "unreadable": usage.unreadable,
        "repository": {
            "objects": stored.objects,
            "bytes": stored.bytes,
            "packs": stored.packs,
            "content": amount(&stored.blobs),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_two_decimals_and_no_division_by_zero() {
        assert_eq!(ratio(0, 0), "0.00");
        assert_eq!(ratio(1_050, 1_000), "1.05");
        assert_eq!(ratio(8_619, 4_381), "1.97");
        assert_eq!(ratio(u64::MAX, 1), format!("{}.00", u64::MAX));
    }
}
