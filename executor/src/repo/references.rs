//! Which blobs a snapshot needs, and for what: the eyes of `check` and of collections.

use super::{BlobReader, Indexed, References, Repo};
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
    levels: usize,
    depth: usize,
}

impl References for Trees {
    fn visit(
        &self,
        repo: &Repo<Indexed>,
        snapshot: &Snapshot,
        each: &mut dyn FnMut(&[u8], Kind, &BlobId),
    ) -> Result<()> {
        let reader = repo.reader();
        let start = |root: &crate::snapshot::Root| Ahead {
            path: root.path.clone(),
            page: root.tree,
            levels: PAGE_LEVELS_MAX,
            depth: 0,
        };
        let mut ahead: Vec<Ahead> = snapshot.roots.iter().map(start).collect();
        while let Some(Ahead { path, page, levels, depth }) = ahead.pop() {
            each(&path, Kind::Tree, &page);
            let Some(bytes) = readable(reader.read(Kind::Tree, &page))? else { continue };
            match decode_page(&bytes) {
                Ok(Page::Parent(children)) if levels > 1 => {
                    ahead.extend(children.into_iter().map(|(_, page)| {
                        let path = path.clone();
                        Ahead { path, page, levels: levels - 1, depth }
                    }));
                }
                Ok(Page::Leaf(nodes)) => {
                    for node in nodes {
                        let path = join(&path, &node.name);
                        visit_node(&reader, &path, &node, each)?;
                        if let Some(page) = node.kind.tree().filter(|_| depth + 1 < DEPTH_MAX) {
                            let (levels, depth) = (PAGE_LEVELS_MAX, depth + 1);
                            ahead.push(Ahead { path, page, levels, depth });
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
    each: &mut dyn FnMut(&[u8], Kind, &BlobId),
) -> Result<()> {
    if let Attributes::Blob(id) = &node.attributes {
        each(path, Kind::Data, id);
    }
    match &node.kind {
        NodeKind::File { content: Content::Pieces(pieces), .. } => {
            visit_pieces(path, pieces, each);
        }
        NodeKind::File { content: Content::Lists(lists), .. } => {
            for id in lists {
                each(path, Kind::List, id);
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

fn visit_pieces(path: &[u8], pieces: &[Piece], each: &mut dyn FnMut(&[u8], Kind, &BlobId)) {
    for piece in pieces {
        if let Piece::Chunk { id, .. } = piece {
            each(path, Kind::Data, id);
        }
    }
}
