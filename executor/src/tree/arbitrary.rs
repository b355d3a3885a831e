//! Entries by chance, and blobs in memory, for tests.

use std::cell::Cell;
use std::collections::HashMap;

use proptest::prelude::*;

use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::tree::{
    Attribute, Attributes, Blobs, Content, Device, Fetch, Node, NodeKind, Piece, Time,
};

fn id(seed: &[u8]) -> BlobId {
    let mut bytes = [seed.first().copied().unwrap_or(0); 16];
    bytes[..seed.len().min(16)].copy_from_slice(&seed[..seed.len().min(16)]);
    BlobId(bytes)
}

/// A file of one chunk.
pub(crate) fn file(name: &[u8], seed: &[u8], size: u64) -> Node {
    let pieces = vec![Piece::Chunk { id: id(seed), len: size }];
    let kind = NodeKind::File { size, content: Content::Pieces(pieces) };
    Node::bare(name, kind, 0o644, Time::default())
}

fn any_id() -> impl Strategy<Value = BlobId> {
    any::<[u8; 16]>().prop_map(BlobId)
}

fn any_time() -> impl Strategy<Value = Time> {
    (any::<i64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Time { seconds, nanos })
}

fn any_kind() -> impl Strategy<Value = NodeKind> {
    let piece = prop_oneof![
        (any_id(), 1..1u64 << 40).prop_map(|(id, len)| Piece::Chunk { id, len }),
        (1..1u64 << 50).prop_map(|len| Piece::Hole { len }),
    ];
    let device = (any::<u32>(), any::<u32>()).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| NodeKind::File {
            size: pieces.iter().map(Piece::len).sum(),
            content: Content::Pieces(pieces),
        }),
        (any::<u64>(), proptest::collection::vec(any_id(), 0..5))
            .prop_map(|(size, ids)| NodeKind::File { size, content: Content::Lists(ids) }),
        any_id().prop_map(|tree| NodeKind::Directory { tree }),
        any_id().prop_map(|tree| NodeKind::Passage { tree }),
        proptest::collection::vec(1..=255u8, 1..30).prop_map(|target| NodeKind::Symlink { target }),
        Just(NodeKind::Fifo),
        Just(NodeKind::Socket),
        device.clone().prop_map(NodeKind::CharDevice),
        device.prop_map(NodeKind::BlockDevice),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let list = proptest::collection::btree_map(
        proptest::collection::vec(1..=255u8, 1..9),
        proptest::collection::vec(any::<u8>(), 0..20),
        1..4,
    );
    prop_oneof![
        3 => Just(Attributes::None),
        1 => any_id().prop_map(Attributes::Blob),
        1 => list.prop_map(|map| {
            Attributes::Inline(map.into_iter().map(|(name, value)| Attribute { name, value }).collect())
        }),
    ]
}

/// Up to `most` entries of all kinds, sorted, with names that share beginnings.
pub(crate) fn nodes(most: usize) -> impl Strategy<Value = Vec<Node>> {
    let name = prop_oneof![
        "[ab]{1,6}".prop_map(String::into_bytes),
        proptest::collection::vec((1..=255u8).prop_filter("slash", |b| *b != b'/'), 1..20)
    ];
    let name = name.prop_filter("dot names", |name| name != b"." && name != b"..");
    let times = (any_time(), any_time());
    let owner = (any::<u32>(), any::<u32>(), 0..=0o7777u32);
    let rest = (any::<u64>(), any::<Option<u64>>(), any::<bool>(), any_attributes());
    let entry = (any_kind(), times, owner, rest);
    proptest::collection::btree_map(name, entry, 0..most).prop_map(|map| {
        map.into_iter()
            .map(|(name, (kind, (mtime, ctime), (uid, gid, mode), rest))| {
                let (inode, link_group, racy, attributes) = rest;
                let bare = Node::bare(&name, kind, mode, mtime);
                Node { uid, gid, ctime, inode, link_group, racy, attributes, ..bare }
            })
            .collect()
    })
}

/// Blobs by id, without a key.
#[derive(Default)]
pub(crate) struct Memory {
    blobs: HashMap<(Kind, BlobId), Vec<u8>>,
    reads: Cell<usize>,
}

impl Memory {
    pub(crate) fn len(&self) -> usize {
        self.blobs.len()
    }
    pub(crate) fn reads(&self) -> usize {
        self.reads.get()
    }
    pub(crate) fn forget_reads(&self) {
        self.reads.set(0);
    }
}

impl Blobs for Memory {
    fn put(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<BlobId> {
        let id = id(blake3::hash(&bytes).as_bytes());
        self.blobs.insert((kind, id), bytes);
        Ok(id)
    }

    fn ends_page(&self, name: &[u8]) -> bool {
        let hash = blake3::hash(name);
        hash.as_bytes()[0] == 0 && hash.as_bytes()[1] & 1 == 0
    }
}

impl Fetch for Memory {
    fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
        self.reads.set(self.reads.get() + 1);
        self.blobs.get(&(kind, *id)).cloned().ok_or(Error::BlobMissing { kind, id: *id })
    }
}
