//! Key slots.

use holdfast_engine::{Timestamp, units::format_size};
use holdfast_executor::digest::{ObjectHash, RepoId};
use holdfast_executor::repo::{ForeignSlot, SlotInfo};
use serde_json::{Value, json};

use super::short;
use crate::show::table::Table;

/// One row a slot; a star marks the one that opened the repository.
#[must_use]
pub fn table(slots: &[SlotInfo], current: Option<ObjectHash>) -> Table {
    let mut table = Table::new(&["", "ID", "LABEL", "CREATED", "COST"]);
    for slot in slots {
        let memory = format_size(u64::from(slot.cost.memory_kib) * 1024);
        table.row([
            if current == Some(slot.name) { "*".into() } else { String::new() },
            short(&slot.name.to_string()).to_owned(),
            slot.label.clone(),
            Timestamp(slot.created_ms / 1_000 * 1_000).to_string(),
            format!("Argon2id, {memory}, {} passes, {} lanes", slot.cost.passes, slot.cost.lanes),
        ]);
    }
    table
}

/// What looks like a slot and is none.
#[must_use]
pub fn foreign(slot: &ForeignSlot) -> String {
    let ForeignSlot { name, label, why } = slot;
    format!(
        "keys/{name} (it calls itself {label:?}) is no key slot: it {why}; nothing is ever sealed to it. Remove it and \
         mirror/keys/{name} with the tools of the store, and find out who can write there"
    )
}

/// The same for programs.
#[must_use]
pub fn json(
    repository: RepoId,
    slots: &[SlotInfo],
    current: Option<ObjectHash>,
    epochs: u32,
) -> Value {
    let slots = slots.iter().map(|slot| {
        json!({
            "id": slot.name.to_string(),
            "label": slot.label,
            "created": slot.created_ms,
            "current": current == Some(slot.name),
            "memoryKib": slot.cost.memory_kib,
            "passes": slot.cost.passes,
            "lanes": slot.cost.lanes,
        })
    });
    json!({ "repository": repository.to_string(), "epochs": epochs, "slots": slots.collect::<Vec<_>>() })
}
