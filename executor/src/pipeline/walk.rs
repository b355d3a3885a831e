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
    BATCH_BYTES, BATCH_ENTRIES, Batch, DirNumber, From, Item, Message, Place, Spot,
};
use super::before::{Before, Going};
use super::{Outbox, Shared};
use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::repo::{BlobReader, BlobWriter};
use crate::source::{
    Names, Planned, SourceNumber, bare_node, leave_markers, read_attributes_at, read_attributes_of,
    read_link, stat_entry,
};
use crate::tree::{
    Attribute, Attributes, Content, DEPTH_MAX, Node, NodeKind, Piece, Time, read_content,
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
        match &shared.input.previous {
            None => walk.planned(plan, b"", b"/", None, None),
            Some((id, reader)) => {
                reader.reading_ahead(|| walk.planned(plan, b"", b"/", None, Some(*id)))
            }
        }?;
        walk.send_batch();
        walk.writer.finish()
    });
    if let Err(error) = result {
        shared.fail(error);
    }
}

/// A directory that waits for its turn.
struct Waiting {
    source: SourceNumber,
    root: Arc<Root>,
    relative: Vec<u8>,
    logical: Vec<u8>,
    name: Vec<u8>,
    parent: Option<Spot>,
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

impl<'a> Walk<'a> {
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
        parent: Option<Spot>,
        previous: Option<BlobId>,
    ) -> Result<()> {
        match planned {
            Planned::Passage(children) => self.passage(children, name, logical, parent, previous),
            Planned::Path(source, path) => {
                self.path(*source, path, name, logical, parent, previous)
            }
            Planned::Stdin(_) => {
                self.unsized_item(parent, name, From::Stdin { logical: logical.to_vec() });
                Ok(())
            }
            Planned::Document(_, content) => {
                let len = content.len() as u64;
                self.shared.tally.bytes_found.add(len);
                self.unsized_item(parent, name, From::Document(content.clone()));
                Ok(())
            }
        }
    }

    fn unsized_item(&mut self, parent: Option<Spot>, name: &[u8], from: From) {
        let Some(at) = parent else { return };
        self.shared.tally.files_found.add(1);
        self.shared.tally.files_new.add(1);
        let progress = self.shared.input.progress;
        if let (From::Stdin { logical }, true) = (&from, progress.names_files()) {
            progress.reads(logical, false);
        }
        self.batch.items.push(Item { at, name: name.to_vec(), from, link_group: None });
    }

    fn passage(
        &mut self,
        children: &BTreeMap<Vec<u8>, Planned>,
        name: &[u8],
        logical: &[u8],
        parent: Option<Spot>,
        previous: Option<BlobId>,
    ) -> Result<()> {
        let dir = self.number();
        let tree = BlobId([0; BlobId::LEN]);
        let node = Node::bare(name, NodeKind::Passage { tree }, PASSAGE_MODE, Time::default());
        let nobody = self.shared.tally.nobody();
        let node = Box::new(node);
        self.outbox.send(Message::Open { dir, source: nobody, parent, node });
        let mut going = Going::new(dir, self.before(previous));
        for (name, child) in children {
            let at = going.spot(child.source().unwrap_or(nobody), self.ends_page(name));
            let before = going.before.find(name).and_then(|node| node.kind.tree());
            self.planned(child, name, &join(logical, name), Some(at), before)?;
            self.count(&mut going, name, at);
        }
        self.outbox.send(going.close());
        Ok(())
    }

    /// A directory or file of this machine.
    fn path(
        &mut self,
        number: SourceNumber,
        path: &Path,
        name: &[u8],
        logical: &[u8],
        parent: Option<Spot>,
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
            source: number,
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
        parent: Option<Spot>,
        unreadable: impl Fn(std::io::Error) -> Error,
    ) -> Result<()> {
        let invalid = || Error::Invalid {
            field: "storedAs",
            reason: "a file cannot be the root of a snapshot".to_owned(),
        };
        let at = parent.ok_or_else(invalid)?;
        if real.file_name().is_none_or(|own| own.as_encoded_bytes() != name) {
            return Err(Error::Invalid {
                field: "storedAs",
                reason: "a file must keep its name: end the logical path with it".to_owned(),
            });
        }
        let above = real.parent().unwrap_or(Path::new("/"));
        let root = Arc::new(Root::open(above).map_err(&unreadable)?);
        let stat = rustix::fs::statat(root.fd(), name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| unreadable(errno.into()))?;
        let logical = logical[..logical.len() - name.len()].to_vec();
        let place = Arc::new(Place { root, relative: Vec::new(), logical });
        if !self.entry(at, &place, name, &stat, None, u64::MAX, 0)? {
            self.outbox.send(Message::Lost { at, group: None });
        }
        Ok(())
    }

    fn directory(&mut self, waiting: Waiting) -> Result<()> {
        let tally = self.shared.tally;
        let dir = self.number();
        let opened = waiting.root.open_dir(&waiting.relative).and_then(|fd| {
            let stat = rustix::fs::fstat(&fd)?;
            let names = Names::list(fd.as_fd())?;
            Ok((fd, stat, names))
        });
        let (fd, stat, mut names) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::NotFound {
                    tally.changed(&waiting.logical, "vanished before it was read");
                } else {
                    tally.unreadable(&waiting.logical, &error);
                }
                if let Some(parent) = waiting.parent {
                    self.outbox.send(Message::Lost { at: parent, group: None });
                }
                return Ok(());
            }
        };
        // What a killed restore has left is nobody's data.
        names.retain(|name| !crate::sink::is_leftover(name));
        tally.excluded.add(leave_markers(&self.shared.input.markers, fd.as_fd(), &mut names));
        let mut node = bare_node(&waiting.name, &stat);
        match read_attributes_of(fd.as_fd()) {
            Ok(list) => node.attributes = self.attributes(waiting.source, list)?,
            Err(_) => tally.attributes_unreadable.add(1),
        }
        if waiting.parent.is_none() {
            // The root of a snapshot has no entry that could keep its metadata.
            node = Node::bare(b"", node.kind, PASSAGE_MODE, Time::default());
        }
        let Waiting { source, parent, .. } = waiting;
        self.outbox.send(Message::Open { dir, source, parent, node: Box::new(node) });
        let place = Arc::new(Place {
            root: waiting.root.clone(),
            relative: waiting.relative,
            logical: waiting.logical,
        });
        let first_child = self.waiting.len();
        let mut going = Going::new(dir, self.before(waiting.previous));
        for name in names.iter() {
            let logical = || join(&place.logical, name);
            if self.shared.input.exclude.matches(&logical()) {
                tally.excluded.add(1);
                continue;
            }
            let stat = match stat_entry(fd.as_fd(), name) {
                Ok(Some(stat)) => stat,
                Ok(None) => continue,
                Err(error) => {
                    tally.unreadable(&logical(), &error);
                    continue;
                }
            };
            if self.is_too_large(&stat) {
                tally.excluded.add(1);
                continue;
            }
            let at = going.spot(source, self.ends_page(name));
            let before = going.before.find(name);
            if self.entry(at, &place, name, &stat, before, waiting.device, waiting.depth)? {
                self.count(&mut going, name, at);
            }
        }
        self.outbox.send(going.close());
        // The last one pushed is the next one taken.
        self.waiting[first_child..].reverse();
        Ok(())
    }

    fn is_too_large(&self, stat: &Stat) -> bool {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_size as u64 > self.shared.input.largest
    }

    /// One entry; returns whether the builder will hear of it.
    #[allow(clippy::too_many_arguments)] // they are the state of one step of the walk
    fn entry(
        &mut self,
        at: Spot,
        place: &Arc<Place>,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
        device: u64,
        depth: usize,
    ) -> Result<bool> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                Ok(self.subdirectory(at, place, name, stat, before, device, depth))
            }
            FileType::RegularFile => self.file(at, place, name, stat, before).map(|()| true),
            _ => self.special(at, place, name, stat),
        }
    }

    fn ends_page(&self, name: &[u8]) -> bool {
        self.shared.input.keys.ends_tree_page(name)
    }

    /// The builder will hear of an entry.
    fn count(&mut self, going: &mut Going<'_, BlobReader>, name: &[u8], at: Spot) {
        if let Some(end) = going.count(name, at) {
            self.outbox.send(end);
        }
    }

    #[allow(clippy::too_many_arguments)] // they are the state of one step of the walk
    fn subdirectory(
        &mut self,
        at: Spot,
        place: &Arc<Place>,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
        device: u64,
        depth: usize,
    ) -> bool {
        let logical = join(&place.logical, name);
        if depth + 1 >= DEPTH_MAX {
            let why = format!("lies deeper than {DEPTH_MAX} directories");
            self.shared.tally.unreadable(&logical, &why);
            return false;
        }
        if self.shared.input.one_file_system && stat.st_dev != device {
            // Its mount point is kept, as an empty directory.
            let number = self.number();
            let node = Box::new(bare_node(name, stat));
            let (source, parent) = (at.source, Some(at));
            self.outbox.send(Message::Open { dir: number, source, parent, node });
            self.outbox.send(Going::new(number, self.before(None)).close());
            return true;
        }
        self.waiting.push(Waiting {
            source: at.source,
            root: place.root.clone(),
            relative: join(&place.relative, name),
            logical,
            name: name.to_vec(),
            parent: Some(at),
            previous: before.and_then(|node| node.kind.tree()),
            device,
            depth: depth + 1,
        });
        true
    }

    fn file(
        &mut self,
        at: Spot,
        place: &Arc<Place>,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
    ) -> Result<()> {
        let tally = self.shared.tally;
        let size = stat.st_size as u64;
        tally.files_found.add(1);
        tally.bytes_found.add(size);
        let (group, first) = self.link_group(at, stat, || join(&place.logical, name));
        if let Some(node) = self.unmodified(stat, before)? {
            tally.files_unmodified.add(1);
            let node = Node { link_group: group, ..node };
            tally.of(at.source).entry(&node);
            self.outbox.send(Message::Entry { at, node: Box::new(node) });
            return Ok(());
        }
        let is_known = matches!(before.map(|node| &node.kind), Some(NodeKind::File { .. }));
        if is_known { &tally.files_changed } else { &tally.files_new }.add(1);
        let progress = self.shared.input.progress;
        if progress.names_files() {
            progress.reads(&join(&place.logical, name), is_known);
        }
        if let (Some(group), false) = (group, first) {
            let (name, logical) = (name.to_vec(), join(&place.logical, name));
            self.outbox.send(Message::Follow { at, name, logical, group });
            return Ok(());
        }
        let from = From::Place(place.clone());
        self.batch.items.push(Item { at, name: name.to_vec(), from, link_group: group });
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
    fn link_group(
        &mut self,
        at: Spot,
        stat: &Stat,
        path: impl FnOnce() -> Vec<u8>,
    ) -> (Option<u64>, bool) {
        let names = u64::from(stat.st_nlink as u32);
        if names < 2 {
            return (None, true);
        }
        let key = (stat.st_dev, stat.st_ino);
        if let Some((group, left)) = self.links.get_mut(&key) {
            self.shared.tally.of(at.source).hard_links.add(1);
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

    fn special(&mut self, at: Spot, place: &Arc<Place>, name: &[u8], stat: &Stat) -> Result<bool> {
        let mut node = bare_node(name, stat);
        let logical = join(&place.logical, name);
        let parent = match place.root.open_dir(&place.relative) {
            Ok(parent) => parent,
            Err(error) => {
                self.shared.tally.unreadable(&logical, &error);
                return Ok(false);
            }
        };
        if let NodeKind::Symlink { target } = &mut node.kind {
            match read_link(parent.as_fd(), name) {
                Ok(text) => *target = text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.shared.tally.changed(&logical, "vanished before it was read");
                    return Ok(false);
                }
                Err(error) => {
                    self.shared.tally.unreadable(&logical, &error);
                    return Ok(false);
                }
            }
        }
        match read_attributes_at(parent.as_fd(), name) {
            Ok(list) => node.attributes = self.attributes(at.source, list)?,
            Err(_) => self.shared.tally.attributes_unreadable.add(1),
        }
        self.shared.tally.of(at.source).entry(&node);
        self.outbox.send(Message::Entry { at, node: Box::new(node) });
        Ok(true)
    }

    fn attributes(&mut self, source: SourceNumber, list: Vec<Attribute>) -> Result<Attributes> {
        super::worker::store_attributes(self.shared, &mut self.writer, source, list)
    }

    /// A directory as the parent has it.
    fn before(&self, id: Option<BlobId>) -> Before<'a, BlobReader> {
        let shared: &'a Shared<'a> = self.shared;
        let previous = shared.input.previous.as_ref();
        Before::new(previous.map(|(_, reader)| reader), id)
    }
}
