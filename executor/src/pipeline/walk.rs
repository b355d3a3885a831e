//! The walk: lists directories in order, compares each entry with the parent's, and hands on what must be read.
//!
//! It runs on one thread, so that the order in which names are seen, and with it the first name of a group of
//! hard links, never depends on anything else.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustix::fs::{FileType, Stat};

use super::batch::{
    BATCH_BYTES, BATCH_ENTRIES, Batch, DirNumber, From, Item, Message, Place, Spot,
};
use super::before::{Before, Going};
use super::sources::{Prior, Site, SourceRoot, Within, unreadable};
use super::{Outbox, Shared};
use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::Result;
use crate::repo::{BlobReader, BlobWriter};
use crate::source::{
    Children, Found, Names, Planned, SourceNumber, Trust, bare_node, is_mounted, leave_markers,
    leave_no_trace, read_attributes_at, read_attributes_of, read_link, stat_entry, stat_time,
};
use crate::trail::Trail;
use crate::tree::{
    Attributes, Content, DEPTH_MAX, Node, NodeKind, Piece, Pieces, Time, check_name,
};

/// Mode of a directory that only leads to sources.
pub(super) const PASSAGE_MODE: u32 = 0o755;

/// What is said of an entry that is not there any more.
const VANISHED: &str = "vanished before it was read";

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
            trusts: HashMap::new(),
            roots: Vec::new(),
        };
        match &shared.input.previous {
            None => walk.everything(None),
            Some((id, reader)) => reader.reading_ahead(|| walk.everything(Some(*id))),
        }?;
        walk.send_batch();
        walk.writer.finish()
    });
    if let Err(error) = result {
        shared.fail(error);
    }
}

/// A directory that waits for its turn.
pub(super) struct Waiting<'a> {
    pub(super) source: SourceNumber,
    pub(super) root: Arc<Root>,
    pub(super) trail: Arc<Trail>,
    pub(super) name: Vec<u8>,
    pub(super) parent: Option<Spot>,
    pub(super) previous: Option<BlobId>,
    /// Device of the root, where other file systems are left out.
    pub(super) device: u64,
    pub(super) depth: usize,
    /// Sources that have their places in it.
    pub(super) nested: Option<&'a Children>,
    /// It is left out itself, and only leads to those.
    pub(super) only_leads: bool,
}

pub(super) struct Walk<'a> {
    pub(super) shared: &'a Shared<'a>,
    batches: Sender<Batch>,
    pub(super) outbox: Outbox,
    pub(super) batch: Batch,
    /// For large attributes of what is never opened.
    writer: BlobWriter,
    /// Group of each inode with several names that was seen, and names that are still to come.
    links: HashMap<(u64, u64), (u64, u64)>,
    next: DirNumber,
    pub(super) waiting: Vec<Waiting<'a>>,
    /// What is known about each device that was seen.
    trusts: HashMap<u64, Trust>,
    /// Directories that are sources.
    pub(super) roots: Vec<SourceRoot>,
}

impl<'a> Walk<'a> {
    pub(super) fn number(&mut self) -> DirNumber {
        self.next += 1;
        self.next
    }

    /// Goes on until no more directories wait than there were.
    pub(super) fn drain(&mut self, before: usize) -> Result<()> {
        while self.waiting.len() > before
            && let Some(waiting) = self.waiting.pop()
        {
            if self.shared.stopped() {
                return Ok(());
            }
            self.directory(waiting)?;
        }
        Ok(())
    }

    fn directory(&mut self, waiting: Waiting<'a>) -> Result<()> {
        let tally = self.shared.tally;
        let opened = waiting.root.open_dir(&waiting.trail.relative()).and_then(|fd| {
            leave_no_trace(&fd);
            let stat = rustix::fs::fstat(&fd)?;
            let (names, failure) = match waiting.only_leads {
                true => (Names::default(), None),
                false => Names::list_some(fd.as_fd())?,
            };
            match failure {
                Some(error) if names.is_empty() => Err(error),
                // It was removed while it was open, and has no entries any more.
                None if names.is_empty() && stat.st_nlink == 0 => {
                    Err(std::io::ErrorKind::NotFound.into())
                }
                failure => Ok((fd, stat, names, failure)),
            }
        });
        let (fd, stat, mut names, failure) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.not_listed(waiting, error),
        };
        // What a killed restore has left is nobody's data.
        names.retain(|name| !crate::sink::is_leftover(name));
        if let Some(error) = failure {
            let why = format!("only some of its entries could be listed: {error}");
            tally.unreadable(&waiting.trail.logical(), &why);
        }
        tally.excluded.add(leave_markers(&self.shared.input.markers, fd.as_fd(), &mut names));
        let dir = self.number();
        let mut node = bare_node(&waiting.name, &stat);
        if waiting.parent.is_none() {
            // The root of a snapshot has no entry that could keep its metadata.
            node = Node::bare(b"", node.kind, PASSAGE_MODE, Time::default());
        } else {
            let found = read_attributes_of(fd.as_fd());
            self.keep_attributes(waiting.source, || waiting.trail.logical(), found, &mut node)?;
        }
        let (source, parent) = (waiting.source, waiting.parent);
        self.outbox.send(Message::Open { dir, source, parent, node: Box::new(node) });
        let trust = self.trust(fd.as_fd(), stat.st_dev);
        let going = Going::new(dir, self.before(waiting.previous));
        let first_child = self.waiting.len();
        self.entries(waiting, fd.as_fd(), names, trust, going)?;
        // The last one pushed is the next one taken.
        self.waiting[first_child..].reverse();
        Ok(())
    }

    /// A directory that cannot be opened, or of which nothing can be listed.
    fn not_listed(&mut self, waiting: Waiting<'a>, error: std::io::Error) -> Result<()> {
        let Waiting { source, trail, name, parent, previous, nested, .. } = waiting;
        let logical = trail.logical();
        if trail.is_top() {
            // A root that cannot be listed is no partial backup of the source but none.
            let error = unreadable(Path::new(OsStr::from_bytes(&logical)), error);
            let place = Site { name: &name, logical: &logical, at: parent };
            let prior = Prior { tree: previous, node: None };
            return self.lose_source(source, error, nested, place, prior);
        }
        if error.kind() == std::io::ErrorKind::NotFound {
            self.shared.tally.changed(&logical, VANISHED);
        } else {
            self.shared.tally.unreadable(&logical, &error);
        }
        let place = Site { name: &name, logical: &logical, at: parent };
        self.lose(nested, place, Prior { tree: previous, node: None })
    }

    fn entries(
        &mut self,
        waiting: Waiting<'a>,
        fd: BorrowedFd<'_>,
        names: Names,
        trust: Trust,
        mut going: Going<'a, BlobReader>,
    ) -> Result<()> {
        let Waiting { source, root, trail, nested, device, depth, .. } = waiting;
        let names =
            names.with(nested.into_iter().flat_map(|nested| nested.keys().map(Vec::as_slice)));
        let logical = trail.logical();
        let place = Arc::new(Place { root, trail, trust });
        let within = Within { place: &place, device, depth };
        for name in names.iter() {
            if let Some(child) = nested.and_then(|nested| nested.get(name)) {
                let nobody = self.shared.tally.nobody();
                let whose = match child {
                    Planned::Passage(_) => source,
                    child => child.source().unwrap_or(nobody),
                };
                let at = going.spot(whose, self.ends_page(name));
                let before = Prior::of(going.before.find(name));
                self.nested(child, within, fd, name, at, before)?;
                self.count(&mut going, name, at);
                continue;
            }
            let Some(stat) = self.wanted(fd, &logical, name) else { continue };
            let at = going.spot(source, self.ends_page(name));
            let before = going.before.find(name);
            if self.entry(at, within, name, &stat, before)? {
                self.count(&mut going, name, at);
            }
        }
        self.outbox.send(going.close());
        Ok(())
    }

    /// What a name stands for, if it is to be in the snapshot.
    fn wanted(&self, fd: BorrowedFd<'_>, dir: &[u8], name: &[u8]) -> Option<Stat> {
        let tally = self.shared.tally;
        let logical = || join(dir, name);
        let exclude = &self.shared.input.exclude;
        if !exclude.is_empty() && exclude.matches(&logical()) {
            tally.excluded.add(1);
            return None;
        }
        if let Err(error) = check_name(name) {
            tally.unreadable(&logical(), &error);
            return None;
        }
        match stat_entry(fd, name) {
            Ok(Some(stat)) if self.is_too_large(&stat) => {
                tally.excluded.add(1);
                None
            }
            Ok(Some(stat)) => Some(stat),
            Ok(None) => {
                tally.changed(&logical(), VANISHED);
                None
            }
            // What is mounted there is no part of this file system, whether it answers or not.
            Err(_) if self.shared.input.one_file_system && is_mounted(fd, name) => {
                tally.excluded.add(1);
                None
            }
            Err(error) => {
                tally.unreadable(&logical(), &error);
                None
            }
        }
    }

    fn trust(&mut self, fd: BorrowedFd<'_>, device: u64) -> Trust {
        *self.trusts.entry(device).or_insert_with(|| Trust::of(fd, device))
    }

    fn is_too_large(&self, stat: &Stat) -> bool {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_size as u64 > self.shared.input.largest
    }

    /// One entry; returns whether the builder will hear of it.
    fn entry(
        &mut self,
        at: Spot,
        within: Within<'_>,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
    ) -> Result<bool> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(self.subdirectory(at, within, name, stat, before, None)),
            FileType::RegularFile => self.file(at, within.place, name, stat, before).map(|()| true),
            _ => self.special(at, within.place, name, stat),
        }
    }

    pub(super) fn ends_page(&self, name: &[u8]) -> bool {
        self.shared.input.keys.ends_tree_page(name)
    }

    /// The builder will hear of an entry.
    pub(super) fn count(&mut self, going: &mut Going<'_, BlobReader>, name: &[u8], at: Spot) {
        if let Some(end) = going.count(name, at) {
            self.outbox.send(end);
        }
    }

    pub(super) fn subdirectory(
        &mut self,
        at: Spot,
        within: Within<'_>,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
        leads_to: Option<(&'a Children, bool)>,
    ) -> bool {
        let place = within.place;
        if within.depth + 1 >= DEPTH_MAX {
            let why = format!("lies deeper than {DEPTH_MAX} directories");
            self.shared.tally.unreadable(&place.trail.join(name), &why);
            return false;
        }
        let elsewhere = self.shared.input.one_file_system && stat.st_dev != within.device;
        if elsewhere && leads_to.is_none() {
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
            trail: Trail::beneath(&place.trail, name),
            name: name.to_vec(),
            parent: Some(at),
            previous: before.and_then(|node| node.kind.tree()),
            device: within.device,
            depth: within.depth + 1,
            nested: leads_to.map(|(children, _)| children),
            only_leads: leads_to.is_some_and(|(_, only)| only || elsewhere),
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
        let from = From::Place(place.clone());
        let logical = || place.trail.join(name);
        let found = || {
            let parent = place.root.open_dir(&place.trail.relative())?;
            Ok(read_attributes_at(parent.as_fd(), name))
        };
        self.regular(at, name, stat, before, place.trust, logical, from, found)
    }

    /// A regular file, wherever its bytes come from. `attributes` reads them without opening it.
    #[allow(clippy::too_many_arguments)] // they are the state of one step of the walk
    pub(super) fn regular(
        &mut self,
        at: Spot,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
        trust: Trust,
        logical: impl Fn() -> Vec<u8>,
        from: From,
        attributes: impl FnOnce() -> std::io::Result<Found>,
    ) -> Result<()> {
        let tally = self.shared.tally;
        let size = stat.st_size.max(0) as u64;
        tally.files_found.add(1);
        tally.bytes_found.add(size);
        let (group, first) = self.link_group(at, stat, &logical);
        if let Some(node) = self.unmodified(name, stat, before, trust, &logical, attributes)? {
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
            progress.reads(&logical(), is_known);
        }
        if let (Some(group), false) = (group, first) {
            let (name, logical) = (name.to_vec(), logical());
            self.outbox.send(Message::Follow { at, name, logical, group });
            return Ok(());
        }
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
    fn unmodified(
        &mut self,
        name: &[u8],
        stat: &Stat,
        before: Option<&Node>,
        trust: Trust,
        logical: &impl Fn() -> Vec<u8>,
        attributes: impl FnOnce() -> std::io::Result<Found>,
    ) -> Result<Option<Node>> {
        let Some(before) = before else { return Ok(None) };
        let NodeKind::File { size, content } = &before.kind else { return Ok(None) };
        let reading = self.shared.input.reading;
        let (ctime, mtime) = stat_time(stat);
        let exact = before.ctime == ctime && before.inode == stat.st_ino;
        let same = *size == stat.st_size.max(0) as u64
            && before.mtime == mtime
            && (before.ctime == ctime || reading.ignore_ctime || reading.ignore_inode)
            && (before.inode == stat.st_ino || reading.ignore_inode)
            && !before.racy;
        if !same {
            return Ok(None);
        }
        if !trust.times && !reading.ignore_ctime && !reading.ignore_inode {
            self.shared.tally.files_distrusted.add(1);
            return Ok(None);
        }
        if !self.is_stored(before, *size, content) {
            return Ok(None);
        }
        if exact {
            return Ok(Some(before.clone()));
        }
        // The content is believed to be the same; all else may have changed with the time that is ignored.
        let Ok(found) = attributes() else { return Ok(None) };
        let mut now = bare_node(name, stat);
        now.kind = before.kind.clone();
        let source = self.shared.tally.nobody();
        self.keep_attributes(source, logical, found, &mut now)?;
        Ok(Some(now))
    }

    /// Whether everything that the parent's file needs is stored.
    fn is_stored(&self, before: &Node, size: u64, content: &Content) -> bool {
        let dedup = self.shared.input.session.dedup();
        let is_known = |piece: &Piece| match piece {
            Piece::Chunk { id, .. } => dedup.rely(id),
            Piece::Hole { .. } => true,
        };
        let known = match (content, self.shared.input.previous.as_ref()) {
            (Content::Pieces(pieces), _) => pieces.iter().all(is_known),
            // When its lists cannot be read it is read again.
            (Content::Lists(ids), Some((_, reader))) => {
                ids.iter().all(|id| dedup.rely(id))
                    && Pieces::new(reader, size, content)
                        .all(|piece| piece.is_ok_and(|piece| is_known(&piece)))
            }
            (Content::Lists(_), None) => false,
        };
        let attributes_known = match &before.attributes {
            Attributes::Blob(id) => dedup.rely(id),
            _ => true,
        };
        if !known || !attributes_known {
            return false;
        }
        let blobs = match content {
            Content::Pieces(pieces) => pieces.len(),
            Content::Lists(ids) => ids.len(),
        };
        self.shared.tally.blobs_reused.add(blobs as u64);
        true
    }

    fn special(&mut self, at: Spot, place: &Arc<Place>, name: &[u8], stat: &Stat) -> Result<bool> {
        let mut node = bare_node(name, stat);
        let logical = place.trail.join(name);
        let parent = match place.root.open_dir(&place.trail.relative()) {
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
                    self.shared.tally.changed(&logical, VANISHED);
                    return Ok(false);
                }
                // So it is with a name that is no link any more.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                    self.shared.tally.changed(&logical, "is no link any more");
                    return Ok(false);
                }
                Err(error) => {
                    self.shared.tally.unreadable(&logical, &error);
                    return Ok(false);
                }
            }
        }
        let found = read_attributes_at(parent.as_fd(), name);
        self.keep_attributes(at.source, || logical, found, &mut node)?;
        self.shared.tally.of(at.source).entry(&node);
        self.outbox.send(Message::Entry { at, node: Box::new(node) });
        Ok(true)
    }

    fn keep_attributes(
        &mut self,
        source: SourceNumber,
        logical: impl FnOnce() -> Vec<u8>,
        found: Found,
        node: &mut Node,
    ) -> Result<()> {
        let writer = &mut self.writer;
        super::worker::keep_attributes(self.shared, writer, source, logical, found, node)
    }

    /// A directory as the parent has it.
    pub(super) fn before(&self, id: Option<BlobId>) -> Before<'a, BlobReader> {
        let shared: &'a Shared<'a> = self.shared;
        let previous = shared.input.previous.as_ref();
        Before::new(previous.map(|(_, reader)| reader), id)
    }
}
