//! Two ages of one directory, without what they share.

use std::collections::HashSet;

use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::page::Page;
use crate::tree::reader::{Fetch, page};
use crate::tree::{PAGE_LEVELS_MAX, read_directory};

/// The entries of both directories, but for those of pages that are the same in both and lie at the same
/// height: such a page is never fetched. Entries that did not change may be among the others, on both sides.
///
/// # Errors
/// As [`read_directory`].
pub fn read_differing(
    fetch: &(impl Fetch + ?Sized),
    before: Option<BlobId>,
    after: Option<BlobId>,
) -> Result<(Vec<Node>, Vec<Node>)> {
    let (before, after) = match (before, after) {
        (None, None) => return Ok(Default::default()),
        (Some(one), None) => return Ok((read_directory(fetch, &one)?, Vec::new())),
        (None, Some(one)) => return Ok((Vec::new(), read_directory(fetch, &one)?)),
        (Some(before), Some(after)) => (before, after),
    };
    let mut sides = [Side::new(before), Side::new(after)];
    for _ in 0..PAGE_LEVELS_MAX {
        let [one, other] = &mut sides;
        drop_common(&mut one.pages, &mut other.pages);
        if one.pages.is_empty() && other.pages.is_empty() {
            let [before, after] = sides;
            return Ok((before.nodes, after.nodes));
        }
        one.descend(fetch)?;
        other.descend(fetch)?;
    }
    Err(Error::damaged(format!("tree page {after}"), "lies beneath too many parent pages"))
}

fn drop_common(one: &mut Vec<Ahead>, other: &mut Vec<Ahead>) {
    let first: HashSet<BlobId> = one.iter().map(|ahead| ahead.id).collect();
    let both: HashSet<BlobId> =
        other.iter().map(|ahead| ahead.id).filter(|id| first.contains(id)).collect();
    one.retain(|ahead| !both.contains(&ahead.id));
    other.retain(|ahead| !both.contains(&ahead.id));
}

/// A page that is still to be read, and the names that it may hold. They are what bounds a walk: the names of one
/// parent differ, so no page is at its place there twice.
struct Ahead {
    id: BlobId,
    /// The name with which it must begin, where a parent page says so.
    first: Option<Vec<u8>>,
    /// The name before which it must end.
    end: Option<Vec<u8>>,
}

impl Ahead {
    /// What its page says, if the page is at its place.
    fn read(&self, fetch: &(impl Fetch + ?Sized)) -> Result<Page> {
        let misplaced = |reason| Err(Error::damaged(format!("tree page {}", self.id), reason));
        let page = page(fetch, &self.id)?;
        let names: Vec<&Vec<u8>> = match &page {
            Page::Leaf(nodes) => {
                nodes.first().into_iter().chain(nodes.last()).map(|node| &node.name).collect()
            }
            Page::Parent(children) => {
                children.first().into_iter().chain(children.last()).map(|(name, _)| name).collect()
            }
        };
        let (begin, last) = (names.first().copied(), names.last().copied());
        if self.first.is_some() && begin != self.first.as_ref() {
            return misplaced("does not begin with the name that its parent says");
        }
        match (last, &self.end) {
            (Some(last), Some(end)) if last >= end => misplaced("reaches into the page after it"),
            _ => Ok(page),
        }
    }

    /// The pages beneath a parent page.
    fn beneath(self, children: Vec<(Vec<u8>, BlobId)>) -> impl Iterator<Item = Self> {
        let ends: Vec<_> = children.iter().skip(1).map(|(name, _)| Some(name.clone())).collect();
        let ends = ends.into_iter().chain([self.end]);
        children.into_iter().zip(ends).map(|((first, id), end)| Self {
            id,
            first: Some(first),
            end,
        })
    }
}

/// One of the two directories: what was read, and the pages that are still to be read.
struct Side {
    nodes: Vec<Node>,
    pages: Vec<Ahead>,
}

impl Side {
    fn new(id: BlobId) -> Self {
        Self { nodes: Vec::new(), pages: vec![Ahead { id, first: None, end: None }] }
    }

    /// One level further down.
    fn descend(&mut self, fetch: &(impl Fetch + ?Sized)) -> Result<()> {
        let mut leaves = false;
        for ahead in std::mem::take(&mut self.pages) {
            match ahead.read(fetch)? {
                Page::Leaf(nodes) => {
                    leaves = true;
                    self.nodes.extend(nodes);
                }
                Page::Parent(children) => self.pages.extend(ahead.beneath(children)),
            }
        }
        if leaves {
            // Leaves of other heights are among them where a page was not filled.
            self.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Kind;
    use crate::tree::arbitrary::{Memory, nodes};
    use crate::tree::{Blobs as _, NodeKind, Time, encode_directory, encode_leaf, encode_parent};

    /// Notes what is fetched.
    struct Spy<'m>(&'m Memory, RefCell<Vec<BlobId>>);

    impl Fetch for Spy<'_> {
        fn fetch(&self, kind: Kind, id: &BlobId) -> Result<Vec<u8>> {
            self.1.borrow_mut().push(*id);
            self.0.fetch(kind, id)
        }
    }

    fn by_name(nodes: &[Node]) -> BTreeMap<Vec<u8>, Node> {
        nodes.iter().map(|node| (node.name.clone(), node.clone())).collect()
    }

    proptest! {
        /// What differs is among the result, on the right side and complete; what is in neither result is
        /// the same; and no page that both have is fetched.
        #[test]
        fn nothing_that_differs_is_left_out(
            all in nodes(60),
            changes in proptest::collection::vec(0..4u8, 60),
        ) {
            let mut memory = Memory::default();
            let mut after = Vec::new();
            for (node, change) in all.iter().zip(&changes) {
                match change {
                    0 => {}
                    1 => after.push(Node { mode: node.mode ^ 1, ..node.clone() }),
                    _ => after.push(node.clone()),
                }
            }
            let one = encode_directory(&all, &mut memory).unwrap();
            let other = encode_directory(&after, &mut memory).unwrap();
            let spy = Spy(&memory, RefCell::default());
            let (left, right) = read_differing(&spy, Some(one), Some(other)).unwrap();
            let (left, right) = (by_name(&left), by_name(&right));
            let (whole, changed) = (by_name(&all), by_name(&after));
            for (name, node) in &whole {
                if changed.get(name) != Some(node) {
                    prop_assert_eq!(left.get(name), Some(node));
                }
            }
            for (name, node) in &changed {
                if whole.get(name) != Some(node) {
                    prop_assert_eq!(right.get(name), Some(node));
                }
            }
            prop_assert!(left.iter().all(|(name, node)| whole.get(name) == Some(node)));
            prop_assert!(right.iter().all(|(name, node)| changed.get(name) == Some(node)));
            // An entry that did not change is on both sides or on none.
            for (name, node) in &whole {
                if changed.get(name) == Some(node) {
                    prop_assert_eq!(left.contains_key(name), right.contains_key(name));
                }
            }
        }
    }

    #[test]
    fn of_a_large_directory_two_pages_are_read_on_each_side() {
        let mut memory = Memory::default();
        let bare = |n: u32| {
            let name = format!("name-{n:05}");
            Node::bare(name.as_bytes(), NodeKind::Fifo, 0o644, Time::default())
        };
        let mut nodes: Vec<Node> = (0..20_000).map(bare).collect();
        let one = encode_directory(&nodes, &mut memory).unwrap();
        nodes[7_000].mode = 0;
        let other = encode_directory(&nodes, &mut memory).unwrap();
        let spy = Spy(&memory, RefCell::default());
        let (left, right) = read_differing(&spy, Some(one), Some(other)).unwrap();
        assert_eq!(left.len(), right.len());
        assert_eq!(left.iter().zip(&right).filter(|(a, b)| a != b).count(), 1);
        assert_eq!(spy.1.borrow().len(), 4);
        let spy = Spy(&memory, RefCell::default());
        assert_eq!(read_differing(&spy, Some(one), Some(one)).unwrap(), Default::default());
        assert!(spy.1.borrow().is_empty(), "equal directories are not read");
    }

    /// One leaf at two places of a parent page, in the words of the parent.
    #[test]
    fn s02_a_page_at_a_place_that_is_not_its_own_is_refused() {
        let mut memory = Memory::default();
        let leaf = |name: &str| {
            encode_leaf(&[Node::bare(name.as_bytes(), NodeKind::Fifo, 0, Time::default())])
        };
        let [a, b, c] = ["a", "b", "c"].map(|name| memory.put(Kind::Tree, leaf(name)).unwrap());
        let mut parent = |children: &[(&str, BlobId)]| {
            let named = children.iter().map(|(name, id)| (name.as_bytes().to_vec(), *id));
            memory.put(Kind::Tree, encode_parent(&named.collect::<Vec<_>>())).unwrap()
        };
        let good = parent(&[("a", a), ("b", b)]);
        let bad = [
            parent(&[("a", a), ("aa", b)]),
            parent(&[("a", b), ("b", a)]),
            parent(&[("0", c), ("b", b)]),
        ];
        assert!(read_differing(&memory, Some(c), Some(good)).is_ok());
        for (number, bad) in bad.into_iter().enumerate() {
            let read = read_differing(&memory, Some(c), Some(bad));
            assert!(matches!(read, Err(Error::Damaged { .. })), "{number}: {read:?}");
        }
    }
}
