//! A directory whose entries are coming, in any order. Its names are divided into *runs*: each ends with
//! a name that ends a page, so the pages of a run depend on its entries alone, and they are written as
//! soon as all of these have come. Memory holds what is under way, not the directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::Spot;
use crate::error::Result;
use crate::source::SourceNumber;
use crate::tree::{Child, Leaf, Node};

/// A directory on its way into the tree.
pub(super) struct Growing {
    pub(super) source: SourceNumber,
    /// Its own place; none for the root.
    pub(super) parent: Option<Spot>,
    node: Box<Node>,
    runs: BTreeMap<u32, Run>,
    /// Pages of runs that are done.
    leaves: BTreeMap<u32, Vec<Child>>,
    /// The last run is done.
    closed: bool,
}

#[derive(Default)]
struct Run {
    nodes: Vec<Node>,
    heard: u64,
    expected: Option<u64>,
    /// It is known that a page begins with it.
    begins: bool,
    /// The name that ends it has come.
    ends: bool,
    /// The directory ends with it.
    last: bool,
    /// Its pages in the parent.
    before: Vec<Arc<Leaf>>,
    /// It has got entries of the run before, so those pages are not its own.
    joined: bool,
}

/// What the walk says at the end of a run.
pub(super) struct RunEnd {
    pub(super) run: u32,
    /// Messages that belong to it.
    pub(super) entries: u64,
    /// The directory ends with it.
    pub(super) last: bool,
    /// Its pages in the parent.
    pub(super) before: Vec<Arc<Leaf>>,
}

/// Writes the pages of sorted entries, given those of the parent.
pub(super) trait Pages {
    /// # Errors
    /// Whatever ends the session.
    fn leaves(&mut self, nodes: &[Node], before: &[Arc<Leaf>]) -> Result<Vec<Child>>;
}

impl Growing {
    pub(super) fn new(source: SourceNumber, parent: Option<Spot>, node: Box<Node>) -> Self {
        let first = Run { begins: true, ..Run::default() };
        let runs = BTreeMap::from([(0, first)]);
        Self { source, parent, node, runs, leaves: BTreeMap::new(), closed: false }
    }

    /// An entry has come, or is lost.
    pub(super) fn add(
        &mut self,
        at: Spot,
        node: Option<Node>,
        pages: &mut impl Pages,
    ) -> Result<()> {
        let run = self.runs.entry(at.run).or_default();
        run.heard += 1;
        let ends = at.ends && node.is_some();
        run.ends |= ends;
        run.nodes.extend(node);
        if ends {
            self.runs.entry(at.run + 1).or_default().begins = true;
            self.settle(at.run + 1, pages)?;
        }
        self.settle(at.run, pages)
    }

    /// All entries of a run are on their way.
    pub(super) fn end(&mut self, end: RunEnd, pages: &mut impl Pages) -> Result<()> {
        let run = self.runs.entry(end.run).or_default();
        run.expected = Some(end.entries);
        run.last = end.last;
        run.before = end.before;
        self.settle(end.run, pages)
    }

    /// Writes a run if nothing of it is missing.
    fn settle(&mut self, mut number: u32, pages: &mut impl Pages) -> Result<()> {
        while let Some(run) = self.runs.get(&number)
            && run.begins
            && run.expected == Some(run.heard)
        {
            let Some(mut run) = self.runs.remove(&number) else { break };
            if run.ends || run.last {
                run.nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                let before = if run.joined { &[][..] } else { &run.before };
                self.leaves.insert(number, pages.leaves(&run.nodes, before)?);
                self.closed |= run.last;
                break;
            }
            // The name that should have ended it was lost: its entries share a page with the next ones.
            number += 1;
            let next = self.runs.entry(number).or_default();
            next.nodes.append(&mut run.nodes);
            next.begins = true;
            next.joined = true;
        }
        Ok(())
    }

    /// Whether all pages are written.
    pub(super) fn is_done(&self) -> bool {
        self.closed && self.runs.is_empty()
    }

    /// Its node, and all leaf pages in order.
    pub(super) fn into_parts(self) -> (Node, Vec<Child>) {
        (*self.node, self.leaves.into_values().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::arbitrary::{Memory, file};
    use crate::tree::{Blobs, encode_directory, encode_leaves, encode_top};

    struct Writing(Memory);

    impl Pages for Writing {
        fn leaves(&mut self, nodes: &[Node], before: &[Arc<Leaf>]) -> Result<Vec<Child>> {
            assert!(before.is_empty());
            encode_leaves(nodes, &mut self.0)
        }
    }

    enum Said {
        Entry(Spot, Option<Node>),
        End(RunEnd),
    }

    /// What the walk would say of these nodes, some of which are lost on the way.
    fn messages(nodes: &[Node], lost: &[bool], memory: &Memory) -> Vec<Said> {
        let (mut said, mut run, mut entries) = (Vec::new(), 0, 0);
        for (node, lost) in nodes.iter().zip(lost) {
            let ends = memory.ends_page(&node.name);
            entries += 1;
            said.push(Said::Entry(
                Spot { source: 0, dir: 1, run, ends },
                (!lost).then(|| node.clone()),
            ));
            if ends {
                said.push(Said::End(RunEnd { run, entries, last: false, before: Vec::new() }));
                (run, entries) = (run + 1, 0);
            }
        }
        said.push(Said::End(RunEnd { run, entries, last: true, before: Vec::new() }));
        said
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))]

        /// Whatever the order and whatever is lost: the tree is that of the entries that came.
        #[test]
        fn the_order_of_arrival_changes_nothing(
            count in 0..3_000usize,
            order in any::<u64>(),
            lost_in in 1..400u64,
        ) {
            let names = (0..count).map(|i| file(format!("{i:05}").as_bytes(), &[1], 5));
            let nodes: Vec<Node> = names.collect();
            let dice = |i: usize, salt: u64| {
                let hash = blake3::hash(&[(i as u64).to_le_bytes(), (order ^ salt).to_le_bytes()].concat());
                u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap())
            };
            // Names that end a page are lost more often than others: there it matters.
            let memory = Memory::default();
            let lost: Vec<bool> = nodes.iter().enumerate().map(|(i, node)| {
                let often = if memory.ends_page(&node.name) { 2 } else { lost_in };
                dice(i, 1) % often == 0
            }).collect();
            let mut said = messages(&nodes, &lost, &memory);
            let mut keys: Vec<(u64, usize)> = (0..said.len()).map(|i| (dice(i, 2), i)).collect();
            keys.sort_unstable();
            let mut writing = Writing(memory);
            let mut growing = Growing::new(0, None, Box::new(nodes.first().cloned().unwrap_or_else(|| file(b"x", &[1], 1))));
            let mut said: Vec<Option<Said>> = said.drain(..).map(Some).collect();
            for (_, i) in keys {
                prop_assert!(!growing.is_done());
                match said[i].take().unwrap() {
                    Said::Entry(at, node) => growing.add(at, node, &mut writing).unwrap(),
                    Said::End(end) => growing.end(end, &mut writing).unwrap(),
                }
            }
            prop_assert!(growing.is_done());
            let id = encode_top(growing.into_parts().1, &mut writing.0).unwrap();
            let came = nodes.iter().zip(&lost).filter(|(_, lost)| !**lost);
            let came: Vec<Node> = came.map(|(node, _)| node.clone()).collect();
            prop_assert_eq!(id, encode_directory(&came, &mut Memory::default()).unwrap());
        }
    }
}
