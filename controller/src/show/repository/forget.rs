//! What rules keep and remove.

use std::collections::BTreeMap;

use holdfast_engine::units::format_size;
use holdfast_executor::repo::{Amount, Usage};
use holdfast_executor::report::SnapshotInfo;
use serde_json::{Value, json};

use super::snapshots::{state, taken};
use super::{counted, short};
use crate::keep::Group;
use crate::show::style::Style;
use crate::show::table::Table;

/// One group: what stays and why, and what goes. `usage` is there when nothing is removed yet.
#[must_use]
pub fn text(group: &Group, usage: Option<&Usage>, style: Style) -> String {
    let removed: Vec<&SnapshotInfo> = group.removed().collect();
    let mut out = String::new();
    if group.kept().next().is_some() {
        out += &format!("{}: keep {}, remove {}\n", group.key, group.kept().count(), removed.len());
    }
    let mut kept =
        Table::new(&["KEEP", "TIME", "TAGS", "SIZE", "STATE", "REASONS"]).right(&["SIZE"]);
    for verdict in group.kept() {
        let mut row = row(&verdict.info);
        row.push(verdict.reasons.join(", "));
        kept.row(row);
    }
    if group.kept().next().is_some() {
        out += &kept.render(style);
    }
    if removed.is_empty() {
        return out;
    }
    let alone = by_id(usage);
    let header: &[_] = match usage {
        Some(_) => &["REMOVE", "TIME", "TAGS", "SIZE", "STATE", "ONLY HERE", "STORED"],
        None => &["REMOVE", "TIME", "TAGS", "SIZE", "STATE"],
    };
    let mut gone = Table::new(header).right(&["SIZE", "ONLY HERE", "STORED"]);
    for info in removed {
        let mut row = row(info);
        if let Some(amount) = alone.get(&info.id) {
            row.extend([format_size(amount.plain_bytes), format_size(amount.stored_bytes)]);
        }
        gone.row(row);
    }
    out + &gone.render(style)
}

fn row(info: &SnapshotInfo) -> Vec<String> {
    let (id, tags) = (short(&info.id).to_owned(), info.tags.join(","));
    vec![id, taken(info), tags, format_size(info.bytes), state(info, None)]
}

fn by_id(usage: Option<&Usage>) -> BTreeMap<String, Amount> {
    let alone = usage.iter().flat_map(|usage| &usage.alone);
    alone.map(|(name, amount)| (name.to_string(), *amount)).collect()
}

/// Why a group loses nothing, if a time in it is in doubt.
#[must_use]
pub fn doubt(group: &Group) -> Option<String> {
    let (first, count) = (group.doubted.first()?, group.doubted.len());
    let stored = first.stored_at.unwrap_or(first.at);
    Some(format!(
        "nothing of {} is removed: {count} of its snapshots claim another day than the store got them on (such as \
         {}, of {}, stored {}). If a clock was wrong, or if the repository was copied, `--trust-times claimed` goes \
         by what they claim; `--trust-times store` by when they were stored; or forget them by their ids",
        group.key,
        short(&first.id),
        taken(first),
        taken(&SnapshotInfo { at: stored, ..first.clone() }),
    ))
}

/// The end of a rehearsal.
#[must_use]
pub fn rehearsed(removed: usize, usage: &Usage) -> String {
    format!(
        "would remove {}; {} of stored blocks would then be needed by nothing (nothing gives them back to the store)",
        counted(removed as u64, "snapshot"),
        format_size(usage.exclusive.stored_bytes)
    )
}

/// All of it for programs.
#[must_use]
pub fn json(groups: &[Group], usage: Option<&Usage>) -> Value {
    let alone = by_id(usage);
    let groups = groups.iter().map(|group| {
        let kept = group.kept().map(|verdict| json!({
            "id": verdict.info.id,
            "partial": verdict.info.partial,
            "reasons": verdict.reasons,
        }));
        let removed = group.removed().map(|info| match alone.get(&info.id) {
            Some(amount) => json!({
                "id": info.id,
                "partial": info.partial,
                "onlyHere": { "plainBytes": amount.plain_bytes, "storedBytes": amount.stored_bytes },
            }),
            None => json!({ "id": info.id, "partial": info.partial }),
        });
        json!({
            "component": group.key.component,
            "host": group.key.host,
            "paths": group.key.paths,
            "tags": group.key.tags,
            "keep": kept.collect::<Vec<_>>(),
            "remove": removed.collect::<Vec<_>>(),
            "doubted": group.doubted.iter().map(|info| &info.id).collect::<Vec<_>>(),
        })
    });
    json!({
        "dryRun": usage.is_some(),
        "groups": groups.collect::<Vec<_>>(),
        "reclaimable": usage.map(|usage| json!({
            "plainBytes": usage.exclusive.plain_bytes,
            "storedBytes": usage.exclusive.stored_bytes,
        })),
    })
}
