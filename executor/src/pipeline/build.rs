//! The tree builder: collects the entries of each directory, whatever their order, and encodes it when the
//! last one has come. What it encodes depends on the entries alone.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::Shared;
use super::batch::{DirNumber, Message, Previous};
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::repo::BlobWriter;
use crate::tree::{Blobs, Node, NodeKind, encode_directory};

/// A directory whose entries are coming.
struct Growing {
    parent: Option<DirNumber>,
    node: Box<Node>,
    nodes: Vec<Node>,
    previous: Option<Arc<Previous>>,
    heard: u64,
    expected: Option<u64>,
}

/// A further name of a group of hard links.
struct Follower {
    dir: DirNumber,
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
    shared: &'a Shared<'a>,
    writer: BlobWriter,
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
        shared,
        writer: shared.input.session.writer()?,
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
    builder.writer.finish()?;
    Ok(builder.root)
}

impl Builder<'_> {
    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Open { dir, parent, node, previous } => {
                let nodes = Vec::new();
                let growing = Growing { parent, node, nodes, previous, heard: 0, expected: None };
                self.growing.insert(dir, growing);
                Ok(())
            }
            Message::Close { dir, entries } => {
                self.growing(dir)?.expected = Some(entries);
                self.complete(dir)
            }
            Message::Entry { dir, node } => {
                if let Some(group) = node.link_group {
                    self.lead(group, &node)?;
                }
                self.add(dir, Some(*node))
            }
            Message::Follow { dir, name, logical, group } => {
                self.follow(Follower { dir, name, logical }, group)
            }
            Message::Lost { dir, group } => {
                if let Some(group) = group {
                    let waiting = self.leaders.insert(group, Leader::Lost);
                    if let Some(Leader::Awaited(waiting)) = waiting {
                        for follower in waiting {
                            self.lose(&follower)?;
                        }
                    }
                }
                self.add(dir, None)
            }
        }
    }

    fn growing(&mut self, dir: DirNumber) -> Result<&mut Growing> {
        self.growing
            .get_mut(&dir)
            .ok_or(Error::Defect("an entry came for a directory that is not open"))
    }

    /// An entry with a group: those that wait for it follow. Later names that were reused from the parent
    /// lead too, which changes nothing.
    fn lead(&mut self, group: u64, node: &Node) -> Result<()> {
        match self.leaders.insert(group, Leader::Known(Box::new(node.clone()))) {
            Some(Leader::Awaited(waiting)) => {
                for follower in waiting {
                    let node = Node { name: follower.name, ..node.clone() };
                    self.shared.tally.entry(&node);
                    self.add(follower.dir, Some(node))?;
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
                self.shared.tally.entry(&node);
                self.add(follower.dir, Some(node))
            }
            Leader::Lost => self.lose(&follower),
        }
    }

    fn lose(&mut self, follower: &Follower) -> Result<()> {
        let why = "another name of a file that could not be read";
        self.shared.tally.unreadable(&follower.logical, &why);
        self.add(follower.dir, None)
    }

    fn add(&mut self, dir: DirNumber, node: Option<Node>) -> Result<()> {
        let growing = self.growing(dir)?;
        growing.heard += 1;
        growing.nodes.extend(node);
        self.complete(dir)
    }

    /// Encodes the directory if all its entries have come, then its parent if that was the last one, and so on.
    fn complete(&mut self, mut dir: DirNumber) -> Result<()> {
        loop {
            let growing = self.growing(dir)?;
            if growing.expected != Some(growing.heard) {
                return Ok(());
            }
            let Some(mut done) = self.growing.remove(&dir) else { return Ok(()) };
            done.nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            let id = self.encode(&done)?;
            let mut node = *done.node;
            match &mut node.kind {
                NodeKind::Directory { tree } | NodeKind::Passage { tree } => *tree = id,
                _ => return Err(Error::Defect("a directory has a node that is none")),
            }
            self.shared.tally.entry(&node);
            let Some(parent) = done.parent else {
                self.root = Some(id);
                return Ok(());
            };
            let above = self.growing(parent)?;
            above.heard += 1;
            above.nodes.push(node);
            dir = parent;
        }
    }

    fn encode(&mut self, done: &Growing) -> Result<BlobId> {
        if let Some(previous) = &done.previous
            && previous.nodes == done.nodes
        {
            let dedup = self.shared.input.session.dedup();
            if previous.pages.iter().all(|page| dedup.rely(page)) {
                self.shared.tally.blobs_reused.add(previous.pages.len() as u64);
                return Ok(previous.id);
            }
        }
        encode_directory(&done.nodes, self)
    }
}

impl Blobs for Builder<'_> {
    fn put(&mut self, kind: Kind, bytes: Vec<u8>) -> Result<BlobId> {
        let put = self.writer.put(kind, &bytes)?;
        if !put.new {
            self.shared.tally.blobs_reused.add(1);
        }
        Ok(put.id)
    }

    fn ends_page(&self, name: &[u8]) -> bool {
        self.shared.input.keys.ends_tree_page(name)
    }
}
