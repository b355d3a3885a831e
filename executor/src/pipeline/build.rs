//! The tree builder: collects the entries of each directory, whatever their order, and encodes each page when
//! its last one has come. What it encodes depends on the entries alone.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::Shared;
use super::batch::{DirNumber, Message, Spot};
use super::growing::{Growing, Pages};
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::repo::BlobWriter;
use crate::source::SourceNumber;
use crate::tree::{Blobs, Child, Leaf, Node, NodeKind, encode_leaves, encode_top};

const NOT_OPEN: Error = Error::Defect("an entry came for a directory that is not open");

/// A further name of a group of hard links.
struct Follower {
    at: Spot,
    name: Vec<u8>,
    logical: Vec<u8>,
}

/// The first name of a group of hard links.
enum Leader {
    /// Its content is not known yet; these wait for it.
    Awaited(Vec<Follower>),
    Known(Box<Node>),
    Lost,
}

struct Builder<'a> {
    writing: Writing<'a>,
    growing: HashMap<DirNumber, Growing>,
    leaders: HashMap<u64, Leader>,
    root: Option<BlobId>,
}

/// Hears everything until all senders are gone; the root tree if it was completed.
pub(super) fn run(shared: &Shared<'_>, messages: &Receiver<Vec<Message>>) -> Option<BlobId> {
    let result = hear(shared, messages);
    // Nobody may be left waiting at a full queue.
    while messages.recv().is_ok() {}
    result.unwrap_or_else(|error| {
        shared.fail(error);
        None
    })
}

fn hear(shared: &Shared<'_>, messages: &Receiver<Vec<Message>>) -> Result<Option<BlobId>> {
    let mut builder = Builder {
        writing: Writing { shared, writer: shared.input.session.writer()?, source: 0 },
        growing: HashMap::new(),
        leaders: HashMap::new(),
        root: None,
    };
    while let Ok(group) = messages.recv() {
        if shared.stopped() {
            return Ok(None);
        }
        for message in group {
            builder.take(message)?;
        }
    }
    if shared.stopped() {
        return Ok(None);
    }
    builder.writing.writer.finish()?;
    Ok(builder.root)
}

impl Builder<'_> {
    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Open { dir, source, parent, node } => {
                self.growing.insert(dir, Growing::new(source, parent, node));
                Ok(())
            }
            Message::RunEnd { dir, end } => {
                let growing = self.growing.get_mut(&dir).ok_or(NOT_OPEN)?;
                growing.end(end, self.writing.of(growing.source))?;
                self.complete(dir)
            }
            Message::Entry { at, node } => {
                if let Some(group) = node.link_group {
                    self.lead(group, &node)?;
                }
                self.add(at, Some(*node))
            }
            Message::Follow { at, name, logical, group } => {
                self.follow(Follower { at, name, logical }, group)
            }
            Message::Lost { at, group } => {
                if let Some(group) = group {
                    let waiting = self.leaders.insert(group, Leader::Lost);
                    if let Some(Leader::Awaited(waiting)) = waiting {
                        for follower in waiting {
                            self.lose(&follower)?;
                        }
                    }
                }
                self.add(at, None)
            }
        }
    }

    /// An entry with a group: those that wait for it follow. Later names that were reused from the parent
    /// lead too, which changes nothing.
    fn lead(&mut self, group: u64, node: &Node) -> Result<()> {
        match self.leaders.insert(group, Leader::Known(Box::new(node.clone()))) {
            Some(Leader::Awaited(waiting)) => {
                for follower in waiting {
                    let node = Node { name: follower.name, ..node.clone() };
                    self.writing.shared.tally.of(follower.at.source).entry(&node);
                    self.add(follower.at, Some(node))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, follower: Follower, group: u64) -> Result<()> {
        match self.leaders.entry(group).or_insert_with(|| Leader::Awaited(Vec::new())) {
            Leader::Awaited(waiting) => {
                waiting.push(follower);
                Ok(())
            }
            Leader::Known(node) => {
                let node = Node { name: follower.name, ..Node::clone(node) };
                self.writing.shared.tally.of(follower.at.source).entry(&node);
                self.add(follower.at, Some(node))
            }
            Leader::Lost => self.lose(&follower),
        }
    }

    fn lose(&mut self, follower: &Follower) -> Result<()> {
        let why = "another name of a file that could not be read";
        self.writing.shared.tally.unreadable(&follower.logical, &why);
        self.add(follower.at, None)
    }

    fn add(&mut self, at: Spot, node: Option<Node>) -> Result<()> {
        let growing = self.growing.get_mut(&at.dir).ok_or(NOT_OPEN)?;
        growing.add(at, node, self.writing.of(growing.source))?;
        self.complete(at.dir)
    }

    /// Ends the directory if all its pages are written, then its parent if that was the last entry, and so on.
    fn complete(&mut self, mut dir: DirNumber) -> Result<()> {
        while self.growing.get(&dir).is_some_and(Growing::is_done) {
            let Some(done) = self.growing.remove(&dir) else { break };
            let (source, parent) = (done.source, done.parent);
            let (mut node, leaves) = done.into_parts();
            let id = encode_top(leaves, self.writing.of(source))?;
            match &mut node.kind {
                NodeKind::Directory { tree } | NodeKind::Passage { tree } => *tree = id,
                _ => return Err(Error::Defect("a directory has a node that is none")),
            }
            self.writing.shared.tally.of(source).entry(&node);
            let Some(parent) = parent else {
                self.root = Some(id);
                break;
            };
            let above = self.growing.get_mut(&parent.dir).ok_or(NOT_OPEN)?;
            above.add(parent, Some(node), self.writing.of(above.source))?;
            dir = parent.dir;
        }
        Ok(())
    }
}

/// Where pages go.
struct Writing<'a> {
    shared: &'a Shared<'a>,
    writer: BlobWriter,
    /// Whose directory they are of.
    source: SourceNumber,
}

impl Writing<'_> {
    fn of(&mut self, source: SourceNumber) -> &mut Self {
        self.source = source;
        self
    }
}

impl Pages for Writing<'_> {
    fn leaves(&mut self, nodes: &[Node], before: &[Arc<Leaf>]) -> Result<Vec<Child>> {
        let dedup = self.shared.input.session.dedup();
        let same = !before.is_empty()
            && before.iter().flat_map(|leaf| &leaf.nodes).eq(nodes)
            && before.iter().all(|leaf| dedup.rely(&leaf.id));
        if !same {
            return encode_leaves(nodes, self);
        }
        self.shared.tally.blobs_reused.add(before.len() as u64);
        let child = |leaf: &Arc<Leaf>| Some((leaf.nodes.first()?.name.clone(), leaf.id));
        Ok(before.iter().filter_map(child).collect())
    }
}

impl Blobs for Writing<'_> {
    fn put(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<BlobId> {
        let put = self.writer.put(kind, &bytes)?;
        match put.new {
            true => self.shared.tally.of(self.source).bytes_new.add(bytes.len() as u64),
            false => self.shared.tally.blobs_reused.add(1),
        }
        Ok(put.id)
    }

    fn ends_page(&self, name: &[u8]) -> bool {
        self.shared.input.keys.ends_tree_page(name)
    }
}
