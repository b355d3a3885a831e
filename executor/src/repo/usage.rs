//! What snapshots take: which blobs they need, and which of them nothing else needs.
//!
//! A page of a tree is read again only for a snapshot that adds something to what is known of it, which
//! happens four times at most: a hundred snapshots that share nearly everything cost little more than one.
//! In which order pages are visited makes no difference, so that many are read at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{BlobReader, Indexed, Open, Repo, fetch_all, readable};
use crate::digest::{BlobId, Kind, SnapshotName};
use crate::error::Result;
use crate::index::{IdMap, Index, Location, group_by_block};
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
    let roots = (0..).zip(all).flat_map(|(number, (name, snapshot))| {
        let by = By { snapshot: number, mark: if chosen.contains(name) { CHOSEN } else { OTHER } };
        snapshot.roots.iter().map(move |root| Visit { id: root.tree, levels: PAGE_LEVELS_MAX, by })
    });
    for roots in roots.collect::<Vec<_>>().chunks(census.at_once) {
        census.trees(roots.to_vec())?;
    }
    let mut usage = Usage { unreadable: census.unreadable.len() as u64, ..Usage::default() };
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

/// Pages that are taken up together, and trees that are begun together, for each read that the store likes to
/// have in flight: enough that few reads wait for the slowest, and not more than memory has place for.
const AT_ONCE: usize = 4;

/// Who needs a blob.
#[derive(Clone, Copy)]
struct Seen {
    len: u32,
    first: u32,
    marks: u8,
}

/// Who asks.
#[derive(Clone, Copy)]
struct By {
    snapshot: u32,
    mark: u8,
}

/// A page that a snapshot needs.
#[derive(Clone, Copy)]
struct Visit {
    id: BlobId,
    levels: usize,
    by: By,
}

struct Census {
    reader: BlobReader,
    at_once: usize,
    blobs: IdMap<Seen>,
    unreadable: HashSet<BlobId>,
}

impl Census {
    fn new(indexed: &Repo<Indexed>) -> Self {
        let at_once = AT_ONCE * indexed.store.habits().reads_in_flight.max(1);
        let reader = indexed.reader();
        Self { reader, at_once, blobs: IdMap::default(), unreadable: HashSet::new() }
    }

    /// Notes that a snapshot needs a blob; returns whether that says anything new about it.
    fn note(&mut self, id: BlobId, len: u64, by: By) -> bool {
        let fresh = Seen { len: len as u32, first: by.snapshot, marks: 0 };
        let seen = self.blobs.entry(id).or_insert(fresh);
        let before = seen.marks;
        seen.marks |= by.mark | if seen.first == by.snapshot { 0 } else { MANY };
        seen.marks != before
    }

    fn trees(&mut self, mut ahead: Vec<Visit>) -> Result<()> {
        loop {
            let visits = self.next(&mut ahead);
            if visits.is_empty() {
                return Ok(());
            }
            let pages = self.pages(&visits)?;
            for visit in visits {
                let Some(bytes) = pages.get(&visit.id) else { continue };
                if self.note(visit.id, bytes.len() as u64, visit.by) {
                    self.page(&visit, bytes, &mut ahead)?;
                }
            }
        }
    }

    /// Takes visits that may say something new, to as many pages as are read at once.
    fn next(&self, ahead: &mut Vec<Visit>) -> Vec<Visit> {
        let (mut visits, mut pages) = (Vec::new(), HashSet::new());
        while pages.len() < self.at_once
            && let Some(visit) = ahead.pop()
        {
            if !self.is_settled(&visit.id, visit.by) {
                pages.insert(visit.id);
                visits.push(visit);
            }
        }
        visits
    }

    /// The pages that can be read.
    fn pages(&mut self, visits: &[Visit]) -> Result<IdMap<Vec<u8>>> {
        let (ids, lost): (BTreeSet<_>, BTreeSet<_>) = visits
            .iter()
            .map(|visit| visit.id)
            .partition(|id| self.reader.index().locate(id).is_some());
        let ids: Vec<_> = ids.into_iter().collect();
        let groups = group_by_block(self.reader.index(), &ids).unwrap_or_default();
        let read = fetch_all(&**self.reader.store(), &groups, |(at, positions)| {
            let block = readable(self.reader.block(Kind::Tree, *at))?;
            let page = |position: &usize| {
                let id = ids[*position];
                (id, block.as_ref().and_then(|block| block.get(&id)).map(<[u8]>::to_vec))
            };
            Ok(positions.iter().map(page).collect::<Vec<_>>())
        })?;
        self.unreadable.extend(lost);
        let mut pages = IdMap::default();
        for (id, page) in read.into_iter().flatten() {
            if let Some(page) = page {
                pages.insert(id, page);
            } else {
                self.lose(&id);
            }
        }
        Ok(pages)
    }

    fn page(&mut self, visit: &Visit, bytes: &[u8], ahead: &mut Vec<Visit>) -> Result<()> {
        let by = visit.by;
        match decode_page(bytes) {
            Ok(Page::Parent(children)) if visit.levels > 1 => {
                let levels = visit.levels - 1;
                self.push(ahead, children.into_iter().map(|(_, id)| Visit { id, levels, by }));
            }
            Ok(Page::Leaf(nodes)) => {
                for node in &nodes {
                    self.node(node, by)?;
                }
                let trees = nodes.iter().filter_map(|node| node.kind.tree());
                self.push(ahead, trees.map(|id| Visit { id, levels: PAGE_LEVELS_MAX, by }));
            }
            Ok(Page::Parent(_)) | Err(_) => self.lose(&visit.id),
        }
        Ok(())
    }

    fn push(&self, ahead: &mut Vec<Visit>, visits: impl Iterator<Item = Visit>) {
        // A page that names one page sixty-five thousand times asks for it once.
        let mut pushed = HashSet::new();
        ahead.extend(
            visits.filter(|visit| !self.is_settled(&visit.id, visit.by) && pushed.insert(visit.id)),
        );
    }

    fn node(&mut self, node: &Node, by: By) -> Result<()> {
        if let Attributes::Blob(id) = &node.attributes
            && !self.is_settled(id, by)
            && let Some(bytes) = self.read(Kind::Data, id)?
        {
            self.note(*id, bytes.len() as u64, by);
        }
        let NodeKind::File { content, .. } = &node.kind else { return Ok(()) };
        let lists = match content {
            Content::Pieces(pieces) => {
                self.pieces(pieces, by);
                return Ok(());
            }
            Content::Lists(lists) => lists,
        };
        for id in lists {
            if self.is_settled(id, by) {
                continue;
            }
            let Some(bytes) = self.read(Kind::List, id)? else { continue };
            self.note(*id, bytes.len() as u64, by);
            match decode_list(&bytes) {
                Ok(pieces) => self.pieces(&pieces, by),
                Err(_) => self.lose(id),
            }
        }
        Ok(())
    }

    fn pieces(&mut self, pieces: &[Piece], by: By) {
        for piece in pieces {
            if let Piece::Chunk { id, len } = piece {
                self.note(*id, *len, by);
            }
        }
    }

    /// Whether another visit would say nothing new about a blob and all that it leads to.
    fn is_settled(&self, id: &BlobId, by: By) -> bool {
        match self.blobs.get(id) {
            Some(seen) => {
                seen.marks & by.mark != 0 && (seen.first == by.snapshot || seen.marks & MANY != 0)
            }
            None => self.unreadable.contains(id),
        }
    }

    fn read(&mut self, kind: Kind, id: &BlobId) -> Result<Option<Vec<u8>>> {
        let read = readable(self.reader.read(kind, id))?;
        if read.is_none() {
            self.lose(id);
        }
        Ok(read)
    }

    fn lose(&mut self, id: &BlobId) {
        self.unreadable.insert(*id);
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
