//! What a writer must see before it begins: one listing shows collections, index objects and
//! snapshots, so that a backup of an unchanged tree asks a store for little.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::marks::INVALID_FOLDER;
use super::{Collection, Open, Repo};
use crate::digest::{ObjectHash, SnapshotName};
use crate::error::Result;
use crate::index::INDEX_FOLDER;
use crate::snapshot::SNAPSHOT_FOLDER;

/// Where all of it lies.
const FOLDER: &str = "meta/";

/// What was there when a writer began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// What collections had announced.
    pub collection: Collection,
    /// Index objects.
    pub indexes: Vec<ObjectHash>,
    /// Valid snapshots whose first copy is there, newest first by the clock of the store.
    pub snapshots: Vec<SnapshotName>,
}

impl Repo<Open> {
    /// Looks at the repository as a writer must: after its intent was put, so that whatever it sees stays.
    ///
    /// # Errors
    /// `Damaged` for a condemned list, or the store's.
    pub fn overview(&self) -> Result<Overview> {
        let mut rows = self.store.list(FOLDER)?;
        let collection = self.read_collection(&rows)?;
        rows.sort_by_key(|row| Reverse(row.modified_ms));
        let below = |folder| rows.iter().filter_map(move |row| row.key.strip_prefix(folder));
        let snapshots: Vec<_> = below(SNAPSHOT_FOLDER).filter_map(SnapshotName::from_hex).collect();
        let known: HashSet<_> = snapshots.iter().copied().collect();
        let marks = below(INVALID_FOLDER).filter_map(SnapshotName::from_hex);
        let invalid = self.marked(marks.filter(|name| known.contains(name)))?;
        Ok(Overview {
            collection,
            indexes: below(INDEX_FOLDER).filter_map(ObjectHash::from_hex).collect(),
            snapshots: snapshots.into_iter().filter(|name| !invalid.contains(name)).collect(),
        })
    }
}
