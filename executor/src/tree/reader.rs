//! From the id of a directory to its entries.

use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::repo::BlobReader;
use crate::tree::node::{Content, Node, Piece};
use crate::tree::page::{Page, decode_page, total};
use crate::tree::{Leaves, PAGE_LEVELS_MAX, decode_list};

/// Gives the bytes of blobs.
pub trait Fetch {
    /// The content of one blob, whose id has been recomputed.
    ///
    /// # Errors
    /// When it is missing, damaged or cannot be read.
    fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>>;

    /// Hears which blobs are likely to be read next, in this order.
    fn will_fetch(&self, _next: &mut dyn Iterator<Item = (Kind, BlobId)>) {}
}

pub(super) fn page(fetch: &(impl Fetch + ?Sized), id: &BlobId) -> Result<Page> {
    let bytes = fetch.fetch(Kind::Tree, id)?;
    decode_page(&bytes).map_err(|error| Error::damaged(format!("tree page {id}"), error))
}

/// All entries of a directory, sorted by name.
///
/// # Errors
/// When a page is missing or damaged, its names do not fit its place, or pages lie too deep.
pub fn read_directory(fetch: &(impl Fetch + ?Sized), id: &BlobId) -> Result<Vec<Node>> {
    Leaves::new(fetch, id).nodes().collect()
}

/// One entry of a directory, reading only the pages that lead to it.
///
/// # Errors
/// As [`read_directory`].
pub fn find(fetch: &(impl Fetch + ?Sized), id: &BlobId, name: &[u8]) -> Result<Option<Node>> {
    let mut id = *id;
    for _ in 0..PAGE_LEVELS_MAX {
        match page(fetch, &id)? {
            Page::Leaf(mut nodes) => {
                let at = nodes.binary_search_by(|node| node.name[..].cmp(name));
                return Ok(at.ok().map(|at| nodes.swap_remove(at)));
            }
            Page::Parent(children) => {
                let after = children.partition_point(|(first, _)| &first[..] <= name);
                let Some(at) = after.checked_sub(1) else { return Ok(None) };
                id = children[at].1;
            }
        }
    }
    Err(Error::damaged(format!("tree page {id}"), "lies beneath too many parent pages"))
}

/// The pieces of a file, from its node or its lists.
///
/// # Errors
/// When a list is missing or damaged, or its pieces do not add up to `size`.
pub fn read_content(
    fetch: &(impl Fetch + ?Sized),
    size: u64,
    content: &Content,
) -> Result<Vec<Piece>> {
    let lists = match content {
        Content::Pieces(pieces) => return Ok(pieces.clone()),
        Content::Lists(lists) => lists,
    };
    let mut pieces = Vec::new();
    for id in lists {
        let bytes = fetch.fetch(Kind::List, id)?;
        let list =
            decode_list(&bytes).map_err(|error| Error::damaged(format!("list {id}"), error))?;
        pieces.extend(list);
    }
    if total(&pieces) != Some(size) {
        let what = lists.first().map(ToString::to_string).unwrap_or_default();
        return Err(Error::damaged(format!("list {what}"), "does not add up to the file's size"));
    }
    Ok(pieces)
}

impl<F: Fetch + ?Sized> Fetch for &F {
    fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
        (**self).fetch(kind, id)
    }

    fn will_fetch(&self, next: &mut dyn Iterator<Item = (Kind, BlobId)>) {
        (**self).will_fetch(next);
    }
}

impl Fetch for BlobReader {
    fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
        self.read(kind, id)
    }

    fn will_fetch(&self, next: &mut dyn Iterator<Item = (Kind, BlobId)>) {
        self.will_read(next);
    }
}
