//! Which blobs a snapshot needs, and for what: the eyes of `check` and of collections.

use super::{BlobReader, Indexed, Names, Need, References, Repo};
use crate::beneath::join;
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::tree::{
    Attributes, Content, DEPTH_MAX, Node, NodeKind, PAGE_LEVELS_MAX, Page, Piece, decode_list,
    decode_page,
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

/// What was read; nothing where the repository is at fault; an error where the store does not answer.
fn readable(read: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
        Err(_) => Ok(None),
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
    for piece in pieces {
        if let Piece::Chunk { id, .. } = piece {
            each(&Need { path, kind: Kind::Data, id, names: None });
        }
    }
}
