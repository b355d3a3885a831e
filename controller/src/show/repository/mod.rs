//! What a repository holds, for people and for programs.

pub mod backup;
pub mod changes;
pub mod check;
pub mod failure;
pub mod forget;
pub mod node;
pub mod rehearsal;
pub mod repair;
pub mod report;
pub mod slots;
pub mod snapshots;
pub mod usage;

/// Characters of an id that tables show; any unique prefix names a snapshot.
const SHORT_ID: usize = 16;

/// A number of things, in words.
#[must_use]
pub fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", indicatif::HumanCount(count), if count == 1 { "" } else { "s" })
}

/// The beginning of an id.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}
