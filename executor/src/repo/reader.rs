//! Reading blobs: locate, fetch the block, open it, recompute every id. A tag that is right says that
//! the bytes are ours; only the id says that they are these.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::backup::processors;
use super::cache::{BlockCache, Wanted};
use super::openers::Openers;
use super::{Indexed, Repo};
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::index::{IdMap, Index, Location, group_by_block};
use crate::keys::Keys;
use crate::pack::pack_key;
use crate::store::SharedStore;
use crate::tree::{beneath, decode_page};

/// An opened block: its plaintext, and where each of its blobs lies in it. Of a damaged one it is what
/// other packs hold of it.
#[derive(Default)]
pub struct OpenedBlock {
    plain: Vec<u8>,
    blobs: IdMap<(u32, u32)>,
    /// The object that is damaged, and how.
    damage: Option<(String, String)>,
}

impl OpenedBlock {
    /// A blob of this block.
    #[must_use]
    pub fn get(&self, id: &BlobId) -> Option<&[u8]> {
        let (start, len) = *self.blobs.get(id)?;
        Some(&self.plain[start as usize..][..len as usize])
    }

    pub(super) fn push(&mut self, id: BlobId, content: &[u8]) {
        self.blobs.insert(id, (self.plain.len() as u32, content.len() as u32));
        self.plain.extend_from_slice(content);
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        self.plain.len()
    }

    /// Why a blob that should be in this block is not.
    pub(crate) fn missing(&self, kind: Kind, id: &BlobId) -> Error {
        match &self.damage {
            Some((object, reason)) => Error::damaged(object, reason),
            None => Error::BlobMissing { kind, id: *id },
        }
    }
}

/// Reads blobs of an indexed repository; shared by threads, and cheap to clone.
#[derive(Clone)]
pub struct BlobReader {
    store: SharedStore,
    keys: Arc<Keys>,
    index: Arc<Index>,
    cache: Arc<BlockCache>,
    openers: Arc<Openers>,
}

impl Repo<Indexed> {
    /// A reader with a cache of its own.
    #[must_use]
    pub fn reader(&self) -> BlobReader {
        BlobReader {
            store: self.store.clone(),
            keys: self.state.open.keys.clone(),
            index: self.state.index.clone(),
            cache: Arc::default(),
            openers: Arc::new(Openers::new(self.state.open.keys.clone(), processors())),
        }
    }
}

impl BlobReader {
    /// The index that it reads by.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// One blob.
    ///
    /// # Errors
    /// `BlobMissing`, `Damaged`, `Binding`, or the store's.
    pub fn read(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
        let missing = || Error::BlobMissing { kind, id: *id };
        let at = self.index.locate(id).ok_or_else(missing)?;
        let block = self.block(kind, at)?;
        block.get(id).map(<[u8]>::to_vec).ok_or_else(|| block.missing(kind, id))
    }

    /// Several blobs, each block fetched and opened once: `each` gets the position of an id in `ids` and
    /// its content, in the order in which the blocks lie.
    ///
    /// # Errors
    /// As for `read`; whatever `each` returns.
    pub fn read_many(
        &self,
        kind: Kind,
        ids: &[BlobId],
        mut each: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let groups =
            group_by_block(&self.index, ids).map_err(|id| Error::BlobMissing { kind, id })?;
        for (at, positions) in groups {
            let block = self.block(kind, at)?;
            for position in positions {
                let id = &ids[position];
                each(position, block.get(id).ok_or_else(|| block.missing(kind, id))?)?;
            }
        }
        Ok(())
    }

    /// The block at a location of this reader's index, from the cache or the store.
    ///
    /// # Errors
    /// As for `read`.
    pub fn block(&self, kind: Kind, at: Location) -> Result<Arc<OpenedBlock>> {
        match self.kept(at) {
            Some(block) => Ok(block),
            None => Ok(self.keep(at, self.fetch(kind, at)?)),
        }
    }

    /// A block that was read before, or is on its way.
    pub(super) fn kept(&self, at: Location) -> Option<Arc<OpenedBlock>> {
        self.cache.take(at)
    }

    pub(super) fn keep(&self, at: Location, block: OpenedBlock) -> Arc<OpenedBlock> {
        let block = Arc::new(block);
        self.cache.keep(at, &block);
        block
    }

    /// What one read may fetch to save another one.
    pub(crate) fn join_bytes(&self) -> u64 {
        self.store.habits().read_join_bytes
    }

    pub(super) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Runs `work`, and fetches meanwhile what it says that it will read next, and what lies beneath that, as much
    /// at once as the store likes.
    pub(crate) fn reading_ahead<T>(&self, work: impl FnOnce() -> T) -> T {
        let fetch = |wanted: &Wanted| self.fetch(wanted.kind, wanted.at).ok();
        let see = |wanted: &Wanted, block: &OpenedBlock| self.look_beneath(wanted, block);
        let habits = self.store.habits();
        let threads = if habits.is_far() { habits.reads_in_flight } else { 0 };
        self.cache.read_ahead(threads, fetch, see, work)
    }

    /// Says which blobs are read next, in this order.
    pub(crate) fn will_read(&self, next: &mut dyn Iterator<Item = (Kind, BlobId)>) {
        if self.cache.reads_ahead() {
            self.cache.want(self.wanted(next));
        }
    }

    fn wanted(&self, next: &mut dyn Iterator<Item = (Kind, BlobId)>) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut places: HashMap<Location, usize> = HashMap::new();
        for (kind, id) in next {
            let Some(at) = self.index.locate(&id) else { continue };
            match places.entry(at) {
                Entry::Occupied(place) => wanted[*place.get()].ids.push(id),
                Entry::Vacant(place) => {
                    place.insert(wanted.len());
                    let block = self.index.block(at);
                    let bytes = block.sealed_len as usize + block.plain_len as usize;
                    wanted.push(Wanted { kind, at, bytes, ids: vec![id] });
                }
            }
        }
        wanted
    }

    /// What the pages lead to for which a block was fetched is wanted as well, after everything else: what changed
    /// last lies together, and leads to what has not changed for long and lies everywhere.
    fn look_beneath(&self, wanted: &Wanted, block: &OpenedBlock) {
        if wanted.kind != Kind::Tree {
            return;
        }
        let pages = wanted.ids.iter().filter_map(|id| decode_page(block.get(id)?).ok());
        for page in pages {
            self.cache.want_later(self.wanted(&mut *beneath(&page)));
        }
    }

    pub(super) fn fetch(&self, kind: Kind, at: Location) -> Result<OpenedBlock> {
        let pack = self.index.pack(at);
        let key = pack_key(&pack.name);
        if pack.kind != kind {
            let reason = format!("holds {} blobs where {kind} is wanted", pack.kind);
            return Err(Error::binding(key, reason));
        }
        match self.fetch_from_any(&key, kind, at) {
            Err(error) if error.permanent() => self.read_elsewhere(kind, at, error),
            read => read,
        }
    }

    /// A block from the pack or its copy.
    fn fetch_from_any(&self, key: &str, kind: Kind, at: Location) -> Result<OpenedBlock> {
        match self.fetch_from(key, kind, at) {
            Err(error) if kind.is_mirrored() => {
                // The first error is the one that names the damage, if the copy is no better.
                self.fetch_from(&super::mirror_key(key), kind, at).map_err(|_| error)
            }
            read => read,
        }
    }

    /// What other packs hold of a block that cannot be read, or what is wrong with it if that is nothing.
    fn read_elsewhere(&self, kind: Kind, at: Location, error: Error) -> Result<OpenedBlock> {
        let mut found = OpenedBlock::default();
        for id in self.index.also_elsewhere(at.block) {
            for other in self.index.elsewhere(&id) {
                let pack = self.index.pack(other);
                if pack.kind != kind {
                    continue;
                }
                match self.fetch_from_any(&pack_key(&pack.name), kind, other) {
                    Ok(block) => {
                        block.get(&id).into_iter().for_each(|content| found.push(id, content));
                        break;
                    }
                    Err(error) if !error.permanent() => return Err(error),
                    Err(_) => {}
                }
            }
        }
        if found.blobs.is_empty() {
            return Err(error);
        }
        found.damage = Some(match error {
            Error::Damaged { object, reason } | Error::Binding { object, reason } => {
                (object, reason)
            }
            error => (pack_key(&self.index.pack(at).name), error.to_string()),
        });
        Ok(found)
    }

    fn fetch_from(&self, key: &str, kind: Kind, at: Location) -> Result<OpenedBlock> {
        let block = self.index.block(at);
        let sealed =
            self.store.get_range(key, u64::from(block.offset), block.sealed_len as usize)?;
        self.open_checked(key, kind, at, &sealed)
    }

    /// Opens bytes that were fetched for a location, and compares what they hold with the index.
    pub(super) fn open_checked(
        &self,
        key: &str,
        kind: Kind,
        at: Location,
        sealed: &[u8],
    ) -> Result<OpenedBlock> {
        let opened = self.open_block(key, kind, at, sealed)?;
        match opened.blobs.keys().find(|id| !self.index.is_in(id, at.block)) {
            Some(id) => Err(Error::binding(key, format!("a block of it holds {id} instead"))),
            None => Ok(opened),
        }
    }

    /// Opens bytes that were fetched for a location, and computes the id of every blob in them.
    pub(crate) fn open_block(
        &self,
        key: &str,
        kind: Kind,
        at: Location,
        sealed: &[u8],
    ) -> Result<OpenedBlock> {
        let epoch = self.index.pack(at).epoch;
        let opened = self.openers.with(|opener| {
            opener.open(kind, epoch, sealed).map(|block| {
                let mut opened = OpenedBlock::default();
                opened.plain.reserve_exact(block.plain().len());
                opened.blobs.reserve(block.len());
                block.blobs().for_each(|blob| opened.push(self.keys.blob_id(kind, blob), blob));
                opened
            })
        })?;
        opened.map_err(|error| Error::damaged(key, format!("block {}: {error}", at.block)))
    }
}
