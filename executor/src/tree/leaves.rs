//! The leaf pages of a directory, one after the other: a directory may have more entries than memory holds.

use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::tree::PAGE_LEVELS_MAX;
use crate::tree::node::{Content, Node, NodeKind};
use crate::tree::page::Page;
use crate::tree::reader::{Fetch, page};

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its blob.
    pub id: BlobId,
    /// Its entries, sorted by name.
    pub nodes: Vec<Node>,
}

/// A page that is still to be read.
struct Ahead {
    id: BlobId,
    /// The name with which it must begin, where a parent page says so.
    first: Option<Vec<u8>>,
    levels: usize,
}

/// Reads each leaf when its turn comes. After an error there is nothing more, unless it was asked to go on.
pub struct Leaves<F: Fetch> {
    fetch: F,
    goes_on: bool,
    ahead: Vec<Ahead>,
    last: Option<Vec<u8>>,
}

impl<F: Fetch> Leaves<F> {
    /// Those of the directory with this page.
    pub fn new(fetch: F, id: &BlobId) -> Self {
        let top = Ahead { id: *id, first: None, levels: PAGE_LEVELS_MAX };
        Self { fetch, goes_on: false, ahead: vec![top], last: None }
    }

    /// Passes over pages that cannot be read, each with its error. A store that does not answer still ends
    /// it: it says nothing about the pages.
    #[must_use]
    pub fn going_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// Entry by entry. What comes before an error is there.
    pub fn nodes(self) -> impl Iterator<Item = Result<Node>> {
        self.flat_map(|leaf| match leaf {
            Ok(leaf) => leaf.nodes.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    fn next_leaf(&mut self) -> Result<Option<Leaf>> {
        while let Some(Ahead { id, first, levels }) = self.ahead.pop() {
            let misplaced = |reason| Err(Error::damaged(format!("tree page {id}"), reason));
            if levels == 0 {
                return misplaced("lies beneath too many parent pages");
            }
            let page = page(&self.fetch, &id)?;
            let begins = match &page {
                Page::Leaf(nodes) => nodes.first().map(|node| node.name.clone()),
                Page::Parent(children) => children.first().map(|(name, _)| name.clone()),
            };
            if first.is_some() && begins != first {
                return misplaced("does not begin with the name that its parent says");
            }
            self.fetch.will_fetch(&mut *beneath(&page));
            match page {
                Page::Leaf(nodes) => {
                    if self.last.is_some() && begins <= self.last {
                        return misplaced("does not follow the page before it");
                    }
                    self.last = nodes.last().map(|node| node.name.clone());
                    return Ok(Some(Leaf { id, nodes }));
                }
                Page::Parent(children) => {
                    let below = children.into_iter().rev();
                    self.ahead.extend(below.map(|(name, id)| Ahead {
                        id,
                        first: Some(name),
                        levels: levels - 1,
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// The trees and lists that whoever goes on from a page reads, in the order of its entries.
pub(crate) fn beneath(page: &Page) -> Box<dyn Iterator<Item = (Kind, BlobId)> + '_> {
    match page {
        Page::Parent(children) => Box::new(children.iter().map(|(_, id)| (Kind::Tree, *id))),
        Page::Leaf(nodes) => Box::new(nodes.iter().flat_map(|node| {
            let lists = match &node.kind {
                NodeKind::File { content: Content::Lists(lists), .. } => &lists[..],
                _ => &[],
            };
            let tree = node.kind.tree().map(|id| (Kind::Tree, id));
            tree.into_iter().chain(lists.iter().map(|id| (Kind::List, *id)))
        })),
    }
}

impl<F: Fetch> Iterator for Leaves<F> {
    type Item = Result<Leaf>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_leaf();
        if let Err(error) = &next
            && !(self.goes_on && error.permanent())
        {
            self.ahead.clear();
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary::{Memory, file};
    use crate::tree::encode_directory;

    fn many() -> Vec<Node> {
        (0..5_000).map(|i| file(format!("name-{i:05}").as_bytes(), &[1], 5)).collect()
    }

    #[test]
    fn pages_come_in_order_and_only_when_asked() {
        let mut memory = Memory::default();
        let id = encode_directory(&many(), &mut memory).unwrap();
        memory.forget_reads();
        let mut leaves = Leaves::new(&memory, &id);
        let first = leaves.next().unwrap().unwrap();
        assert_eq!(memory.reads(), 2, "the parent page and one leaf");
        let mut nodes = first.nodes;
        for leaf in leaves {
            nodes.extend(leaf.unwrap().nodes);
        }
        assert_eq!(nodes, many());
    }

    #[test]
    fn what_comes_before_a_damaged_page_is_there_and_nothing_follows_it() {
        struct Holed(Memory, BlobId);
        impl Fetch for Holed {
            fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
                if *id == self.1 {
                    return Err(Error::damaged("a page", "is gone"));
                }
                self.0.fetch(kind, id)
            }
        }
        let mut memory = Memory::default();
        let id = encode_directory(&many(), &mut memory).unwrap();
        let all: Vec<Leaf> = Leaves::new(&memory, &id).map(|leaf| leaf.unwrap()).collect();
        let holed = Holed(memory, all[2].id);
        let mut leaves = Leaves::new(&holed, &id);
        assert_eq!(leaves.next().unwrap().unwrap(), all[0]);
        assert_eq!(leaves.next().unwrap().unwrap(), all[1]);
        assert!(leaves.next().unwrap().is_err());
        assert!(leaves.next().is_none());
        let others: Vec<Leaf> = Leaves::new(&holed, &id).going_on().flatten().collect();
        assert_eq!(others, [&all[..2], &all[3..]].concat(), "only that page is lost");
    }
}
