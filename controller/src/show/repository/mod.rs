//! What a repository holds, for people and for programs.

pub mod changes;
pub mod forget;
pub mod node;
pub mod rehearsal;
pub mod slots;
pub mod snapshots;
pub mod usage;

/// Characters of an id that tables show; any unique prefix names a snapshot.
const SHORT_ID: usize = 16;

/// The beginning of an id.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}
