//! The walk: lists directories in order, compares each entry with the parent's, and hands on what must be read.
//!
//! It runs on one thread, so that the order in which names are seen, and with it the first name of a group of
//! hard links, never depends on anything else.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustix::fs::{FileType, Stat};

use super::batch::{
    BATCH_BYTES, BATCH_ENTRIES, Batch, DirNumber, From, Item, Message, Place, Previous,
};
use super::{Outbox, Shared};
use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::repo::BlobWriter;
use crate::source::{
    DirEntry, Planned, bare_node, list_directory, read_attributes_at, read_attributes_of, read_link,
};
use crate::tree::{
    Attribute, Attributes, Content, DEPTH_MAX, Node, NodeKind, Piece, Time, read_content,
    read_directory_pages,
};

/// Mode of a directory that only leads to sources.
const PASSAGE_MODE: u32 = 0o755;

/// Walks everything; a failure goes to `shared`.
pub(super) fn run(shared: &Shared<'_>, batches: Sender<Batch>, messages: Sender<Vec<Message>>) {
    let result = shared.input.session.writer().and_then(|writer| {
        let mut walk = Walk {
            shared,
            batches,
            outbox: Outbox::new(messages),
            batch: Batch::default(),
            writer,
            links: HashMap::new(),
            next: 0,
            waiting: Vec::new(),
        };
        let plan = &shared.input.plan;
        let previous = shared.input.previous.as_ref().map(|(id, _)| *id);
        walk.planned(plan, b"", b"/", None, previous)?;
        walk.send_batch();
        walk.writer.finish()
    });
    if let Err(error) = result {
        shared.fail(error);
    }
}

/// A directory that waits for its turn.
struct Waiting {
    root: Arc<Root>,
    relative: Vec<u8>,
    logical: Vec<u8>,
    name: Vec<u8>,
    parent: Option<DirNumber>,
    previous: Option<BlobId>,
    /// Device of the root, where other file systems are left out.
    device: u64,
    depth: usize,
}

struct Walk<'a> {
    shared: &'a Shared<'a>,
    batches: Sender<Batch>,
    outbox: Outbox,
    batch: Batch,
    /// For large attributes of what is never opened.
    writer: BlobWriter,
    /// Group of each inode with several names that was seen, and names that are still to come.
    links: HashMap<(u64, u64), (u64, u64)>,
    next: DirNumber,
    waiting: Vec<Waiting>,
}

impl Walk<'_> {
    fn number(&mut self) -> DirNumber {
        self.next += 1;
        self.next
    }

    /// One node of the plan, as an entry of `parent`.
    fn planned(
        &mut self,
        planned: &Planned,
        name: &[u8],
        logical: &[u8],
        parent: Option<DirNumber>,
        previous: Option<BlobId>,
    ) -> Result<()> {
        match planned {
            Planned::Passage(children) => self.passage(children, name, logical, parent, previous),
            Planned::Path(path) => self.path(path, name, logical, parent, previous),
            Planned::Stdin => {
                self.unsized_item(parent, name, From::Stdin { logical: logical.to_vec() });
                Ok(())
            }
            Planned::Document(content) => {
                let len = content.len() as u64;
                self.shared.tally.bytes_found.add(len);
                self.unsized_item(parent, name, From::Document(content.clone()));
                Ok(())
            }
        }
    }

    fn unsized_item(&mut self, parent: Option<DirNumber>, name: &[u8], from: From) {
        let Some(dir) = parent else { return };
        self.shared.tally.files_found.add(1);
        self.shared.tally.files_new.add(1);
        self.batch.items.push(Item { dir, name: name.to_vec(), from, link_group: None });
    }

    fn passage(
        &mut self,
        children: &BTreeMap<Vec<u8>, Planned>,
        name: &[u8],
        logical: &[u8],
        parent: Option<DirNumber>,
        previous: Option<BlobId>,
    ) -> Result<()> {
        let dir = self.number();
        let previous = self.previous(previous);
        let tree = BlobId([0; BlobId::LEN]);
        let node = Node::bare(name, NodeKind::Passage { tree }, PASSAGE_MODE, Time::default());
        self.outbox.send(Message::Open {
            dir,
            parent,
            node: Box::new(node),
            previous: previous.clone(),
        });
        self.outbox.send(Message::Close { dir, entries: children.len() as u64 });
        for (name, child) in children {
            let before = find(previous.as_deref(), name).and_then(|node| node.kind.tree());
            self.planned(child, name, &join(logical, name), Some(dir), before)?;
        }
        Ok(())
    }

    /// A directory or file of this machine.
    fn path(
        &mut self,
        path: &Path,
        name: &[u8],
        logical: &[u8],
        parent: Option<DirNumber>,
        previous: Option<BlobId>,
    ) -> Result<()> {
        let unreadable = |source: std::io::Error| {
            let path =
                crate::report::printable(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
            match source.kind() {
                std::io::ErrorKind::NotFound => Error::SourceMissing { path },
                _ => Error::SourceUnreadable { path, source },
            }
        };
        let real = std::fs::canonicalize(path).map_err(unreadable)?;
        if !real.is_dir() {
            return self.single(&real, name, logical, parent, unreadable);
        }
        let root = Arc::new(Root::open(&real).map_err(unreadable)?);
        let stat = rustix::fs::fstat(root.fd()).map_err(|errno| unreadable(errno.into()))?;
        // A root that cannot be listed is no partial backup but none.
        rustix::fs::Dir::read_from(root.fd()).map_err(|errno| unreadable(errno.into()))?;
        self.waiting.push(Waiting {
            root,
            relative: Vec::new(),
            logical: logical.to_vec(),
            name: name.to_vec(),
            parent,
            previous,
            device: stat.st_dev,
            depth: 0,
        });
        while let Some(waiting) = self.waiting.pop() {
            if self.shared.stopped() {
                return Ok(());
            }
            self.directory(waiting)?;
        }
        Ok(())
    }

    /// A source that is one file. It is stored under the name that the job gives it.
    fn single(
        &mut self,
        real: &Path,
        name: &[u8],
        logical: &[u8],
        parent: Option<DirNumber>,
        unreadable: impl Fn(std::io::Error) -> Error,
    ) -> Result<()> {
        let invalid = || Error::Invalid {
            field: "storedAs",
            reason: "a file cannot be the root of a snapshot".to_owned(),
        };
        let dir = parent.ok_or_else(invalid)?;
        if real.file_name().is_none_or(|own| own.as_encoded_bytes() != name) {
            return Err(Error::Invalid {
                field: "storedAs",
                reason: "a file must keep its name: end the logical path with it".to_owned(),
            });
        }
        let above = real.parent().unwrap_or(Path::new("/"));
        let root = Arc::new(Root::open(above).map_err(&unreadable)?);
        let entries = list_one(&root, name).map_err(&unreadable)?;
        let logical = logical[..logical.len() - name.len()].to_vec();
        let place = Arc::new(Place { root, relative: Vec::new(), logical });
        self.entry(dir, &place, entries, None, u64::MAX, 0)?;
        Ok(())
    }

    fn directory(&mut self, waiting: Waiting) -> Result<()> {
        let tally = self.shared.tally;
        let dir = self.number();
        let opened = waiting.root.open_dir(&waiting.relative).and_then(|fd| {
            let stat = rustix::fs::fstat(&fd)?;
            let entries = list_directory(fd.as_fd())?;
            Ok((fd, stat, entries))
        });
        let (fd, stat, entries) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::NotFound {
                    tally.changed(&waiting.logical, "vanished before it was read");
                } else {
                    tally.unreadable(&waiting.logical, &error);
                }
                if let Some(parent) = waiting.parent {
                    self.outbox.send(Message::Lost { dir: parent, group: None });
                }
                return Ok(());
            }
        };
        let mut node = bare_node(&waiting.name, &stat);
        match read_attributes_of(fd.as_fd()) {
            Ok(list) => node.attributes = self.attributes(list)?,
            Err(_) => tally.attributes_unreadable.add(1),
        }
        if waiting.parent.is_none() {
            // The root of a snapshot has no entry that could keep its metadata.
            node = Node::bare(b"", node.kind, PASSAGE_MODE, Time::default());
        }
        let previous = self.previous(waiting.previous);
        self.outbox.send(Message::Open {
            dir,
            parent: waiting.parent,
            node: Box::new(node),
            previous: previous.clone(),
        });
        let place = Arc::new(Place {
            root: waiting.root.clone(),
            relative: waiting.relative,
            logical: waiting.logical,
        });
        let first_child = self.waiting.len();
        let mut count = 0;
        for entry in entries {
            if self.shared.input.exclude.matches(&join(&place.logical, &entry.name)) {
                tally.excluded.add(1);
                continue;
            }
            let before = find(previous.as_deref(), &entry.name);
            count += self.entry(dir, &place, entry, before, waiting.device, waiting.depth)?;
        }
        self.outbox.send(Message::Close { dir, entries: count });
        // The last one pushed is the next one taken.
        self.waiting[first_child..].reverse();
        Ok(())
    }

    /// One entry; returns how many messages about it the builder will hear.
    fn entry(
        &mut self,
        dir: DirNumber,
        place: &Arc<Place>,
        entry: DirEntry,
        before: Option<&Node>,
        device: u64,
        depth: usize,
    ) -> Result<u64> {
        let DirEntry { name, stat } = entry;
        let stat = match stat {
            Ok(stat) => stat,
            Err(error) => {
                self.shared.tally.unreadable(&join(&place.logical, &name), &error);
                return Ok(0);
            }
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                self.subdirectory(dir, place, name, &stat, before, device, depth)
            }
            FileType::RegularFile => self.file(dir, place, name, &stat, before).map(|()| 1),
            _ => self.special(dir, place, name, &stat),
        }
    }

    #[allow(clippy::too_many_arguments)] // they are the state of one step of the walk
    fn subdirectory(
        &mut self,
        dir: DirNumber,
        place: &Arc<Place>,
        name: Vec<u8>,
        stat: &Stat,
        before: Option<&Node>,
        device: u64,
        depth: usize,
    ) -> Result<u64> {
        let logical = join(&place.logical, &name);
        if depth + 1 >= DEPTH_MAX {
            let why = format!("lies deeper than {DEPTH_MAX} directories");
            self.shared.tally.unreadable(&logical, &why);
            return Ok(0);
        }
        if self.shared.input.one_file_system && stat.st_dev != device {
            // Its mount point is kept, as an empty directory.
            let number = self.number();
            let node = Box::new(bare_node(&name, stat));
            self.outbox.send(Message::Open {
                dir: number,
                parent: Some(dir),
                node,
                previous: None,
            });
            self.outbox.send(Message::Close { dir: number, entries: 0 });
            return Ok(1);
        }
        self.waiting.push(Waiting {
            root: place.root.clone(),
            relative: join(&place.relative, &name),
            logical,
            name,
            parent: Some(dir),
            previous: before.and_then(|node| node.kind.tree()),
            device,
            depth: depth + 1,
        });
        Ok(1)
    }

    fn file(
        &mut self,
        dir: DirNumber,
        place: &Arc<Place>,
        name: Vec<u8>,
        stat: &Stat,
        before: Option<&Node>,
    ) -> Result<()> {
        let tally = self.shared.tally;
        let size = stat.st_size as u64;
        tally.files_found.add(1);
        tally.bytes_found.add(size);
        let (group, first) = self.link_group(stat, || join(&place.logical, &name));
        if let Some(node) = self.unmodified(stat, before)? {
            tally.files_unmodified.add(1);
            let node = Node { link_group: group, ..node };
            tally.entry(&node);
            self.outbox.send(Message::Entry { dir, node: Box::new(node) });
            return Ok(());
        }
        match before.map(|node| &node.kind) {
            Some(NodeKind::File { .. }) => tally.files_changed.add(1),
            _ => tally.files_new.add(1),
        }
        if let (Some(group), false) = (group, first) {
            let logical = join(&place.logical, &name);
            self.outbox.send(Message::Follow { dir, name, logical, group });
            return Ok(());
        }
        let from = From::Place(place.clone());
        self.batch.items.push(Item { dir, name, from, link_group: group });
        self.batch.bytes += size;
        if self.batch.bytes >= BATCH_BYTES || self.batch.items.len() >= BATCH_ENTRIES {
            self.send_batch();
        }
        Ok(())
    }

    fn send_batch(&mut self) {
        if !self.batch.items.is_empty() {
            // The builder must hear of a directory before it hears of its entries.
            self.outbox.flush();
            // Workers take everything until the walk has ended.
            let _ = self.batches.send(std::mem::take(&mut self.batch));
        }
    }

    /// The group of a file with several names, and whether this is the first of them.
    fn link_group(&mut self, stat: &Stat, path: impl FnOnce() -> Vec<u8>) -> (Option<u64>, bool) {
        let names = u64::from(stat.st_nlink as u32);
        if names < 2 {
            return (None, true);
        }
        let key = (stat.st_dev, stat.st_ino);
        if let Some((group, left)) = self.links.get_mut(&key) {
            self.shared.tally.hard_links.add(1);
            let group = *group;
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.links.remove(&key);
            }
            return (Some(group), false);
        }
        // A function of the source: the first path of the group.
        let hash = blake3::hash(&path());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[..8]);
        let group = u64::from_le_bytes(bytes);
        self.links.insert(key, (group, names - 1));
        (Some(group), true)
    }

    /// The parent's node, if the file is still the same and everything that it needs is stored.
    fn unmodified(&self, stat: &Stat, before: Option<&Node>) -> Result<Option<Node>> {
        let Some(before) = before else { return Ok(None) };
        let NodeKind::File { size, content } = &before.kind else { return Ok(None) };
        let now = bare_node(&before.name, stat);
        let same = *size == stat.st_size as u64
            && before.mtime == now.mtime
            && before.ctime == now.ctime
            && before.inode == now.inode
            && !before.racy;
        if !same {
            return Ok(None);
        }
        let dedup = self.shared.input.session.dedup();
        let chunks_known = |pieces: &[Piece]| {
            pieces.iter().all(|piece| match piece {
                Piece::Chunk { id, .. } => dedup.rely(id),
                Piece::Hole { .. } => true,
            })
        };
        let known = match content {
            Content::Pieces(pieces) => chunks_known(pieces),
            Content::Lists(ids) => {
                ids.iter().all(|id| dedup.rely(id))
                    && self.listed(*size, content).is_some_and(|pieces| chunks_known(&pieces))
            }
        };
        let attributes_known = match &before.attributes {
            Attributes::Blob(id) => dedup.rely(id),
            _ => true,
        };
        if !known || !attributes_known {
            return Ok(None);
        }
        let blobs = match content {
            Content::Pieces(pieces) => pieces.len(),
            Content::Lists(ids) => ids.len(),
        };
        self.shared.tally.blobs_reused.add(blobs as u64);
        Ok(Some(before.clone()))
    }

    /// The pieces of the parent's file; nothing when its lists cannot be read, and then it is read again.
    fn listed(&self, size: u64, content: &Content) -> Option<Vec<Piece>> {
        let (_, reader) = self.shared.input.previous.as_ref()?;
        read_content(reader, size, content).ok()
    }

    fn special(
        &mut self,
        dir: DirNumber,
        place: &Arc<Place>,
        name: Vec<u8>,
        stat: &Stat,
    ) -> Result<u64> {
        let mut node = bare_node(&name, stat);
        let logical = join(&place.logical, &name);
        let parent = match place.root.open_dir(&place.relative) {
            Ok(parent) => parent,
            Err(error) => {
                self.shared.tally.unreadable(&logical, &error);
                return Ok(0);
            }
        };
        if let NodeKind::Symlink { target } = &mut node.kind {
            match read_link(parent.as_fd(), &name) {
                Ok(text) => *target = text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.shared.tally.changed(&logical, "vanished before it was read");
                    return Ok(0);
                }
                Err(error) => {
                    self.shared.tally.unreadable(&logical, &error);
                    return Ok(0);
                }
            }
        }
        match read_attributes_at(parent.as_fd(), &name) {
            Ok(list) => node.attributes = self.attributes(list)?,
            Err(_) => self.shared.tally.attributes_unreadable.add(1),
        }
        self.shared.tally.entry(&node);
        self.outbox.send(Message::Entry { dir, node: Box::new(node) });
        Ok(1)
    }

    fn attributes(&mut self, list: Vec<Attribute>) -> Result<Attributes> {
        super::worker::store_attributes(self.shared, &mut self.writer, list)
    }

    /// The entries of a directory in the parent. What cannot be read there is read again here.
    fn previous(&self, id: Option<BlobId>) -> Option<Arc<Previous>> {
        let (_, reader) = self.shared.input.previous.as_ref()?;
        let id = id?;
        let (nodes, pages) = read_directory_pages(reader, &id).ok()?;
        Some(Arc::new(Previous { id, nodes, pages }))
    }
}

fn find<'p>(previous: Option<&'p Previous>, name: &[u8]) -> Option<&'p Node> {
    let nodes = &previous?.nodes;
    let at = nodes.binary_search_by(|node| node.name[..].cmp(name)).ok()?;
    Some(&nodes[at])
}

fn list_one(root: &Root, name: &[u8]) -> std::io::Result<DirEntry> {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let stat = rustix::fs::statat(root.fd(), name, flags)?;
    Ok(DirEntry { name: name.to_vec(), stat: Ok(stat) })
}
