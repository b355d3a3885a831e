//! Marks of snapshots that must not be used. A mark is sealed with our keys and names its snapshot: what anybody else
//! puts in that place hides nothing, and `check` names it.

use std::collections::HashSet;

use super::{Open, Repo, fetch_all};
use crate::digest::{PackName, SnapshotName};
use crate::error::{Error, Result};
use crate::limits;
use crate::seal::Purpose;

/// Where marks lie.
pub(super) const INVALID_FOLDER: &str = "meta/invalid/";

fn key_of(name: &SnapshotName) -> String {
    format!("{INVALID_FOLDER}{name}")
}

impl Repo<Open> {
    /// Marks a snapshot whose pack was collected before its commit.
    pub(super) fn mark(&self, name: &SnapshotName, pack: &PackName) -> Result<()> {
        let key = key_of(name);
        let note = self.seal_object(Purpose::Snapshot, Some(&key), |out| {
            out.extend_from_slice(pack.as_bytes());
        })?;
        self.store.put_new(&key, &note)?;
        Ok(())
    }

    /// Those of these snapshots whose mark is ours.
    pub(super) fn marked(
        &self,
        names: impl Iterator<Item = SnapshotName>,
    ) -> Result<HashSet<SnapshotName>> {
        let names: Vec<_> = names.collect();
        let read = fetch_all(&*self.store, &names, |name| self.read_mark(name))?;
        let ours = names.into_iter().zip(read).filter(|(_, mark)| mark.is_none());
        Ok(ours.map(|(name, _)| name).collect())
    }

    /// Objects that pose as marks, and why they are none.
    pub(super) fn foreign_marks(&self) -> Result<Vec<(String, String)>> {
        let rows = self.store.list(INVALID_FOLDER)?;
        let names = rows.iter().map(|row| &row.key[INVALID_FOLDER.len()..]);
        let names: Vec<_> = names.filter_map(SnapshotName::from_hex).collect();
        let read = fetch_all(&*self.store, &names, |name| self.read_mark(name))?;
        let of = |(name, why): (&SnapshotName, Option<String>)| Some((key_of(name), why?));
        Ok(names.iter().zip(read).filter_map(of).collect())
    }

    /// Why what lies at a snapshot's mark is none of ours; nothing if it is.
    fn read_mark(&self, name: &SnapshotName) -> Result<Option<String>> {
        let key = key_of(name);
        let read = self
            .store
            .get(&key, limits::MARK_MAX_BYTES as u64)
            .map_err(Error::from)
            .and_then(|bytes| self.open_object(&key, Purpose::Snapshot, Some(&key), &bytes));
        match read {
            Ok(plain) if plain.len() == PackName::LEN => Ok(None),
            Ok(_) => Ok(Some("is no name of a pack".to_owned())),
            Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
            Err(error) => Ok(Some(error.to_string())),
        }
    }
}
