//! Which blobs a snapshot needs, and for what: the eyes of `check` and of collections.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use super::{BlobReader, Found, Indexed, Names, Need, References, Repo, fetch_all, readable};
use crate::beneath::extend;
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
    page: BlobId,
    /// Of a directory beneath the one at hand.
    name: Option<Vec<u8>>,
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
        each: &mut dyn FnMut(&Need<'_>) -> Found,
    ) -> Result<()> {
        let mut walk = Walk { reader: repo.reader(), whole: HashSet::new(), each };
        for root in &snapshot.roots {
            if !walk.tree(&root.path, root.tree)? {
                break;
            }
        }
        Ok(())
    }
}

impl Ahead {
    fn directory(name: Option<Vec<u8>>, page: BlobId, depth: usize) -> Self {
        Self { page, name, names: Names::default(), levels: PAGE_LEVELS_MAX, depth }
    }

    /// The pages below a parent page: each holds the names up to the first one of the next.
    fn beneath(self, children: Vec<(Vec<u8>, BlobId)>) -> impl Iterator<Item = Self> {
        let Self { names, levels, depth, .. } = self;
        let mut ends =
            children.iter().skip(1).map(|(name, _)| Some(name.clone())).collect::<Vec<_>>();
        ends.push(names.end);
        children.into_iter().zip(ends).map(move |((first, page), end)| Self {
            page,
            name: None,
            names: Names { first, end },
            levels: levels - 1,
            depth,
        })
    }

    /// Whether a page begins with the name that its parent says. Two places of one parent differ in that, so a
    /// page that is named sixty-five thousand times is at most at one of them.
    fn is_at_its_place(&self, page: &Page) -> bool {
        let begins = match page {
            Page::Leaf(nodes) => nodes.first().map(|node| &node.name),
            Page::Parent(children) => children.first().map(|(name, _)| name),
        };
        self.names.first.is_empty() || begins == Some(&self.names.first)
    }
}

/// Goes through a tree. What is whole is entered once, wherever it lies: only what is lost has to be told at each
/// of its places.
struct Walk<'e> {
    reader: BlobReader,
    /// Pages and lists beneath which nothing is lost.
    whole: HashSet<BlobId>,
    each: &'e mut dyn FnMut(&Need<'_>) -> Found,
}

/// A page that was read, and what it leads to.
struct Entered {
    page: BlobId,
    path_len: usize,
    ahead: std::vec::IntoIter<Ahead>,
    lost: bool,
}

impl Walk<'_> {
    /// Returns whether to go on with the next root.
    fn tree(&mut self, path: &[u8], root: BlobId) -> Result<bool> {
        let mut path = path.to_vec();
        let mut entered: Vec<Entered> = Vec::new();
        let mut next = Some(Ahead::directory(None, root, 0));
        loop {
            if let Some(ahead) = next.take().filter(|ahead| !self.whole.contains(&ahead.page)) {
                if let Some(name) = &ahead.name {
                    extend(&mut path, name);
                }
                let Some(page) = self.enter(&path, ahead)? else { return Ok(false) };
                entered.push(page);
            }
            let Some(at) = entered.last_mut() else { return Ok(true) };
            path.truncate(at.path_len);
            next = at.ahead.next();
            if next.is_none()
                && let Some(done) = entered.pop()
            {
                if let Some(above) = entered.last_mut() {
                    above.lost |= done.lost;
                }
                if !done.lost {
                    self.whole.insert(done.page);
                }
            }
        }
    }

    /// Nothing when that is enough.
    fn enter(&mut self, path: &[u8], at: Ahead) -> Result<Option<Entered>> {
        let (page, path_len) = (at.page, path.len());
        let need = Need { names: Some(&at.names), ..blob(path, Kind::Tree, &page) };
        let mut lost = match (self.each)(&need) {
            Found::Fine => false,
            Found::Lost => true,
            Found::Enough => return Ok(None),
        };
        let mut ahead = Vec::new();
        let read = readable(self.reader.read(Kind::Tree, &page))?;
        let content = read.map(|bytes| decode_page(&bytes).ok());
        let content = content.map(|content| content.filter(|content| at.is_at_its_place(content)));
        if let Some(None) = content {
            match (self.each)(&Need { is_broken: true, ..need }) {
                Found::Fine => {}
                Found::Lost => lost = true,
                Found::Enough => return Ok(None),
            }
        }
        // What cannot be read was passed on: whoever checks blobs names it.
        match content.flatten() {
            Some(Page::Parent(children)) if at.levels > 1 => ahead.extend(at.beneath(children)),
            Some(Page::Leaf(nodes)) => {
                let mut path = path.to_vec();
                for node in nodes {
                    extend(&mut path, &node.name);
                    match self.node(&path, &node)? {
                        Found::Fine => {}
                        Found::Lost => lost = true,
                        Found::Enough => return Ok(None),
                    }
                    path.truncate(path_len);
                    if let Some(page) = node.kind.tree().filter(|_| at.depth + 1 < DEPTH_MAX) {
                        ahead.push(Ahead::directory(Some(node.name), page, at.depth + 1));
                    }
                }
            }
            Some(Page::Parent(_)) | None => {}
        }
        Ok(Some(Entered { page, path_len, ahead: ahead.into_iter(), lost }))
    }

    /// An entry is lost with the first blob that is: what else it needs makes no difference.
    fn node(&mut self, path: &[u8], node: &Node) -> Result<Found> {
        if let Attributes::Blob(id) = &node.attributes {
            let found = (self.each)(&blob(path, Kind::Data, id));
            if found != Found::Fine {
                return Ok(found);
            }
        }
        match &node.kind {
            NodeKind::File { content: Content::Pieces(pieces), .. } => {
                Ok(self.pieces(path, pieces))
            }
            NodeKind::File { content: Content::Lists(lists), .. } => {
                for id in lists {
                    let found = self.list(path, id)?;
                    if found != Found::Fine {
                        return Ok(found);
                    }
                }
                Ok(Found::Fine)
            }
            _ => Ok(Found::Fine),
        }
    }

    fn list(&mut self, path: &[u8], id: &BlobId) -> Result<Found> {
        if self.whole.contains(id) {
            return Ok(Found::Fine);
        }
        let mut found = (self.each)(&blob(path, Kind::List, id));
        if found == Found::Fine
            && let Some(bytes) = readable(self.reader.read(Kind::List, id))?
            && let Ok(pieces) = decode_list(&bytes)
        {
            found = self.pieces(path, &pieces);
        }
        if found == Found::Fine {
            self.whole.insert(*id);
        }
        Ok(found)
    }

    fn pieces(&mut self, path: &[u8], pieces: &[Piece]) -> Found {
        let mut founds =
            pieces.iter().filter_map(chunk).map(|id| (self.each)(&blob(path, Kind::Data, id)));
        founds.find(|found| *found != Found::Fine).unwrap_or(Found::Fine)
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

const fn blob<'n>(path: &'n [u8], kind: Kind, id: &'n BlobId) -> Need<'n> {
    Need { path, kind, id, names: None, is_broken: false }
}
