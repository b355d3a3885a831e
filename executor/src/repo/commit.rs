//! The commit: the only moment at which a session becomes a snapshot. Everything that it names is
//! durable before, and everything that it relies on is looked at again, before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::marks::INVALID_FOLDER;
use super::write::{WriteOptions, WriteSession, Written};
use super::{Collection, Excluded, Intent, Open, Repo, mirror_key};
use crate::digest::{ObjectHash, PackName, SnapshotName};
use crate::error::{Error, Result};
use crate::index::{DedupIndex, PackEntry};
use crate::limits;
use crate::pack::pack_key;
use crate::seal::Purpose;
use crate::snapshot::{SNAPSHOT_FOLDER, Snapshot, snapshot_key};
use crate::store::{ObjectMeta, PutOutcome, StoreError};

/// What a session brings to its commit.
pub struct Commit {
    /// Its intent, which is released after.
    pub intent: Intent,
    /// The collection that it saw before it loaded the index.
    pub collection: Collection,
    /// Its claims, which know the packs that it relies on.
    pub dedup: Arc<DedupIndex>,
    /// What it wrote.
    pub written: Written,
    /// The snapshot, without what `written` and `collection` say: that is filled in here.
    pub snapshot: Snapshot,
}

/// A snapshot that is durable, read back and equal to what was meant.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its name.
    pub name: SnapshotName,
    /// BLAKE3 of the bytes of its object: what the log keeps as a witness.
    pub digest: ObjectHash,
    /// Its content.
    pub snapshot: Snapshot,
    /// All that was written for it, rescued packs included.
    pub written: Written,
}

impl Repo<Open> {
    /// Commits, in the order of `docs/format.md`.
    ///
    /// # Errors
    /// `Superseded` if another run of this attempt has committed; `IntentLapsed`, `PackCollected`,
    /// `Damaged` if the object does not read back, or the store's.
    pub fn commit(&self, commit: Commit) -> Result<Committed> {
        let Commit { intent, mut collection, dedup, mut written, mut snapshot } = commit;
        let mut rescued = Excluded::new();
        loop {
            let now = self.collection()?;
            if now.generation == collection.generation {
                break;
            }
            not_before(collection.generation, &now)?;
            // Only what was condemned is ever deleted, and not before our intent is gone or lapsed.
            intent.renew(self)?;
            collection = now;
            let lost: Vec<PackEntry> = dedup
                .relied_packs()
                .filter(|pack| collection.condemned.contains(&pack.name))
                .filter(|pack| !rescued.contains(&pack.name))
                .copied()
                .collect();
            rescued.extend(lost.iter().map(|pack| pack.name));
            self.rescue(&lost, &dedup, &mut written)?;
        }
        snapshot.gc_generation = collection.generation;
        snapshot.indexes = written.indexes.clone();
        snapshot.packs_digest = written.packs_digest();
        snapshot.counts.blobs_added = written.blobs_added;
        snapshot.counts.bytes_added = written.bytes_added;
        snapshot.counts.bytes_stored = written.bytes_stored;
        let (name, digest) = self.put_snapshot(&snapshot)?;
        let reused = dedup.relied_packs().map(|pack| pack.name);
        let reused = reused.filter(|name| !rescued.contains(name));
        let relied = reused.chain(written.packs.iter().map(|(name, _)| *name)).collect();
        self.look_again(&name, collection.generation, relied)?;
        intent.release(self)?;
        Ok(Committed { name, digest, snapshot, written })
    }

    /// Copies the blocks of condemned packs into new ones, as they are.
    fn rescue(
        &self,
        packs: &[PackEntry],
        dedup: &Arc<DedupIndex>,
        written: &mut Written,
    ) -> Result<()> {
        if packs.is_empty() {
            return Ok(());
        }
        let session = WriteSession::begin(self, dedup.clone(), WriteOptions::default())?;
        for pack in packs {
            session.copy_pack(&pack.name, pack.size)?;
        }
        written.merge(session.finish()?);
        Ok(())
    }

    fn put_snapshot(&self, snapshot: &Snapshot) -> Result<(SnapshotName, ObjectHash)> {
        let (session, component) = (&snapshot.session, &snapshot.component);
        let name = self.keys().snapshot_name(session, component, snapshot.attempt);
        let key = snapshot_key(&name);
        let bytes = self.seal_object(Purpose::Snapshot, Some(&key), |out| snapshot.encode(out))?;
        if bytes.len() > limits::SNAPSHOT_MAX_BYTES {
            let (limit, found) = (limits::SNAPSHOT_MAX_BYTES as u64, bytes.len() as u64);
            return Err(Error::Limit { what: "bytes of a snapshot object", limit, found });
        }
        let outcome = self.store.put_new(&key, &bytes)?;
        self.store.drop_cached(&key);
        let found = self.store.get(&key, limits::SNAPSHOT_MAX_BYTES as u64)?;
        if outcome == PutOutcome::Exists && found != bytes {
            // Another run of this attempt was first; what it wrote decides.
            self.decode_snapshot(&key, &name, &found)?;
            self.store.put_new(&mirror_key(&key), &found)?;
            return Err(Error::Superseded { snapshot: name });
        }
        if self.decode_snapshot(&key, &name, &found)? != *snapshot {
            return Err(Error::damaged(key, "does not read back as it was written"));
        }
        self.store.put_new(&mirror_key(&key), &bytes)?;
        Ok((name, ObjectHash::of(&bytes)))
    }

    /// A process or machine that slept between the last look and the put may have lost packs.
    fn look_again(
        &self,
        name: &SnapshotName,
        generation: u64,
        relied: BTreeSet<PackName>,
    ) -> Result<()> {
        let now = self.collection()?;
        if now.generation == generation {
            return Ok(());
        }
        not_before(generation, &now)?;
        for pack in relied {
            match self.store.stat(&pack_key(&pack)) {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {
                    self.mark(name, &pack)?;
                    return Err(Error::PackCollected { pack: pack.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Names of all snapshots that are valid, in order. List them before loading an index.
    ///
    /// # Errors
    /// The store's.
    pub fn snapshot_names(&self) -> Result<Vec<SnapshotName>> {
        Ok(self.snapshots_stored()?.into_keys().collect())
    }

    /// The same, with when the store got each: what is put again later, to mend a copy, makes none younger.
    pub(super) fn snapshots_stored(&self) -> Result<BTreeMap<SnapshotName, i64>> {
        let mut names = self.stored_below(SNAPSHOT_FOLDER)?;
        for (name, stored) in self.stored_below(&mirror_key(SNAPSHOT_FOLDER))? {
            let first = names.entry(name).or_insert(stored);
            *first = stored.min(*first);
        }
        let marks = self.stored_below(INVALID_FOLDER)?.into_keys();
        for name in self.marked(marks.filter(|name| names.contains_key(name)))? {
            names.remove(&name);
        }
        Ok(names)
    }

    fn stored_below(&self, prefix: &str) -> Result<BTreeMap<SnapshotName, i64>> {
        let rows = self.store.list(prefix)?;
        let named = |row: &ObjectMeta| {
            Some((SnapshotName::from_hex(&row.key[prefix.len()..])?, row.modified_ms))
        };
        Ok(rows.iter().filter_map(named).collect())
    }

    /// One snapshot, from its copy if need be.
    ///
    /// # Errors
    /// `Damaged`, `Binding`, or the store's `NotFound`.
    pub fn load_snapshot(&self, name: &SnapshotName) -> Result<Snapshot> {
        self.get_twice(&snapshot_key(name), limits::SNAPSHOT_MAX_BYTES, |key, bytes| {
            self.decode_snapshot(key, name, bytes)
        })
    }

    pub(crate) fn decode_snapshot(
        &self,
        object: &str,
        name: &SnapshotName,
        bytes: &[u8],
    ) -> Result<Snapshot> {
        let key = snapshot_key(name);
        let plain = self.open_object(object, Purpose::Snapshot, Some(&key), bytes)?;
        let snapshot = Snapshot::decode(&plain).map_err(|error| Error::damaged(object, error))?;
        let (session, component) = (&snapshot.session, &snapshot.component);
        if self.keys().snapshot_name(session, component, snapshot.attempt) != *name {
            return Err(Error::binding(object, "is the snapshot of another attempt"));
        }
        Ok(snapshot)
    }
}

/// Records of collections are never deleted: a listing that shows fewer than one before is not to be
/// believed.
fn not_before(seen: u64, now: &Collection) -> Result<()> {
    if now.generation > seen {
        return Ok(());
    }
    let reason = format!("it shows collection {}, and has shown {seen}", now.generation);
    Err(StoreError::Unavailable { verb: "list", key: "meta/gc/".to_owned(), reason }.into())
}
