//! Names that a target cannot tell apart: by case, by normalisation, by what it cuts off their end.
//!
//! A name that is found, and that the listing of its directory does not have byte for byte, is another name's.
//! Nothing is asked of a directory that this run made: there, whatever is in the way of an exclusive creation
//! is what this run has put there under another name.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, StatxAttributes, StatxFlags, fstat, makedev, statat, statx};
use rustix::io::Errno;

use crate::beneath::Root;
use crate::digest::BlobId;
use crate::repo::BlobReader;
use crate::source::{Names, stat_time};
use crate::trail::Trail;
use crate::tree::{Leaves, Time};

/// Directories whose listings are kept, for those that are made late.
const KEPT: usize = 8;

/// Bytes of listings that are kept; the newest is kept however large it is.
const KEPT_BYTES: usize = 64 << 20;

/// All that a mode can say beside the type.
const MODE_BITS: u32 = 0o7777;

/// What is said of a name that is another one for the target.
const TAKEN: &str = "the target takes this name for that of another entry, which is there: restore it to another place";

/// The same as an error.
pub(super) fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, TAKEN)
}

/// What an exclusive creation in a directory of this run answers where the name is taken.
pub(super) fn of_creation(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => taken(),
        _ => error,
    }
}

/// Something that is in a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) kind: FileType,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) mtime: Time,
    pub(super) links: u64,
    pub(super) identity: (u64, u64),
    /// Something is mounted on it.
    pub(super) mounted: bool,
}

/// Looks at a name of a directory; nothing where it is not there.
pub(super) fn see(dir: &OwnedFd, name: &[u8]) -> io::Result<Option<Seen>> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match statx(dir, name, flags, StatxFlags::BASIC_STATS) {
        Ok(found) => Ok(Some(Seen {
            kind: FileType::from_raw_mode(found.stx_mode.into()),
            size: found.stx_size,
            mode: u32::from(found.stx_mode) & MODE_BITS,
            mtime: Time { seconds: found.stx_mtime.tv_sec, nanos: found.stx_mtime.tv_nsec },
            links: found.stx_nlink.into(),
            identity: (makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino),
            mounted: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::NOSYS) => match statat(dir, name, flags) {
            Ok(stat) => Ok(Some(Seen {
                kind: FileType::from_raw_mode(stat.st_mode),
                size: stat.st_size as u64,
                mode: stat.st_mode & MODE_BITS,
                mtime: stat_time(&stat).1,
                links: stat.st_nlink,
                identity: (stat.st_dev, stat.st_ino),
                mounted: false,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Which directory an open one is, in the terms of [`see`].
pub(super) fn identity(dir: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    match statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS) {
        Ok(found) => Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino)),
        Err(Errno::NOSYS) => {
            let stat = fstat(dir)?;
            Ok((stat.st_dev, stat.st_ino))
        }
        Err(error) => Err(error.into()),
    }
}

/// What names have in common that some file system may take for one. Beside the inode, because not every file
/// system gives one entry the same inode under each of its names.
pub(super) fn folded(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase().trim_end_matches(['.', ' ']).to_owned()
}

/// Entries of a directory that belong to names of the snapshot.
#[derive(Default)]
struct Claims {
    identities: HashSet<(u64, u64)>,
    names: HashSet<String>,
}

impl Claims {
    /// Whether nobody has it yet.
    fn insert(&mut self, name: &[u8], identity: (u64, u64)) -> bool {
        let is_new = self.names.insert(folded(name));
        self.identities.insert(identity) && is_new
    }
}

/// A directory that was there, with the names that it had.
pub(super) struct Known {
    pub(super) fd: OwnedFd,
    pub(super) names: Names,
    /// Who is who among the entries of the snapshot, once the target has taken one name for another.
    claims: Option<Claims>,
}

impl Known {
    /// Lists it.
    pub(super) fn open(root: &Root, relative: &[u8]) -> io::Result<Self> {
        let fd = root.open_dir(relative)?;
        let names = Names::list(fd.as_fd())?;
        Ok(Self { fd, names, claims: None })
    }

    /// Looks at what is in the place of an entry of the snapshot's page `tree`.
    ///
    /// # Errors
    /// [`taken`] where that belongs to another entry.
    pub(super) fn look(
        &mut self,
        reader: &BlobReader,
        tree: Option<&BlobId>,
        name: &[u8],
    ) -> io::Result<Option<Seen>> {
        let seen = see(&self.fd, name)?;
        if let Some(seen) = &seen
            && !self.names.holds(name)
            && !self.claim(reader, tree, name, seen.identity)
        {
            return Err(taken());
        }
        Ok(seen)
    }

    /// A directory was made here: whoever comes to it by another name is another entry.
    pub(super) fn made(&mut self, name: &[u8]) {
        if let Some(claims) = &mut self.claims
            && let Ok(Some(seen)) = see(&self.fd, name)
        {
            claims.insert(name, seen.identity);
        }
    }

    /// Whether what a name was taken for belongs to no other entry of the snapshot; from now on to this one.
    fn claim(
        &mut self,
        reader: &BlobReader,
        tree: Option<&BlobId>,
        own: &[u8],
        identity: (u64, u64),
    ) -> bool {
        let (fd, names) = (&self.fd, &self.names);
        let claims = self.claims.get_or_insert_with(|| {
            let mut claims = Claims::default();
            let leaves = tree.into_iter().flat_map(|tree| Leaves::new(reader, tree));
            for node in leaves.flatten().flat_map(|leaf| leaf.nodes) {
                // What comes later and is not there yet has nothing.
                let has_some = node.name[..] < *own || names.holds(&node.name);
                if has_some
                    && node.name != own
                    && let Ok(Some(seen)) = see(fd, &node.name)
                {
                    claims.insert(&node.name, seen.identity);
                }
            }
            claims
        });
        claims.insert(own, identity)
    }
}

/// Listings of the directories that were looked at last.
#[derive(Default)]
pub(super) struct Listings {
    kept: Vec<(usize, Known)>,
}

impl Listings {
    /// That of a directory, which is listed when it is not known.
    pub(super) fn of(
        &mut self,
        root: &Root,
        number: usize,
        trail: &Trail,
    ) -> io::Result<&mut Known> {
        match self.kept.iter().position(|(kept, _)| *kept == number) {
            Some(at) if at + 1 == self.kept.len() => {}
            Some(at) => {
                let known = self.kept.remove(at);
                self.kept.push(known);
            }
            None => {
                let known = Known::open(root, &trail.relative())?;
                self.kept.push((number, known));
                let bytes = |kept: &[(usize, Known)]| -> usize {
                    kept.iter().map(|(_, known)| known.names.bytes()).sum()
                };
                while self.kept.len() > KEPT
                    || self.kept.len() > 1 && bytes(&self.kept) > KEPT_BYTES
                {
                    self.kept.remove(0);
                }
            }
        }
        match self.kept.last_mut() {
            Some((_, known)) => Ok(known),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    /// The same, where it is known already.
    pub(super) fn known(&mut self, number: usize) -> Option<&mut Known> {
        self.kept.iter_mut().find(|(kept, _)| *kept == number).map(|(_, known)| known)
    }
}
