//! From the id of a directory to its entries.

use std::borrow::Cow;

use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::repo::BlobReader;
use crate::tree::node::{Content, Node, Piece};
use crate::tree::page::{Page, decode_page};
use crate::tree::{
    Leaves, PAGE_LEVELS_MAX, PIECE_MEAN_MIN_BYTES, PIECES_OF_ANY_SIZE_MAX, decode_list,
};

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

/// The pieces of a file, from its node or its lists, one after the other: a list of sixteen thousand pieces may be
/// named sixty-five thousand times by a node, and nobody has room for what that comes to.
///
/// A list that follows itself is read once. After an error there is nothing more. Without any the pieces add up to
/// the size.
pub struct Pieces<'c, F: Fetch + ?Sized> {
    fetch: &'c F,
    size: u64,
    lists: std::slice::Iter<'c, BlobId>,
    /// The list that the pieces are from at the moment.
    list: Option<BlobId>,
    now: Cow<'c, [Piece]>,
    at: usize,
    /// Bytes and pieces so far.
    covered: u64,
    count: u64,
    ended: bool,
}

impl<'c, F: Fetch + ?Sized> Pieces<'c, F> {
    /// Those of a file of this size.
    pub fn new(fetch: &'c F, size: u64, content: &'c Content) -> Self {
        let (lists, now): (&[BlobId], &[Piece]) = match content {
            Content::Pieces(pieces) => (&[], pieces),
            Content::Lists(lists) => (lists, &[]),
        };
        let (lists, now) = (lists.iter(), Cow::Borrowed(now));
        Self { fetch, size, lists, list: None, now, at: 0, covered: 0, count: 0, ended: false }
    }

    fn next_piece(&mut self) -> Result<Option<Piece>> {
        while self.at >= self.now.len() {
            let Some(id) = self.lists.next() else { return self.end() };
            self.turn_to(*id)?;
        }
        let piece = self.now[self.at];
        self.at += 1;
        self.count += 1;
        self.covered = self.covered.saturating_add(piece.len());
        let is_crumbled =
            self.count > PIECES_OF_ANY_SIZE_MAX && self.covered / self.count < PIECE_MEAN_MIN_BYTES;
        match (self.covered > self.size, is_crumbled) {
            (true, _) => Err(self.bad("does not add up to the file's size")),
            (_, true) => Err(self.bad("crumbles a file into more pieces than any writer makes")),
            _ => Ok(Some(piece)),
        }
    }

    fn turn_to(&mut self, id: BlobId) -> Result<()> {
        self.at = 0;
        if self.list.replace(id) == Some(id) {
            return Ok(());
        }
        let bytes = self.fetch.fetch(Kind::List, &id)?;
        let list =
            decode_list(&bytes).map_err(|error| Error::damaged(format!("list {id}"), error))?;
        self.now = Cow::Owned(list);
        Ok(())
    }

    fn end(&self) -> Result<Option<Piece>> {
        match self.covered == self.size {
            true => Ok(None),
            false => Err(self.bad("does not add up to the file's size")),
        }
    }

    fn bad(&self, reason: &str) -> Error {
        Error::damaged(format!("list {}", self.list.unwrap_or(BlobId([0; BlobId::LEN]))), reason)
    }
}

impl<F: Fetch + ?Sized> Iterator for Pieces<'_, F> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_piece();
        self.ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary::Memory;
    use crate::tree::{Blobs as _, encode_lists};

    /// A list of these pieces, named so many times by a file of that size.
    fn named(memory: &mut Memory, pieces: &[Piece], times: usize) -> (u64, Content) {
        let id = memory.put(Kind::List, encode_lists(pieces).remove(0)).unwrap();
        let len: u64 = pieces.iter().map(Piece::len).sum();
        memory.forget_reads();
        (len * times as u64, Content::Lists(vec![id; times]))
    }

    #[test]
    fn s02_a_list_that_is_named_many_times_is_read_once_and_never_kept_as_a_whole() {
        let mut memory = Memory::default();
        let (size, content) = named(&mut memory, &[Piece::Hole { len: 1 << 20 }; 16], 65_536);
        let pieces = Pieces::new(&memory, size, &content);
        assert_eq!(pieces.map(|piece| piece.unwrap().len()).sum::<u64>(), size);
        assert_eq!(memory.reads(), 1);
    }

    #[test]
    fn s02_a_file_of_crumbs_ends_where_no_writer_would_have_gone_on() {
        let mut memory = Memory::default();
        let (size, content) = named(&mut memory, &[Piece::Hole { len: 1 }; 16_384], 65_536);
        let pieces: Vec<_> = Pieces::new(&memory, size, &content).collect();
        assert_eq!(pieces.len() as u64, PIECES_OF_ANY_SIZE_MAX + 1);
        assert!(pieces.last().unwrap().is_err());
        let small = named(&mut memory, &[Piece::Hole { len: 1 }; 16_384], 64);
        assert!(Pieces::new(&memory, small.0, &small.1).all(|piece| piece.is_ok()));
    }

    #[test]
    fn s02_pieces_that_are_more_or_fewer_than_the_size_end_with_an_error() {
        let mut memory = Memory::default();
        let (size, content) = named(&mut memory, &[Piece::Hole { len: 7 }; 3], 2);
        for (size, good) in [(size, true), (size - 1, false), (size + 1, false), (0, false)] {
            let ends_well = Pieces::new(&memory, size, &content).all(|piece| piece.is_ok());
            assert_eq!(ends_well, good, "{size}");
        }
    }
}
