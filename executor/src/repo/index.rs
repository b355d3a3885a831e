//! Loading the index. For writing, a damaged index object only means that its blobs count as absent
//! and are stored again; for reading, the footers of the packs take its place.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Indexed, Open, Overview, Repo, fetch_all, mirror_key};
use crate::digest::{ObjectHash, PackName};
use crate::error::{Error, Result};
use crate::index::{INDEX_FOLDER, IndexBuilder, IndexObject, index_key};
use crate::limits;
use crate::pack::{PackRecord, TRAILER_BYTES, pack_key, parse_trailer, read_record};
use crate::seal::Purpose;
use crate::snapshot::Snapshot;

impl Repo<Open> {
    /// The index of what may be relied on: without the packs that were condemned, and without those
    /// whose index object is damaged.
    ///
    /// # Errors
    /// The store's; `Limit`.
    pub fn index_for_writing(&self, seen: &Overview) -> Result<Repo<Indexed>> {
        let mut builder = IndexBuilder::default();
        let condemned = &seen.collection.condemned;
        for (_, object) in self.read_indexes(&seen.indexes)? {
            let Ok(object) = object else { continue };
            for record in object.packs.iter().filter(|pack| !condemned.contains(&pack.name)) {
                // A record that contradicts itself is damage as well.
                let _ = tolerate(builder.add(record))?;
            }
        }
        Ok(self.with_index(Arc::new(builder.build())))
    }

    /// The index of all that can be found, from footers where index objects are damaged.
    ///
    /// # Errors
    /// The store's; `Limit`.
    pub fn index_for_reading(&self) -> Result<Repo<Indexed>> {
        let mut builder = IndexBuilder::default();
        let mut known = HashSet::new();
        let mut complete = true;
        let objects = self.index_objects()?;
        complete &= self.missing_indexes(&objects, self.all_snapshots()?.iter()).is_empty();
        for (_, object) in objects {
            match object {
                Ok(object) => {
                    for record in &object.packs {
                        complete &= tolerate(builder.add(record))?;
                        known.insert(record.name);
                    }
                }
                Err(_) => complete = false,
            }
        }
        if !complete {
            for record in self.footers_beside(&known)? {
                tolerate(builder.add(&record))?;
            }
        }
        Ok(self.with_index(Arc::new(builder.build())))
    }

    /// Index objects that a snapshot names, that no listing has shown, and that no other one replaces.
    pub(crate) fn missing_indexes<'s>(
        &self,
        objects: &[(ObjectHash, Result<IndexObject>)],
        snapshots: impl Iterator<Item = &'s Snapshot>,
    ) -> BTreeSet<ObjectHash> {
        let mut missing: BTreeSet<_> =
            snapshots.flat_map(|snapshot| snapshot.indexes.iter().copied()).collect();
        for (hash, object) in objects {
            missing.remove(hash);
            for replaced in object.iter().flat_map(|object| &object.replaces) {
                missing.remove(replaced);
            }
        }
        missing
    }

    /// Adds to `objects` what a listing has not shown and is there all the same, and returns what is not: a
    /// listing alone proves the absence of nothing.
    pub(crate) fn prove_missing(
        &self,
        missing: BTreeSet<ObjectHash>,
        objects: &mut Vec<(ObjectHash, Result<IndexObject>)>,
    ) -> Result<Vec<ObjectHash>> {
        let mut absent = Vec::new();
        for (hash, read) in self.read_indexes(&missing.into_iter().collect::<Vec<_>>())? {
            match read {
                Err(Error::Store(error)) if error.is_not_found() => absent.push(hash),
                read => objects.push((hash, read)),
            }
        }
        Ok(absent)
    }

    /// All snapshots that can be read.
    fn all_snapshots(&self) -> Result<Vec<Snapshot>> {
        Ok(self
            .read_snapshots(&self.snapshot_names()?)?
            .into_iter()
            .filter_map(|(_, read)| read.ok())
            .collect())
    }

    /// Every index object with what reading it gave. The outer error is the store's.
    pub(crate) fn index_objects(&self) -> Result<Vec<(ObjectHash, Result<IndexObject>)>> {
        let rows = self.store.list(INDEX_FOLDER)?;
        let names = rows.iter().filter_map(|row| row.key.strip_prefix(INDEX_FOLDER));
        self.read_indexes(&names.filter_map(ObjectHash::from_hex).collect::<Vec<_>>())
    }

    fn read_indexes(
        &self,
        hashes: &[ObjectHash],
    ) -> Result<Vec<(ObjectHash, Result<IndexObject>)>> {
        fetch_all(&*self.store, hashes, |hash| match self.read_index(hash) {
            Err(Error::Store(error)) if !error.permanent() => Err(Error::Store(error)),
            read => Ok((*hash, read)),
        })
    }

    /// One index object.
    pub(crate) fn read_index(&self, hash: &ObjectHash) -> Result<IndexObject> {
        let key = index_key(hash);
        let bytes = self.store.get(&key, limits::INDEX_MAX_BYTES as u64)?;
        if ObjectHash::of(&bytes) != *hash {
            return Err(Error::damaged(key, "its bytes do not match its name"));
        }
        let plain = self.open_object(&key, Purpose::Index, None, &bytes)?;
        IndexObject::decode(&plain).map_err(|error| Error::damaged(key, error))
    }

    /// Records of packs that no readable index object names, from their own footers.
    fn footers_beside(&self, known: &HashSet<PackName>) -> Result<Vec<PackRecord>> {
        let mut found = Vec::new();
        for (name, size) in self.stored_packs()? {
            if known.contains(&name) {
                continue;
            }
            match self.footer_of_any_copy(&name, size) {
                Ok(record) => found.push(record),
                Err(Error::Store(error)) if !error.permanent() => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// The record of a pack from its own end.
    pub(crate) fn read_footer(&self, name: &PackName, size: u64) -> Result<PackRecord> {
        self.read_footer_at(&pack_key(name), name, size)
    }

    /// The same from one copy of it.
    pub(crate) fn read_footer_at(
        &self,
        key: &str,
        name: &PackName,
        size: u64,
    ) -> Result<PackRecord> {
        let short = || Error::damaged(key, "is shorter than its trailer");
        let at = size.checked_sub(TRAILER_BYTES as u64).ok_or_else(short)?;
        let trailer = self.store.get_range(key, at, TRAILER_BYTES)?;
        let trailer: &[u8; TRAILER_BYTES] = trailer.first_chunk().ok_or_else(short)?;
        let (len, _) = parse_trailer(trailer).map_err(|error| Error::damaged(key, error))?;
        let at = at.checked_sub(len as u64).ok_or_else(short)?;
        let tail = self.store.get_range(key, at, len + TRAILER_BYTES)?;
        read_record(*name, size, &tail, &self.opener())
    }

    /// The record of a pack from its own end, or from that of its copy.
    pub(crate) fn footer_of_any_copy(&self, name: &PackName, size: u64) -> Result<PackRecord> {
        let first = match self.read_footer(name, size) {
            Err(error) if error.permanent() => error,
            read => return read,
        };
        // Its own length counts: that of the first may be what is wrong with it.
        let key = mirror_key(&pack_key(name));
        let copy = self.store.stat(&key).map_err(Error::from);
        match copy.and_then(|copy| self.read_footer_at(&key, name, copy.size)) {
            Err(error) if error.permanent() => Err(first),
            read => read,
        }
    }

    /// Packs of which one copy at least is there, with its size.
    pub(crate) fn stored_packs(&self) -> Result<BTreeMap<PackName, u64>> {
        let prefix = mirror_key("packs/");
        let copies = self.store.list(&prefix)?.into_iter().filter_map(|row| {
            let name = PackName::from_hex(row.key.rsplit('/').next()?)?;
            (mirror_key(&pack_key(&name)) == row.key).then_some((name, row.size))
        });
        let mut stored: BTreeMap<PackName, u64> = copies.collect();
        stored.extend(self.list_packs()?);
        Ok(stored)
    }

    /// All packs that are stored under a name that a pack can have.
    pub(crate) fn list_packs(&self) -> Result<Vec<(PackName, u64)>> {
        let rows = self.store.list("packs/")?;
        let named = rows.into_iter().filter_map(|row| {
            let name = PackName::from_hex(row.key.rsplit('/').next()?)?;
            (pack_key(&name) == row.key).then_some((name, row.size))
        });
        Ok(named.collect())
    }
}

/// Damage is told by `false`; anything else stays an error.
fn tolerate(added: Result<()>) -> Result<bool> {
    match added {
        Ok(()) => Ok(true),
        Err(Error::Damaged { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
