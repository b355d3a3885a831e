//! Where the walk is in a directory, and the directory as the parent snapshot has it, read in step with the
//! walk: page by page, by name.

use std::sync::Arc;

use super::batch::{DirNumber, Message, Spot};
use super::growing::RunEnd;
use crate::digest::BlobId;
use crate::source::SourceNumber;
use crate::tree::{Fetch, Leaf, Leaves, Node};

/// Pages of one run that are kept for its comparison. A run has one page, or a few where entries are
/// large; one that has outlasted so many is not the same any more.
const PAGES_KEPT: usize = 64;

/// The entries of a directory in the parent.
pub(super) struct Before<'a, F: Fetch> {
    /// None when there is nothing more, or when a page could not be read: what is not seen here is read
    /// again from the source.
    leaves: Option<Leaves<&'a F>>,
    /// Pages of the run that the walk is in; the last one is where it is.
    pages: Vec<Arc<Leaf>>,
    /// Of the last page.
    at: usize,
    /// Whether the first of `pages` begins where the run does.
    aligned: bool,
}

impl<'a, F: Fetch> Before<'a, F> {
    pub(super) fn new(fetch: Option<&'a F>, id: Option<BlobId>) -> Self {
        let leaves = fetch.zip(id).map(|(fetch, id)| Leaves::new(fetch, &id));
        Self { leaves, pages: Vec::new(), at: 0, aligned: true }
    }

    /// The entry of that name. Names must be asked for in ascending order.
    pub(super) fn find(&mut self, name: &[u8]) -> Option<&Node> {
        let ends_before =
            |leaf: &Arc<Leaf>| leaf.nodes.last().is_none_or(|last| last.name[..] < *name);
        while self.pages.last().is_none_or(ends_before) {
            match self.leaves.as_mut()?.next() {
                Some(Ok(leaf)) => self.turn_to(leaf),
                Some(Err(_)) | None => self.leaves = None,
            }
        }
        let nodes = &self.pages.last()?.nodes;
        self.at += nodes[self.at..].iter().take_while(|node| node.name[..] < *name).count();
        nodes.get(self.at).filter(|node| node.name == name)
    }

    fn turn_to(&mut self, leaf: Leaf) {
        if self.pages.len() >= PAGES_KEPT {
            self.pages.clear();
            self.aligned = false;
        }
        self.pages.push(Arc::new(leaf));
        self.at = 0;
    }

    /// The run ends with `name`: its pages in the parent, if the parent has pages that begin and end
    /// where the run does.
    pub(super) fn end_run(&mut self, name: &[u8]) -> Vec<Arc<Leaf>> {
        let last = self.pages.last().and_then(|leaf| leaf.nodes.last());
        if last.is_some_and(|last| last.name == name) {
            let pages = std::mem::take(&mut self.pages);
            return if std::mem::replace(&mut self.aligned, true) { pages } else { Vec::new() };
        }
        // The page at hand goes on beyond the run.
        self.aligned = self.pages.is_empty() && self.aligned;
        self.pages.drain(..self.pages.len().saturating_sub(1));
        Vec::new()
    }

    /// The same for the last run, which ends with the directory.
    pub(super) fn end(self) -> Vec<Arc<Leaf>> {
        if self.aligned { self.pages } else { Vec::new() }
    }
}

/// How far the walk is in one directory.
pub(super) struct Going<'a, F: Fetch> {
    dir: DirNumber,
    run: u32,
    /// Entries of the run that the builder will hear of.
    entries: u64,
    pub(super) before: Before<'a, F>,
}

impl<'a, F: Fetch> Going<'a, F> {
    pub(super) fn new(dir: DirNumber, before: Before<'a, F>) -> Self {
        Self { dir, run: 0, entries: 0, before }
    }

    /// Where the next entry belongs, given whose it is and whether its name ends a page.
    pub(super) fn spot(&self, source: SourceNumber, ends: bool) -> Spot {
        Spot { source, dir: self.dir, run: self.run, ends }
    }

    /// The builder will hear of the entry; what to tell it if the run ends with that.
    pub(super) fn count(&mut self, name: &[u8], at: Spot) -> Option<Message> {
        self.entries += 1;
        at.ends.then(|| {
            let before = self.before.end_run(name);
            let end = RunEnd { run: self.run, entries: self.entries, last: false, before };
            self.run += 1;
            self.entries = 0;
            Message::RunEnd { dir: self.dir, end }
        })
    }

    /// All entries have been seen.
    pub(super) fn close(self) -> Message {
        let (run, entries) = (self.run, self.entries);
        let end = RunEnd { run, entries, last: true, before: self.before.end() };
        Message::RunEnd { dir: self.dir, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::arbitrary::{Memory, file};
    use crate::tree::{Blobs, encode_directory};

    fn nodes(names: impl Iterator<Item = usize>) -> Vec<Node> {
        names.map(|i| file(format!("{i:05}").as_bytes(), &[1], 5)).collect()
    }

    /// Walks `now` beside what `before` was, and gives the pages of each run.
    fn walk(before: &[Node], now: &[Node]) -> Vec<(Vec<Node>, Vec<Arc<Leaf>>)> {
        let mut memory = Memory::default();
        let id = encode_directory(before, &mut memory).unwrap();
        let mut cursor = Before::new(Some(&memory), Some(id));
        let (mut runs, mut run) = (Vec::new(), Vec::new());
        for node in now {
            let expected = before.iter().find(|old| old.name == node.name);
            assert_eq!(cursor.find(&node.name), expected);
            run.push(node.clone());
            if memory.ends_page(&node.name) {
                runs.push((std::mem::take(&mut run), cursor.end_run(&node.name)));
            }
        }
        runs.push((run, cursor.end()));
        runs
    }

    fn same(run: &[Node], pages: &[Arc<Leaf>]) -> bool {
        !pages.is_empty() && pages.iter().flat_map(|leaf| &leaf.nodes).eq(run)
    }

    #[test]
    fn each_run_of_an_unchanged_directory_has_its_pages() {
        let all = nodes(0..5_000);
        let runs = walk(&all, &all);
        assert!(runs.len() > 4);
        assert!(runs.iter().all(|(run, pages)| run.is_empty() || same(run, pages)));
    }

    #[test]
    fn a_change_costs_the_pages_that_it_touches() {
        let all = nodes(0..5_000);
        let whole = walk(&all, &all);
        let ends: Vec<Vec<u8>> =
            whole[..2].iter().map(|(run, _)| run[run.len() - 1].name.clone()).collect();
        // An end of a page that is gone, or new; names that come before all others, and after.
        let gone: Vec<Node> = all.iter().filter(|node| node.name != ends[0]).cloned().collect();
        for (before, now) in [(&all, &gone), (&gone, &all)] {
            let runs = walk(before, now);
            let differing = runs.iter().filter(|(run, pages)| !run.is_empty() && !same(run, pages));
            assert!(differing.count() <= 2);
        }
        assert!(walk(&nodes(2_500..5_000), &all).iter().any(|(run, pages)| same(run, pages)));
        let shrunk = walk(&all, &nodes(4_990..5_000));
        assert!(shrunk.iter().all(|(run, pages)| run.is_empty() || !same(run, pages)));
    }

    #[test]
    fn without_a_parent_there_is_nothing() {
        let mut cursor = Before::<Memory>::new(None, None);
        assert_eq!(cursor.find(b"a"), None);
        assert!(cursor.end_run(b"a").is_empty() && cursor.end().is_empty());
    }
}
