//! Directories of a target, and what is to be done with what is already in them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, fchmod, renameat, unlinkat};
use rustix::io::Errno;

use super::entry::{OWNER_BITS, loosen, loosen_open, make_directory};
use super::leaves::is_same;
use super::metadata::Origin;
use super::mounts::{MOUNTED_FILE, explain, link_in_the_way};
use super::names::{Seen, see, taken};
use super::remove::Removal;
use super::{Run, Sink};
use crate::beneath::Root;
use crate::digest::Kind;
use crate::error::Result;
use crate::repo::BlobReader;
use crate::source::{Names, open_file, read_link};
use crate::trail::Trail;
use crate::tree::{Leaves, Node, NodeKind, Piece, Pieces};

/// What is said of a directory where the snapshot has something else.
pub(super) const OTHER_FILES: &str = "a directory is in its place that holds other files";

/// What is said of one that holds what no deletion removes.
const SPARED_FILES: &str = "a directory is in its place that holds what --delete leaves alone";

/// Where a directory is: shared by the files in it.
pub(super) struct Place {
    pub(super) root: Arc<Root>,
    pub(super) trail: Arc<Trail>,
    /// It was there before this run: other names may be in it.
    pub(super) existed: bool,
}

impl Place {
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        self.root.open_dir(&self.trail.relative())
    }

    /// The path of something in it, in the snapshot.
    pub(super) fn join(&self, name: &[u8]) -> Vec<u8> {
        self.trail.join(name)
    }
}

/// A directory of the target.
pub(super) struct Dir {
    pub(super) node: Node,
    pub(super) trail: Arc<Trail>,
    pub(super) parent: Option<usize>,
    made: Made,
    /// It was chosen itself, or lies beneath what was.
    pub(super) included: bool,
    /// What it had before its owner's bits were added.
    mode_before: Option<u32>,
    place: Option<Arc<Place>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Nothing beneath it was wanted so far.
    NotYet,
    ByThisRun,
    Before,
    Failed,
    /// It is another target of the same restore, or a mount point that is kept as an empty directory.
    Elsewhere,
}

impl Dir {
    pub(super) fn root(node: Node, logical: &[u8], existed: bool, included: bool) -> Self {
        let made = if existed { Made::Before } else { Made::ByThisRun };
        let (parent, mode_before, place) = Default::default();
        Self { node, trail: Trail::top(logical), parent, made, included, mode_before, place }
    }

    pub(super) fn beneath(parent: usize, above: &Self, node: Node, included: bool) -> Self {
        let trail = Trail::beneath(&above.trail, &node.name);
        let (made, parent) = (Made::NotYet, Some(parent));
        let (mode_before, place) = Default::default();
        Self { node, trail, parent, made, included, mode_before, place }
    }

    /// Its path in the snapshot.
    pub(super) fn logical(&self) -> Vec<u8> {
        self.trail.logical()
    }

    /// Its path from the topmost directory.
    pub(super) fn relative(&self) -> Vec<u8> {
        self.trail.relative()
    }

    /// It is there, by this run or before.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.made, Made::ByThisRun | Made::Before)
    }

    pub(super) fn existed(&self) -> bool {
        self.made == Made::Before
    }

    pub(super) fn place(&mut self, root: &Arc<Root>) -> Arc<Place> {
        let existed = self.made == Made::Before;
        let trail = &self.trail;
        let make = || Arc::new(Place { root: root.clone(), trail: trail.clone(), existed });
        self.place.get_or_insert_with(make).clone()
    }
}

/// What is to be done for an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The directory is one of this run: make it exclusively.
    Make,
    /// Nothing is in its place, in a directory where others may be at work: make it under another name, and
    /// give it its own where nobody has taken that meanwhile.
    Add,
    /// Something else is in its place: make it under another name and rename.
    Replace,
    /// It is there already; only its metadata is set.
    Keep,
    /// It cannot be done.
    Fail(String),
}

/// What is to be done for a node that is no directory, given what is in its place. `trail` is that of the directory.
pub(super) fn verdict(
    sink: &Sink<'_>,
    root: &Root,
    dir: &OwnedFd,
    node: &Node,
    seen: Option<&Seen>,
    trail: &Trail,
) -> Result<Verdict> {
    let Some(seen) = seen else { return Ok(Verdict::Add) };
    if seen.kind == FileType::Directory {
        return Ok(match may_be_cleared(sink, root, dir, &node.name, trail) {
            Ok(()) => Verdict::Replace,
            Err(error) => Verdict::Fail(explain(&error)),
        });
    }
    if seen.mounted && !sink.options.across_mounts {
        return Ok(Verdict::Fail(MOUNTED_FILE.to_owned()));
    }
    let same = match &node.kind {
        NodeKind::File { size, .. } => {
            seen.kind == FileType::RegularFile
                && seen.size == *size
                && seen.mtime == node.mtime
                && seen.links <= 1
                && (!sink.options.verify || has_content(dir.as_fd(), node, sink)?)
        }
        _ => is_same(dir, node),
    };
    Ok(if same { Verdict::Keep } else { Verdict::Replace })
}

/// Whether a directory that is in the way may go: an empty one always, another one only if extra files may go, and
/// none that holds what stays. Otherwise a part of it went, and nothing took its place.
fn may_be_cleared(
    sink: &Sink<'_>,
    root: &Root,
    dir: &OwnedFd,
    name: &[u8],
    trail: &Trail,
) -> io::Result<()> {
    let inner = root.open_child(dir.as_fd(), name, true)?;
    if Names::list(inner.as_fd())?.is_empty() {
        return Ok(());
    }
    if !sink.options.delete_extra {
        return Err(io::Error::other(OTHER_FILES));
    }
    let path = trail.join(name);
    let removed = Removal::new(root, sink, true).run(dir.as_fd(), name, &path);
    // What is closed to its owner is opened only when it goes: a refusal here says nothing.
    let stays = removed.refused.is_empty() && removed.whole != [path];
    if stays { Err(io::Error::other(SPARED_FILES)) } else { Ok(()) }
}

/// Whether a file holds exactly what the node says, by the ids of its chunks.
pub(super) fn has_content(dir: BorrowedFd<'_>, node: &Node, sink: &Sink<'_>) -> Result<bool> {
    let NodeKind::File { size, content } = &node.kind else { return Ok(false) };
    let Ok(opened) = open_file(dir, &node.name) else { return Ok(false) };
    let mut buffer = Vec::new();
    let mut at = 0;
    for piece in Pieces::new(sink.reader, *size, content) {
        let piece = piece?;
        let holds = match &piece {
            Piece::Chunk { id, len } => {
                // No chunk is larger than the largest blob.
                if *len > crate::limits::BLOB_MAX_BYTES as u64 {
                    return Ok(false);
                }
                buffer.resize(*len as usize, 0);
                opened.read_at(&mut buffer, at).is_ok_and(|got| got as u64 == *len)
                    && sink.keys.blob_id(Kind::Data, &buffer) == *id
            }
            Piece::Hole { len } => is_zero(&opened, at, *len),
        };
        if !holds {
            return Ok(false);
        }
        at += piece.len();
    }
    Ok(true)
}

fn is_zero(opened: &crate::source::OpenedFile, from: u64, len: u64) -> bool {
    const STEP: u64 = 1024 * 1024;
    let mut buffer = vec![0; STEP.min(len) as usize];
    let mut at = from;
    while at < from + len {
        let step = (from + len - at).min(STEP) as usize;
        let whole = opened.read_at(&mut buffer[..step], at).is_ok_and(|got| got == step);
        if !whole || buffer[..step].iter().any(|byte| *byte != 0) {
            return false;
        }
        at += step as u64;
    }
    true
}

impl Run<'_, '_> {
    /// Makes a directory and those above it. False when that failed, which is in the figures then, or when it
    /// is not this run's to fill.
    pub(super) fn make(&mut self, number: usize) -> Result<bool> {
        let mut chain = vec![number];
        while let Some(parent) = self.dirs[chain[chain.len() - 1]].parent
            && self.dirs[parent].made == Made::NotYet
        {
            chain.push(parent);
        }
        for number in chain.into_iter().rev() {
            match self.dirs[number].made {
                Made::NotYet => {}
                Made::Failed | Made::Elsewhere => return Ok(false),
                Made::ByThisRun | Made::Before => continue,
            }
            let made = match self.make_one(number) {
                Ok(made) => made,
                Err(error) => {
                    self.sink.fatal(&self.root, &self.dirs[number].logical(), &error)?;
                    self.sink.tally.failed(&self.dirs[number].logical(), &explain(&error));
                    Made::Failed
                }
            };
            self.dirs[number].made = made;
            if matches!(made, Made::Failed | Made::Elsewhere) {
                return Ok(false);
            }
        }
        Ok(!matches!(self.dirs[number].made, Made::Failed | Made::Elsewhere))
    }

    fn make_one(&mut self, number: usize) -> io::Result<Made> {
        let dir = &self.dirs[number];
        let parent = dir.parent.unwrap_or_default();
        let above = self.root.open_dir(&self.dirs[parent].relative())?;
        match make_directory(above.as_fd(), &dir.node.name) {
            Ok(()) => {
                let name = &self.dirs[number].node.name;
                if let Some(known) = self.listings.known(parent) {
                    known.made(name);
                }
                Ok(Made::ByThisRun)
            }
            Err(Errno::EXIST) => self.existing(number, parent, &above),
            Err(error) => Err(error.into()),
        }
    }

    /// Something is where a directory should be.
    fn existing(&mut self, number: usize, parent: usize, above: &OwnedFd) -> io::Result<Made> {
        let name = self.dirs[number].node.name.clone();
        if self.dirs[parent].made == Made::ByThisRun {
            let other = see(above, &name)?.is_some_and(|seen| self.sink.is_other_root(&seen));
            return if other { Ok(Made::Elsewhere) } else { Err(taken()) };
        }
        let tree = self.dirs[parent].node.kind.tree();
        let trail = &self.dirs[parent].trail;
        let known = self.listings.of(&self.root, parent, trail)?;
        let Some(seen) = known.look(self.sink.reader, tree.as_ref(), &name)? else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        if self.sink.is_other_root(&seen) {
            return Ok(Made::Elsewhere);
        }
        let dir = &self.dirs[number];
        if seen.kind == FileType::Directory {
            return self.enter(number, above, seen.mode);
        }
        may_become_directory(self.sink, &dir.node, &seen, above)?;
        // Made aside first: where there is no room for it, nothing is lost.
        let temporary = self.sink.temporary.name();
        make_directory(above.as_fd(), &temporary)?;
        let placed = unlinkat(above, &name[..], AtFlags::empty())
            .and_then(|()| renameat(above, &temporary[..], above, &name[..]));
        if placed.is_err() {
            let _ = unlinkat(above, &temporary[..], AtFlags::REMOVEDIR);
        }
        placed?;
        Ok(Made::ByThisRun)
    }

    /// A directory that was there.
    fn enter(&mut self, number: usize, above: &OwnedFd, had: u32) -> io::Result<Made> {
        let dir = &self.dirs[number];
        let fd = match self.root.open_dir(&dir.relative()) {
            // A mount point is kept as an empty directory: it is there, and nothing belongs into it.
            Err(error)
                if error.kind() == io::ErrorKind::CrossesDevices
                    && is_empty(self.sink.reader, &dir.node) =>
            {
                return Ok(Made::Elsewhere);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                loosen(above.as_fd(), &dir.node.name, OWNER_BITS).map_err(|_| error)?;
                self.root.open_dir(&dir.relative())?
            }
            opened => opened?,
        };
        // The mode of the snapshot follows at the end; that of a passage comes back.
        loosen_open(fd.as_fd())?;
        if matches!(dir.node.kind, NodeKind::Passage { .. }) && had & OWNER_BITS != OWNER_BITS {
            self.dirs[number].mode_before = Some(had);
        }
        self.clear_leftovers(number)?;
        Ok(Made::Before)
    }

    /// Removes what dead runs have left in a directory that existed. Nothing is ever written aside in one that
    /// only leads to data.
    pub(super) fn clear_leftovers(&mut self, number: usize) -> io::Result<()> {
        if matches!(self.dirs[number].node.kind, NodeKind::Passage { .. }) && number > 0 {
            return Ok(());
        }
        let trail = &self.dirs[number].trail;
        let known = self.listings.of(&self.root, number, trail)?;
        self.company.clear(known.fd.as_fd(), &known.names);
        Ok(())
    }

    /// Gives a directory its metadata, once everything in it is there.
    pub(super) fn directory_metadata(&self, dir: &Dir) {
        if matches!(dir.made, Made::NotYet | Made::Failed | Made::Elsewhere) {
            return;
        }
        if matches!(dir.node.kind, NodeKind::Passage { .. }) {
            // One that this run made stays its owner's alone: what it was where the data comes from nobody
            // knows, and beneath a private directory files may well be readable for all.
            if let Some(mode) = dir.mode_before {
                let done = self
                    .root
                    .open_dir(&dir.relative())
                    .and_then(|fd| Ok(fchmod(&fd, Mode::from_raw_mode(mode))?));
                if let Err(error) = done {
                    self.sink.tally.listed(&dir.logical(), &error);
                }
            }
            return;
        }
        match self.root.open_dir(&dir.relative()) {
            Ok(fd) => {
                let settled = self.sink.settle(fd.as_fd(), &dir.node, Origin::of(!dir.existed()));
                self.sink.note(&settled, || dir.logical());
                self.sink.tally.done(&dir.node);
            }
            Err(error) => self.sink.tally.failed(&dir.logical(), &error),
        }
    }
}

/// Whether something that is no directory may go for one.
pub(super) fn may_become_directory(
    sink: &Sink<'_>,
    node: &Node,
    seen: &Seen,
    above: &OwnedFd,
) -> io::Result<()> {
    let is_data = matches!(node.kind, NodeKind::Directory { .. });
    if seen.kind == FileType::Symlink && !(is_data && sink.options.delete_extra) {
        let target = read_link(above.as_fd(), &node.name)?;
        return Err(link_in_the_way(&target, is_data));
    }
    if !is_data {
        let why = "a file is in the place of a directory that only leads to what was backed up";
        return Err(io::Error::other(why));
    }
    Ok(())
}

/// Whether a directory of the snapshot holds nothing.
pub(super) fn is_empty(reader: &BlobReader, node: &Node) -> bool {
    node.kind.tree().is_some_and(|tree| {
        Leaves::new(reader, &tree).all(|leaf| leaf.is_ok_and(|leaf| leaf.nodes.is_empty()))
    })
}
