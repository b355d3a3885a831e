//! Which blobs a snapshot needs, and for what: the eyes of `check` and of collections.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use super::{BlobReader, Indexed, Names, Need, References, Repo, fetch_all, readable};
use crate::beneath::join;
use crate::digest::{BlobId, Kind};
use crate::error::Result;
use crate::index::group_by_block;
use crate::snapshot::Snapshot;
use crate::tree::{
    Attributes, Content, DEPTH_MAX, Node, NodeKind, PAGE_LEVELS_MAX, Page, Piece, beneath,
    decode_list, decode_page,
};

/// Finds references by reading the trees.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trees;

/// A page that is still to be read.
struct Ahead {
    /// Of the directory.
    path: Vec<u8>,
    page: BlobId,
    /// Which of its names the page holds.
    names: Names,
    levels: usize,
    depth: usize,
}

impl References for Trees {
    fn are_whole(
        &self,
        repo: &Repo<Indexed>,
        trees: &mut dyn Iterator<Item = BlobId>,
        is_there: &(dyn Fn(&BlobId) -> bool + Sync),
    ) -> Result<bool> {
        let whole = Whole { reader: repo.reader(), seen: Mutex::default(), is_there };
        let mut pages: Vec<_> = trees.collect::<BTreeSet<_>>().into_iter().collect();
        let mut lists = Vec::new();
        while !pages.is_empty() || !lists.is_empty() {
            if !pages.iter().chain(&lists).all(is_there) {
                return Ok(false);
            }
            let Some(next) = whole.beneath(Kind::Tree, &pages)? else { return Ok(false) };
            if whole.beneath(Kind::List, &lists)?.is_none() {
                return Ok(false);
            }
            (pages, lists) = next;
        }
        Ok(true)
    }

    fn visit(
        &self,
        repo: &Repo<Indexed>,
        snapshot: &Snapshot,
        each: &mut dyn FnMut(&Need<'_>),
    ) -> Result<()> {
        let reader = repo.reader();
        let start =
            |root: &crate::snapshot::Root| Ahead::directory(root.path.clone(), root.tree, 0);
        let mut ahead: Vec<Ahead> = snapshot.roots.iter().map(start).collect();
        while let Some(at) = ahead.pop() {
            each(&Need { path: &at.path, kind: Kind::Tree, id: &at.page, names: Some(&at.names) });
            let Some(bytes) = readable(reader.read(Kind::Tree, &at.page))? else { continue };
            match decode_page(&bytes) {
                Ok(Page::Parent(children)) if at.levels > 1 => ahead.extend(at.beneath(children)),
                Ok(Page::Leaf(nodes)) => {
                    for node in nodes {
                        let path = join(&at.path, &node.name);
                        visit_node(&reader, &path, &node, each)?;
                        if let Some(page) = node.kind.tree().filter(|_| at.depth + 1 < DEPTH_MAX) {
                            ahead.push(Ahead::directory(path, page, at.depth + 1));
                        }
                    }
                }
                // Its own id was passed on: whoever checks blobs names it.
                Ok(Page::Parent(_)) | Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Ahead {
    fn directory(path: Vec<u8>, page: BlobId, depth: usize) -> Self {
        Self { path, page, names: Names::default(), levels: PAGE_LEVELS_MAX, depth }
    }

    /// The pages below a parent page: each holds the names up to the first one of the next.
    fn beneath(self, children: Vec<(Vec<u8>, BlobId)>) -> impl Iterator<Item = Self> {
        let Self { path, names, levels, depth, .. } = self;
        let mut ends =
            children.iter().skip(1).map(|(name, _)| Some(name.clone())).collect::<Vec<_>>();
        ends.push(names.end);
        children.into_iter().zip(ends).map(move |((first, page), end)| Self {
            path: path.clone(),
            page,
            names: Names { first, end },
            levels: levels - 1,
            depth,
        })
    }
}

/// Looks whether all is there, by levels: what one of them needs of a block is taken from it at once, and no
/// page is looked at twice.
struct Whole<'a> {
    reader: BlobReader,
    seen: Mutex<HashSet<BlobId>>,
    is_there: &'a (dyn Fn(&BlobId) -> bool + Sync),
}

/// Pages and lists.
type Level = (Vec<BlobId>, Vec<BlobId>);

impl Whole<'_> {
    /// What blobs lead to that was not seen before; nothing when something is missing or cannot be read.
    fn beneath(&self, kind: Kind, ids: &[BlobId]) -> Result<Option<Level>> {
        let Ok(groups) = group_by_block(self.reader.index(), ids) else { return Ok(None) };
        let levels = fetch_all(&**self.reader.store(), &groups, |(at, positions)| {
            let Some(block) = readable(self.reader.block(kind, *at))? else { return Ok(None) };
            let mut level = Level::default();
            for position in positions {
                let bytes = block.get(&ids[*position]);
                if bytes.and_then(|bytes| self.look_at(kind, bytes, &mut level)).is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(level))
        })?;
        Ok(levels.into_iter().collect::<Option<Vec<_>>>().map(|levels| {
            let (pages, lists): (Vec<_>, Vec<_>) = levels.into_iter().unzip();
            (pages.concat(), lists.concat())
        }))
    }

    fn look_at(&self, kind: Kind, bytes: &[u8], level: &mut Level) -> Option<()> {
        let is_there = |id: &BlobId| (self.is_there)(id).then_some(());
        if kind == Kind::List {
            return decode_list(bytes).ok()?.iter().filter_map(chunk).try_for_each(is_there);
        }
        let page = decode_page(bytes).ok()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, id) in beneath(&page).filter(|(_, id)| seen.insert(*id)) {
            if kind == Kind::Tree { level.0.push(id) } else { level.1.push(id) }
        }
        drop(seen);
        let Page::Leaf(nodes) = &page else { return Some(()) };
        nodes.iter().try_for_each(|node| {
            if let Attributes::Blob(id) = &node.attributes {
                is_there(id)?;
            }
            match &node.kind {
                NodeKind::File { content: Content::Pieces(pieces), .. } => {
                    pieces.iter().filter_map(chunk).try_for_each(is_there)
                }
                _ => Some(()),
            }
        })
    }
}

const fn chunk(piece: &Piece) -> Option<&BlobId> {
    match piece {
        Piece::Chunk { id, .. } => Some(id),
        _ => None,
    }
}

fn visit_node(
    reader: &BlobReader,
    path: &[u8],
    node: &Node,
    each: &mut dyn FnMut(&Need<'_>),
) -> Result<()> {
    if let Attributes::Blob(id) = &node.attributes {
        each(&Need { path, kind: Kind::Data, id, names: None });
    }
    match &node.kind {
        NodeKind::File { content: Content::Pieces(pieces), .. } => {
            visit_pieces(path, pieces, each);
        }
        NodeKind::File { content: Content::Lists(lists), .. } => {
            for id in lists {
                each(&Need { path, kind: Kind::List, id, names: None });
                let Some(bytes) = readable(reader.read(Kind::List, id))? else { continue };
                if let Ok(pieces) = decode_list(&bytes) {
                    visit_pieces(path, &pieces, each);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn visit_pieces(path: &[u8], pieces: &[Piece], each: &mut dyn FnMut(&Need<'_>)) {
    for id in pieces.iter().filter_map(chunk) {
        each(&Need { path, kind: Kind::Data, id, names: None });
    }
}
