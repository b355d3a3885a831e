//! What snapshots take: which blobs they need, and which of them nothing else needs.
//!
//! A page of a tree is read again only for a snapshot that adds something to what is known of it, which
//! happens four times at most: a hundred snapshots that share nearly everything cost little more than one.

use std::collections::{BTreeSet, HashMap};

use super::{BlobReader, Indexed, Open, Repo};
use crate::digest::{BlobId, Kind, SnapshotName};
use crate::error::{Error, Result};
use crate::index::{IdMap, Index, Location};
use crate::snapshot::Snapshot;
use crate::tree::{
    Attributes, Content, Node, NodeKind, PAGE_LEVELS_MAX, Page, Piece, decode_list, decode_page,
};

/// An amount of different blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub blobs: u64,
    /// Their plaintext.
    pub plain_bytes: u64,
    /// Their part of the sealed blocks that hold them: by plaintext, as blocks are compressed as a whole.
    pub stored_bytes: u64,
}

/// What the chosen snapshots need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// For each chosen snapshot, in the order given, what no other snapshot of the repository needs.
    pub alone: Vec<(SnapshotName, Amount)>,
    /// What the chosen ones need together.
    pub together: Amount,
    /// What only chosen ones need: reclaimable when all of them are forgotten.
    pub exclusive: Amount,
    /// Pages and lists that cannot be read; what they lead to is not counted.
    pub unreadable: u64,
}

/// What is stored, whoever needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Packs that are indexed.
    pub packs: u64,
    /// Different blobs in them, with all of the blocks.
    pub blobs: Amount,
    /// Objects of the repository, second copies and all.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Repo<Open> {
    /// What is stored: one listing and the index.
    ///
    /// # Errors
    /// The store's.
    pub fn stored(&self) -> Result<Stored> {
        let rows = self.store.list("")?;
        let indexed = self.index_for_reading()?;
        let index = indexed.index();
        let mut stored = Stored {
            packs: index.packs().len() as u64,
            objects: rows.len() as u64,
            bytes: rows.iter().map(|row| row.size).sum(),
            ..Stored::default()
        };
        stored.blobs.blobs = index.len() as u64;
        for pack in 0..index.packs().len() {
            for (_, block) in index.blocks_of(pack as u32) {
                stored.blobs.plain_bytes += u64::from(block.plain_len);
                stored.blobs.stored_bytes += u64::from(block.sealed_len);
            }
        }
        Ok(stored)
    }
}

/// What the `chosen` of `all` snapshots of a repository need.
///
/// # Errors
/// The store's. What is damaged is counted in the result.
pub fn usage(
    repo: &Repo<Open>,
    all: &[(SnapshotName, Snapshot)],
    chosen: &BTreeSet<SnapshotName>,
) -> Result<Usage> {
    let indexed = repo.index_for_reading()?;
    let mut census = Census::new(&indexed);
    for (number, (name, snapshot)) in (0..).zip(all) {
        let mark = if chosen.contains(name) { CHOSEN } else { OTHER };
        for root in &snapshot.roots {
            census.tree(root.tree, number, mark)?;
        }
    }
    let mut usage = Usage { unreadable: census.unreadable, ..Usage::default() };
    let index = indexed.index();
    usage.together =
        amount(index, census.blobs.iter().filter(|(_, seen)| seen.marks & CHOSEN != 0));
    let mut alone: HashMap<u32, Vec<(&BlobId, &Seen)>> = HashMap::new();
    for (id, seen) in census.blobs.iter().filter(|(_, seen)| seen.marks & MANY == 0) {
        alone.entry(seen.first).or_default().push((id, seen));
    }
    usage.exclusive =
        amount(index, census.blobs.iter().filter(|(_, seen)| seen.marks & OTHER == 0));
    for (number, (name, _)) in (0..).zip(all).filter(|(_, (name, _))| chosen.contains(name)) {
        let blobs = alone.remove(&number).unwrap_or_default();
        usage.alone.push((*name, amount(index, blobs.into_iter())));
    }
    Ok(usage)
}

/// A chosen snapshot needs it.
const CHOSEN: u8 = 1;
/// A snapshot that was not chosen needs it.
const OTHER: u8 = 2;
/// More than one snapshot needs it.
const MANY: u8 = 4;

/// Who needs a blob.
#[derive(Clone, Copy)]
struct Seen {
    len: u32,
    first: u32,
    marks: u8,
}

struct Census {
    reader: BlobReader,
    blobs: IdMap<Seen>,
    unreadable: u64,
}

impl Census {
    fn new(indexed: &Repo<Indexed>) -> Self {
        Self { reader: indexed.reader(), blobs: IdMap::default(), unreadable: 0 }
    }

    /// Notes that a snapshot needs a blob; returns whether that says anything new about it.
    fn note(&mut self, id: BlobId, len: u64, snapshot: u32, mark: u8) -> bool {
        let fresh = Seen { len: len as u32, first: snapshot, marks: 0 };
        let seen = self.blobs.entry(id).or_insert(fresh);
        let before = seen.marks;
        seen.marks |= mark | if seen.first == snapshot { 0 } else { MANY };
        seen.marks != before
    }

    fn tree(&mut self, root: BlobId, snapshot: u32, mark: u8) -> Result<()> {
        let mut ahead = vec![(root, PAGE_LEVELS_MAX)];
        while let Some((id, levels)) = ahead.pop() {
            if self.is_settled(&id, snapshot, mark) {
                continue;
            }
            let Some(bytes) = self.read(Kind::Tree, &id)? else { continue };
            if !self.note(id, bytes.len() as u64, snapshot, mark) {
                continue;
            }
            match decode_page(&bytes) {
                Ok(Page::Parent(children)) if levels > 1 => {
                    ahead.extend(children.iter().map(|(_, child)| (*child, levels - 1)));
                }
                Ok(Page::Leaf(nodes)) => {
                    for node in &nodes {
                        self.node(node, snapshot, mark)?;
                        ahead.extend(node.kind.tree().map(|tree| (tree, PAGE_LEVELS_MAX)));
                    }
                }
                Ok(Page::Parent(_)) | Err(_) => self.unreadable += 1,
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, snapshot: u32, mark: u8) -> Result<()> {
        if let Attributes::Blob(id) = &node.attributes
            && !self.is_settled(id, snapshot, mark)
            && let Some(bytes) = self.read(Kind::Data, id)?
        {
            self.note(*id, bytes.len() as u64, snapshot, mark);
        }
        let NodeKind::File { content, .. } = &node.kind else { return Ok(()) };
        let lists = match content {
            Content::Pieces(pieces) => {
                self.pieces(pieces, snapshot, mark);
                return Ok(());
            }
            Content::Lists(lists) => lists,
        };
        for id in lists {
            if self.is_settled(id, snapshot, mark) {
                continue;
            }
            let Some(bytes) = self.read(Kind::List, id)? else { continue };
            self.note(*id, bytes.len() as u64, snapshot, mark);
            match decode_list(&bytes) {
                Ok(pieces) => self.pieces(&pieces, snapshot, mark),
                Err(_) => self.unreadable += 1,
            }
        }
        Ok(())
    }

    fn pieces(&mut self, pieces: &[Piece], snapshot: u32, mark: u8) {
        for piece in pieces {
            if let Piece::Chunk { id, len } = piece {
                self.note(*id, *len, snapshot, mark);
            }
        }
    }

    /// Whether another visit would say nothing new about a blob and all that it leads to.
    fn is_settled(&self, id: &BlobId, snapshot: u32, mark: u8) -> bool {
        self.blobs.get(id).is_some_and(|seen| {
            seen.marks & mark != 0 && (seen.first == snapshot || seen.marks & MANY != 0)
        })
    }

    fn read(&mut self, kind: Kind, id: &BlobId) -> Result<Option<Vec<u8>>> {
        match self.reader.read(kind, id) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
            Err(_) => {
                self.unreadable += 1;
                Ok(None)
            }
        }
    }
}

/// The sum of blobs. Shares are computed once a block, so that a block that is needed as a whole counts
/// exactly.
fn amount<'a>(index: &Index, blobs: impl Iterator<Item = (&'a BlobId, &'a Seen)>) -> Amount {
    let mut amount = Amount::default();
    let mut blocks: HashMap<Location, u64> = HashMap::new();
    for (id, seen) in blobs {
        amount.blobs += 1;
        amount.plain_bytes += u64::from(seen.len);
        if let Some(at) = index.locate(id) {
            *blocks.entry(at).or_default() += u64::from(seen.len);
        }
    }
    for (at, live) in blocks {
        let block = index.block(at);
        let plain = u64::from(block.plain_len).max(1);
        amount.stored_bytes += u64::from(block.sealed_len) * live.min(plain) / plain;
    }
    amount
}
