//! Where every blob lies. Index objects are sealed lists of pack records; in memory they become one
//! sorted table of 20 bytes a blob, and the shared set of claims of a writing session.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::{BlobId, Kind, ObjectHash, PackName};
use crate::error::{Error, Malformed, Result};
use crate::limits;
use crate::pack::{Footer, FooterBlock, PackRecord};
use crate::wire::{Reader, Write};

/// Where index objects lie.
pub(crate) const INDEX_FOLDER: &str = "meta/index/";

/// The key of an index object.
#[must_use]
pub fn index_key(hash: &ObjectHash) -> String {
    format!("{INDEX_FOLDER}{hash}")
}

/// The content of one index object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexObject {
    /// Index objects that this one contains, and that a collector may delete.
    pub replaces: Vec<ObjectHash>,
    /// The packs.
    pub packs: Vec<PackRecord>,
}

impl IndexObject {
    /// The plaintext of the object.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.varint(self.replaces.len() as u64);
        self.replaces.iter().for_each(|hash| out.bytes(hash.as_bytes()));
        out.varint(self.packs.len() as u64);
        for pack in &self.packs {
            out.bytes(pack.name.as_bytes());
            out.varint(pack.size);
            out.text(&pack.body);
        }
    }

    /// Reads the plaintext of an index object.
    ///
    /// # Errors
    /// The field that cannot be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let count =
            reader.count("replaced indexes", limits::INDEX_MAX_REPLACES, ObjectHash::LEN)?;
        let mut replaces = Vec::with_capacity(count);
        for _ in 0..count {
            replaces.push(ObjectHash(reader.array("replaced index")?));
        }
        let count = reader.count("pack count", limits::INDEX_MAX_BYTES, PackName::LEN + 2)?;
        let mut packs = Vec::with_capacity(count);
        for _ in 0..count {
            let name = PackName(reader.array("pack name")?);
            let size = reader.bounded("pack size", limits::PACK_MAX_BYTES as usize)? as u64;
            let body = reader.text("footer", limits::FOOTER_MAX_BYTES)?.to_vec();
            packs.push(PackRecord { name, size, body });
        }
        reader.end("index")?;
        Ok(Self { replaces, packs })
    }
}

/// One pack in memory.
#[derive(Clone, Copy, Debug)]
pub struct PackEntry {
    /// Its name.
    pub name: PackName,
    /// Its bytes.
    pub size: u64,
    /// What its blobs are.
    pub kind: Kind,
    /// The epoch of its blocks.
    pub epoch: u32,
    /// The number of its first block.
    first_block: u32,
}

/// Where a blob lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Number of the pack in this index.
    pub pack: u32,
    /// Number of the block in this index; blocks of one pack follow each other.
    pub block: u32,
}

/// All blobs of a repository, or of those packs that a filter leaves.
#[derive(Default)]
pub struct Index {
    packs: Vec<PackEntry>,
    blocks: Vec<FooterBlock>,
    ids: Vec<BlobId>,
    at: Vec<u32>,
    /// Further blocks that hold a blob, by id: it may be read from any.
    others: Vec<(BlobId, u32)>,
    /// Where the ids begin whose first `bucket_bits` bits are at least this.
    buckets: Vec<u32>,
    bucket_bits: u32,
}

/// Collects packs, then sorts once.
#[derive(Default)]
pub(crate) struct IndexBuilder {
    index: Index,
    seen: HashSet<PackName>,
    rows: Vec<(BlobId, u32)>,
}

impl IndexBuilder {
    /// Adds a pack; one that is named twice counts once.
    pub(crate) fn add(&mut self, record: &PackRecord) -> Result<()> {
        if !self.seen.insert(record.name) {
            return Ok(());
        }
        let footer = Footer::parse(&record.body, record.size).map_err(|error| {
            Error::damaged(format!("index record of pack {}", record.name), error)
        })?;
        let total = self.rows.len() + footer.blobs.len();
        if total > limits::INDEX_MAX_BLOBS {
            let (limit, found) = (limits::INDEX_MAX_BLOBS as u64, total as u64);
            return Err(Error::Limit { what: "blobs in the index", limit, found });
        }
        let index = &mut self.index;
        let first_block = index.blocks.len() as u32;
        index.packs.push(PackEntry {
            name: record.name,
            size: record.size,
            kind: footer.kind,
            epoch: footer.epoch,
            first_block,
        });
        let mut blobs = footer.blobs.iter();
        for (number, block) in (first_block..).zip(&footer.blocks) {
            let part = blobs.by_ref().take(block.count as usize);
            self.rows.extend(part.map(|(id, _)| (*id, number)));
        }
        index.blocks.extend_from_slice(&footer.blocks);
        Ok(())
    }

    pub(crate) fn build(mut self) -> Index {
        self.rows.sort_unstable();
        self.rows.dedup();
        let index = &mut self.index;
        let again = self.rows.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        index.others = again.map(|pair| pair[1]).collect();
        self.rows.dedup_by_key(|row| row.0);
        index.bucket_bits = (self.rows.len() as u64 / 4).max(1).ilog2().min(24);
        index.ids = self.rows.iter().map(|row| row.0).collect();
        index.at = self.rows.iter().map(|row| row.1).collect();
        let buckets = 1usize << index.bucket_bits;
        index.buckets = Vec::with_capacity(buckets + 1);
        let mut next = 0;
        for bucket in 0..buckets {
            while next < index.ids.len() && bucket_of(&index.ids[next], index.bucket_bits) < bucket
            {
                next += 1;
            }
            index.buckets.push(next as u32);
        }
        index.buckets.push(index.ids.len() as u32);
        self.index
    }
}

fn bucket_of(id: &BlobId, bits: u32) -> usize {
    let head = u32::from_be_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]);
    (u64::from(head) >> (32 - bits)) as usize
}

impl Index {
    /// Where a blob lies.
    #[must_use]
    pub fn locate(&self, id: &BlobId) -> Option<Location> {
        if self.ids.is_empty() {
            return None;
        }
        let bucket = bucket_of(id, self.bucket_bits);
        let (from, to) = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
        let found = self.ids[from..to].binary_search(id).ok()?;
        let block = self.at[from + found];
        Some(Location { pack: self.pack_of(block), block })
    }

    /// Where else a blob lies.
    pub(crate) fn elsewhere(&self, id: &BlobId) -> impl Iterator<Item = Location> + '_ {
        let id = *id;
        let from = self.others.partition_point(|(other, _)| *other < id);
        let rows = self.others[from..].iter().take_while(move |(other, _)| *other == id);
        rows.map(|(_, block)| Location { pack: self.pack_of(*block), block: *block })
    }

    /// Whether the block is one of those that hold the blob.
    pub(crate) fn is_in(&self, id: &BlobId, block: u32) -> bool {
        self.locate(id).is_some_and(|at| at.block == block)
            || self.elsewhere(id).any(|at| at.block == block)
    }

    /// The blobs for which this block is looked at first, of those that are in another one as well.
    pub(crate) fn also_elsewhere(&self, block: u32) -> impl Iterator<Item = BlobId> + '_ {
        let mut last = None;
        let ids = self.others.iter().map(|(id, _)| *id);
        let ids = ids.filter(move |id| last.replace(*id) != Some(*id));
        ids.filter(move |id| self.locate(id).is_some_and(|at| at.block == block))
    }

    fn pack_of(&self, block: u32) -> u32 {
        self.packs.partition_point(|pack| pack.first_block <= block) as u32 - 1
    }

    /// The pack of a location of this index.
    #[must_use]
    pub fn pack(&self, at: Location) -> &PackEntry {
        &self.packs[at.pack as usize]
    }

    /// The block of a location of this index.
    #[must_use]
    pub fn block(&self, at: Location) -> FooterBlock {
        self.blocks[at.block as usize]
    }

    /// All packs.
    #[must_use]
    pub fn packs(&self) -> &[PackEntry] {
        &self.packs
    }

    /// The blocks of one pack with their locations.
    pub fn blocks_of(&self, pack: u32) -> impl Iterator<Item = (Location, FooterBlock)> + '_ {
        let first = self.packs[pack as usize].first_block;
        let end = self
            .packs
            .get(pack as usize + 1)
            .map_or(self.blocks.len() as u32, |next| next.first_block);
        (first..end).map(move |block| (Location { pack, block }, self.blocks[block as usize]))
    }

    /// How many different blobs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// All blob ids, in order.
    #[must_use]
    pub fn ids(&self) -> &[BlobId] {
        &self.ids
    }
}

/// What a claim found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has it: the caller must append it now, and whoever claims it later relies on that.
    New,
    /// It is stored already, or another worker of this session has claimed it.
    Known,
}

/// Locks of the claims: so many that two workers rarely meet.
const CLAIM_SHARDS: usize = 64;

/// Ids are keyed digests already: their first bytes are their hash.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        let mut head = [0; 8];
        let len = bytes.len().min(8);
        head[..len].copy_from_slice(&bytes[..len]);
        self.0 ^= u64::from_le_bytes(head);
    }
    fn write_usize(&mut self, _: usize) {}
}

type IdSet = HashSet<BlobId, BuildHasherDefault<IdHasher>>;

/// A map by ids, without hashing what is a hash.
pub(crate) type IdMap<V> = HashMap<BlobId, V, BuildHasherDefault<IdHasher>>;

/// The index as a writing session sees it: what is stored, what this session has claimed, and on
/// which packs it relies.
pub struct DedupIndex {
    base: Arc<Index>,
    claims: Vec<Mutex<IdSet>>,
    relied: Vec<AtomicBool>,
}

impl DedupIndex {
    /// Begins with what is stored in packs that are neither condemned nor known to be damaged.
    #[must_use]
    pub fn new(base: Arc<Index>) -> Self {
        let relied = base.packs.iter().map(|_| AtomicBool::new(false)).collect();
        let claims = (0..CLAIM_SHARDS).map(|_| Mutex::default()).collect();
        Self { base, claims, relied }
    }

    /// Claims a blob. A claim is never withdrawn.
    pub fn claim(&self, id: &BlobId) -> Claim {
        if self.rely(id) {
            return Claim::Known;
        }
        if self.shard(id).insert(*id) { Claim::New } else { Claim::Known }
    }

    /// Whether the repository holds the blob already, not counting this session. The session relies on
    /// its pack from now on: call it for every blob that is reused without a claim.
    pub fn rely(&self, id: &BlobId) -> bool {
        match self.base.locate(id) {
            Some(at) => {
                self.relied[at.pack as usize].store(true, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }

    /// Whether the blob is stored or claimed.
    pub fn contains(&self, id: &BlobId) -> bool {
        self.rely(id) || self.shard(id).contains(id)
    }

    /// Where a stored blob lies; nothing about claims.
    #[must_use]
    pub fn locate(&self, id: &BlobId) -> Option<Location> {
        self.base.locate(id)
    }

    /// What was stored when the session began.
    #[must_use]
    pub fn base(&self) -> &Arc<Index> {
        &self.base
    }

    /// The packs on which this session relies.
    pub(crate) fn relied_packs(&self) -> impl Iterator<Item = &PackEntry> {
        let flags = self.base.packs.iter().zip(&self.relied);
        flags.filter(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(pack, _)| pack)
    }

    fn shard(&self, id: &BlobId) -> std::sync::MutexGuard<'_, IdSet> {
        // The last byte: the first ones choose the place inside the set.
        let shard = usize::from(id.0[BlobId::LEN - 1]) % CLAIM_SHARDS;
        self.claims[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Groups positions of ids by the block that holds them, in the order of packs and offsets.
pub(crate) fn group_by_block(
    index: &Index,
    ids: &[BlobId],
) -> std::result::Result<Vec<(Location, Vec<usize>)>, BlobId> {
    let mut groups: HashMap<Location, Vec<usize>> = HashMap::new();
    for (position, id) in ids.iter().enumerate() {
        groups.entry(index.locate(id).ok_or(*id)?).or_default().push(position);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(at, _)| *at);
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(number: u8, ids: &[BlobId]) -> PackRecord {
        let mut body = vec![Kind::Data as u8, 1, 0, 0, 0];
        body.varint(ids.len() as u64);
        for _ in ids {
            body.varint(60);
            body.varint(9);
            body.varint(1);
        }
        for id in ids {
            body.bytes(id.as_bytes());
            body.varint(9);
        }
        PackRecord { name: PackName([number; 32]), size: 1 << 20, body }
    }

    fn id(number: u64) -> BlobId {
        let hash = blake3::hash(&number.to_le_bytes());
        BlobId(*hash.as_bytes().first_chunk().unwrap())
    }

    proptest! {
        /// The sorted table answers as a map would, whatever the number of blobs and packs.
        #[test]
        fn every_blob_is_found_where_it_is(packs in prop::collection::vec(0u64..300, 0..6)) {
            let mut builder = IndexBuilder::default();
            let mut next = 0;
            let mut wanted = Vec::new();
            for (number, count) in packs.iter().enumerate() {
                let ids: Vec<BlobId> = (next..next + count).map(id).collect();
                next += count;
                builder.add(&record(number as u8, &ids)).unwrap();
                // A pack that is named twice counts once.
                builder.add(&record(number as u8, &ids)).unwrap();
                wanted.extend(ids.iter().enumerate().map(|(at, id)| (*id, number as u8, at)));
            }
            let index = builder.build();
            prop_assert_eq!(index.len(), wanted.len());
            for (id, pack, block) in wanted {
                let at = index.locate(&id).unwrap();
                prop_assert_eq!(index.pack(at).name, PackName([pack; 32]));
                prop_assert_eq!(index.block(at).offset, block as u32 * 60);
            }
            prop_assert_eq!(index.locate(&id(u64::MAX)), None);
        }

        #[test]
        fn index_objects_survive_their_bytes(counts in prop::collection::vec(1u64..9, 0..5)) {
            let packs = counts.iter().enumerate().map(|(number, count)| {
                record(number as u8, &(0..*count).map(id).collect::<Vec<_>>())
            });
            let object = IndexObject { replaces: vec![ObjectHash([3; 32])], packs: packs.collect() };
            let mut bytes = Vec::new();
            object.encode(&mut bytes);
            prop_assert_eq!(IndexObject::decode(&bytes).unwrap(), object);
        }
    }

    #[test]
    fn of_many_threads_one_gets_each_claim() {
        let mut builder = IndexBuilder::default();
        builder.add(&record(1, &(0..100).map(id).collect::<Vec<_>>())).unwrap();
        let dedup = DedupIndex::new(Arc::new(builder.build()));
        let claim = || (0..5_000).filter(|n| dedup.claim(&id(*n)) == Claim::New).count();
        let new: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(new, 4_900);
        assert_eq!(dedup.relied_packs().count(), 1);
        assert!(dedup.contains(&id(4_000)) && !dedup.rely(&id(4_000)));
    }
}
