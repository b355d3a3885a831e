//! Directories of a target, and what is to be done with what is already in them.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::entry::{OWNER_BITS, loosen, loosen_open};
use super::{Run, Sink};
use crate::beneath::{Root, join};
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::source::{Names, open_file, stat_time};
use crate::tree::{Leaves, Node, NodeKind, Piece, read_content};

/// Mode of a directory that only leads somewhere.
const PASSAGE_MODE: u32 = 0o755;

/// Where a directory is: shared by the files in it.
pub(super) struct Place {
    pub(super) root: Arc<Root>,
    pub(super) relative: Vec<u8>,
    pub(super) logical: Vec<u8>,
    /// It was there before this run: other names may be in it.
    pub(super) existed: bool,
}

impl Place {
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        self.root.open_dir(&self.relative)
    }
}

/// A directory of the target.
pub(super) struct Dir {
    pub(super) node: Node,
    pub(super) logical: Vec<u8>,
    parent: Option<usize>,
    relative: Vec<u8>,
    made: Made,
    place: Option<Arc<Place>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Nothing beneath it was wanted so far.
    NotYet,
    ByThisRun,
    Before,
    Failed,
}

impl Dir {
    pub(super) fn root(node: Node, logical: Vec<u8>, existed: bool) -> Self {
        let made = if existed { Made::Before } else { Made::ByThisRun };
        Self { node, logical, parent: None, relative: Vec::new(), made, place: None }
    }

    pub(super) fn beneath(parent: usize, above: &Self, node: Node, logical: Vec<u8>) -> Self {
        let relative = join(&above.relative, &node.name);
        let made = Made::NotYet;
        Self { node, logical, parent: Some(parent), relative, made, place: None }
    }

    pub(super) fn existed(&self) -> bool {
        self.made == Made::Before
    }

    pub(super) fn place(&mut self, root: &Arc<Root>) -> Arc<Place> {
        let existed = self.made == Made::Before;
        let (relative, logical) = (&self.relative, &self.logical);
        let make = || {
            let (relative, logical) = (relative.clone(), logical.clone());
            Arc::new(Place { root: root.clone(), relative, logical, existed })
        };
        self.place.get_or_insert_with(make).clone()
    }
}

/// Names that nobody can foresee.
pub(super) struct TemporaryNames {
    run: u64,
    next: AtomicU64,
}

impl TemporaryNames {
    pub(super) fn new() -> Result<Self> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
        Ok(Self { run: u64::from_le_bytes(bytes), next: AtomicU64::new(0) })
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!(".holdfast-{:016x}-{number:x}", self.run).into_bytes()
    }
}

/// A name in a directory that existed.
pub(super) struct Entry<'e> {
    pub(super) place: &'e Place,
    pub(super) name: &'e [u8],
}

/// What is to be done for an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is in its place: make it exclusively.
    Make,
    /// Something else is in its place: make it under another name and rename.
    Replace,
    /// It is there already; only its metadata is set.
    Keep,
    /// It cannot be done.
    Fail(String),
}

/// Looks at what is in the place of a node that is no directory.
pub(super) fn verdict(entry: &Entry<'_>, node: &Node, sink: &Sink<'_>) -> Result<Verdict> {
    let fail = |error: io::Error| Ok(Verdict::Fail(error.to_string()));
    let dir = match entry.place.open() {
        Ok(dir) => dir,
        Err(error) => return fail(error),
    };
    let stat = match statat(&dir, entry.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        // In a directory that existed others may be at work: a temporary name and a rename there too.
        Err(Errno::NOENT) => return Ok(Verdict::Replace),
        Err(error) => return fail(error.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return match clear_directory(dir.as_fd(), entry.name, sink.options.delete_extra) {
            Ok(()) => Ok(Verdict::Replace),
            Err(error) => fail(error),
        };
    }
    let NodeKind::File { size, .. } = &node.kind else { return Ok(Verdict::Replace) };
    let same = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_size as u64 == *size
        && stat_time(&stat).1 == node.mtime
        && stat.st_nlink as u64 <= 1;
    if !same {
        return Ok(Verdict::Replace);
    }
    if sink.options.verify && !has_content(dir.as_fd(), node, sink)? {
        return Ok(Verdict::Replace);
    }
    Ok(Verdict::Keep)
}

/// Whether a file holds exactly what the node says, by the ids of its chunks.
pub(super) fn has_content(dir: BorrowedFd<'_>, node: &Node, sink: &Sink<'_>) -> Result<bool> {
    let NodeKind::File { size, content } = &node.kind else { return Ok(false) };
    let Ok(opened) = open_file(dir, &node.name) else { return Ok(false) };
    let mut buffer = Vec::new();
    let mut at = 0;
    for piece in read_content(sink.reader, *size, content)? {
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

/// Removes a directory that is in the way: an empty one always, another one only if extra files may go.
pub(super) fn clear_directory(
    dir: BorrowedFd<'_>,
    name: &[u8],
    everything: bool,
) -> io::Result<()> {
    let cleared = match unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY) if everything => remove_all(dir, name).map(drop),
        removed => removed.map_err(io::Error::from),
    };
    cleared.map_err(|error| {
        let why = format!("a directory is in its place that holds other files: {error}");
        io::Error::new(error.kind(), why)
    })
}

/// Removes an entry with everything beneath it and counts what it removed. Links are removed, not followed.
fn remove_all(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<u64> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) => return Ok(1),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = openat(dir, name, flags, Mode::empty())?;
    let mut count = 0;
    for name in Names::list(inner.as_fd())?.iter() {
        count += remove_all(inner.as_fd(), name)?;
    }
    unlinkat(dir, name, AtFlags::REMOVEDIR)?;
    Ok(count + 1)
}

impl Run<'_, '_> {
    /// Makes a directory and those above it. False when that failed; it is in the figures then.
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
                Made::Failed => return Ok(false),
                Made::ByThisRun | Made::Before => continue,
            }
            let parent = self.dirs[number].parent.map(|parent| self.dirs[parent].relative.clone());
            let made = self.make_one(&self.dirs[number], &parent.unwrap_or_default());
            let made = match made {
                Ok(made) => made,
                Err(error) => {
                    self.sink.fatal(&self.dirs[number].logical, &error)?;
                    self.sink.tally.failed(&self.dirs[number].logical, &error);
                    Made::Failed
                }
            };
            self.dirs[number].made = made;
            if made == Made::Failed {
                return Ok(false);
            }
        }
        Ok(self.dirs[number].made != Made::Failed)
    }

    fn make_one(&self, dir: &Dir, parent: &[u8]) -> io::Result<Made> {
        let above = self.root.open_dir(parent)?;
        let name = &dir.node.name[..];
        let mode = Mode::from_raw_mode(OWNER_BITS);
        match mkdirat(&above, name, mode) {
            Ok(()) => return Ok(Made::ByThisRun),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let stat = statat(&above, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            // A file or a link is in the way: it goes, and is never followed.
            unlinkat(&above, name, AtFlags::empty())?;
            mkdirat(&above, name, mode)?;
            return Ok(Made::ByThisRun);
        }
        let fd = match self.root.open_dir(&dir.relative) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                loosen(above.as_fd(), name, OWNER_BITS).map_err(|_| error)?;
                self.root.open_dir(&dir.relative)?
            }
            opened => opened?,
        };
        // The mode of the snapshot follows at the end.
        loosen_open(fd.as_fd())?;
        Ok(Made::Before)
    }

    /// Removes what the snapshot does not hold. Excluded names stay.
    ///
    /// # Errors
    /// When the directory cannot be read in the snapshot: then nothing is removed.
    pub(super) fn delete_extra(&self, number: usize, tree: &BlobId, included: bool) -> Result<()> {
        let dir = &self.dirs[number];
        let mut keep: HashSet<Vec<u8>> = HashSet::new();
        for leaf in Leaves::new(self.sink.reader, tree) {
            keep.extend(leaf?.nodes.into_iter().map(|node| node.name));
        }
        let opened = self.root.open_dir(&dir.relative);
        let names = opened.and_then(|fd| Ok((Names::list(fd.as_fd())?, fd)));
        let (names, fd) = match names {
            Ok(found) => found,
            Err(error) => {
                self.sink.tally.failed(&dir.logical, &error);
                return Ok(());
            }
        };
        for name in names.iter() {
            let path = join(&dir.logical, name);
            let chosen =
                !self.sink.matcher.excludes(&path) && self.sink.matcher.includes(&path, included);
            if keep.contains(name) || !chosen {
                continue;
            }
            match remove_all(fd.as_fd(), name) {
                Ok(count) => self.sink.tally.add(|figures| figures.deleted += count),
                Err(error) => self.sink.tally.failed(&path, &error),
            }
        }
        Ok(())
    }

    /// Gives a directory its metadata, once everything in it is there.
    pub(super) fn directory_metadata(&self, dir: &Dir) {
        if matches!(dir.made, Made::NotYet | Made::Failed) {
            return;
        }
        if matches!(dir.node.kind, NodeKind::Passage { .. }) {
            if dir.made == Made::ByThisRun && dir.parent.is_some() {
                self.opened_up(dir);
            }
            return;
        }
        match self.root.open_dir(&dir.relative) {
            Ok(fd) => {
                let settled = self.sink.settle(fd.as_fd(), &dir.node, !dir.existed());
                self.sink.note(&settled, || dir.logical.clone());
                self.sink.tally.done(&dir.node);
            }
            Err(error) => self.sink.tally.failed(&dir.logical, &error),
        }
    }

    /// A directory that only leads somewhere gets the usual mode, and nothing else.
    fn opened_up(&self, dir: &Dir) {
        // Not that of its node, which nobody's directory has had and which may say anything.
        let mode = Mode::from_raw_mode(PASSAGE_MODE);
        let done = self.root.open_dir(&dir.relative).and_then(|fd| Ok(fchmod(&fd, mode)?));
        if let Err(error) = done {
            self.sink.tally.failed(&dir.logical, &error);
        }
    }
}

impl Sink<'_> {
    /// Errors that concern the whole target end the restore.
    pub(super) fn fatal(&self, logical: &[u8], error: &io::Error) -> Result<()> {
        let again = match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem => io::Error::from(error.kind()),
            _ => return Ok(()),
        };
        Err(Error::Target { path: crate::report::printable(logical), source: again })
    }
}
