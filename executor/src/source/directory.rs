//! Lists directories, and makes nodes of what the file system says.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, OFlags, Stat, fcntl_getfl, fcntl_setfl, major, minor, statat,
};

use crate::tree::{Attributes, Content, Device, Node, NodeKind, Time};

/// Lowest bits of `st_mode`: permissions, setuid, setgid, sticky.
const MODE_MASK: u32 = 0o7777;

/// Nanoseconds of the last moment of a second.
const NANOS_MAX: u64 = 999_999_999;

/// The names in a directory, sorted, in little memory: there may be millions.
#[derive(Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    /// Where each begins and ends.
    places: Vec<(usize, usize)>,
}

impl Names {
    /// All of them but the dot names.
    pub(crate) fn list(dir: BorrowedFd<'_>) -> io::Result<Self> {
        match Self::list_some(dir)? {
            (names, None) => Ok(names),
            (_, Some(error)) => Err(error),
        }
    }

    /// As many of them as the file system gives, and why there are no more. A directory that cannot be read at
    /// all is an error.
    pub(crate) fn list_some(dir: BorrowedFd<'_>) -> io::Result<(Self, Option<io::Error>)> {
        let mut names = Self::default();
        let mut failure = None;
        for entry in Dir::read_from(dir)? {
            match entry {
                Ok(entry) => names.add(entry.file_name().to_bytes()),
                Err(error) => failure = failure.or(Some(error.into())),
            }
        }
        let Self { bytes, places } = &mut names;
        places.sort_unstable_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
        // Some file systems give a name twice while a directory changes.
        places.dedup_by(|a, b| bytes[a.0..a.1] == bytes[b.0..b.1]);
        Ok((names, failure))
    }

    fn add(&mut self, name: &[u8]) {
        if name != b"." && name != b".." {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(name);
            self.places.push((start, self.bytes.len()));
        }
    }

    /// Adds names that are to be there too, whatever the file system says.
    pub(crate) fn with<'a>(mut self, more: impl Iterator<Item = &'a [u8]>) -> Self {
        for name in more {
            if !self.holds(name) {
                let place = |place: &(usize, usize)| self.bytes[place.0..place.1] < *name;
                let at = self.places.partition_point(place);
                let start = self.bytes.len();
                self.bytes.extend_from_slice(name);
                self.places.insert(at, (start, self.bytes.len()));
            }
        }
        self
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<(usize, usize)>()
    }

    /// The one of this number, in order.
    pub(crate) fn get(&self, number: usize) -> Option<&[u8]> {
        self.places.get(number).map(|(start, end)| &self.bytes[*start..*end])
    }

    /// Whether a name is among them.
    pub(crate) fn holds(&self, name: &[u8]) -> bool {
        let found = |place: &(usize, usize)| self.bytes[place.0..place.1].cmp(name);
        self.places.binary_search_by(found).is_ok()
    }

    /// Leaves only some.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        let bytes = &self.bytes;
        self.places.retain(|(start, end)| wanted(&bytes[*start..*end]));
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|(start, end)| &self.bytes[*start..*end])
    }
}

/// What a name stands for; nothing when it has vanished since it was listed.
pub(crate) fn stat_entry(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Stat>> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reading the directory does not move its time of access, where that is allowed: only the owner may ask for it.
pub(crate) fn leave_no_trace(dir: &OwnedFd) {
    if let Ok(flags) = fcntl_getfl(dir) {
        let _ = fcntl_setfl(dir, flags | OFlags::NOATIME);
    }
}

/// What a symbolic link says.
pub(crate) fn read_link(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    Ok(rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes())
}

/// Time of last change of the inode and of the content.
pub(crate) fn stat_time(stat: &Stat) -> (Time, Time) {
    // Some file systems hand on whatever their server says.
    let time = |seconds, nanos: u64| Time { seconds, nanos: nanos.min(NANOS_MAX) as u32 };
    (time(stat.st_ctime, stat.st_ctime_nsec), time(stat.st_mtime, stat.st_mtime_nsec))
}

/// A node with all metadata that `stat` gives; content, tree and link target are still empty.
pub(crate) fn bare_node(name: &[u8], stat: &Stat) -> Node {
    let device = || Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => NodeKind::Directory { tree: crate::digest::BlobId([0; 16]) },
        FileType::Symlink => NodeKind::Symlink { target: Vec::new() },
        FileType::Fifo => NodeKind::Fifo,
        FileType::Socket => NodeKind::Socket,
        FileType::CharacterDevice => NodeKind::CharDevice(device()),
        FileType::BlockDevice => NodeKind::BlockDevice(device()),
        _ => NodeKind::File {
            size: stat.st_size.max(0) as u64,
            content: Content::Pieces(Vec::new()),
        },
    };
    let (ctime, mtime) = stat_time(stat);
    Node {
        name: name.to_vec(),
        kind,
        mode: stat.st_mode & MODE_MASK,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime,
        ctime,
        inode: stat.st_ino,
        link_group: None,
        racy: false,
        attributes: Attributes::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn entries_come_by_the_bytes_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"b"[..], b"\xff", b"B", b"a b", "ä".as_bytes()] {
            std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(name)), b"").unwrap();
        }
        let fd = File::open(dir.path()).unwrap();
        let names = Names::list(fd.as_fd()).unwrap();
        let names: Vec<_> = names.iter().collect();
        assert_eq!(names, [&b"B"[..], b"a b", b"b", "ä".as_bytes(), b"\xff"]);
    }

    #[test]
    fn types_and_times_are_those_of_the_file_system() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"12345").unwrap();
        std::os::unix::fs::symlink("f", dir.path().join("l")).unwrap();
        let fd = File::open(dir.path()).unwrap();
        let before_1970 = Time { seconds: -5, nanos: 123_456_789 };
        let spec = rustix::fs::Timespec { tv_sec: -5, tv_nsec: 123_456_789 };
        let times = rustix::fs::Timestamps { last_access: spec, last_modification: spec };
        rustix::fs::utimensat(&fd, "f", &times, AtFlags::empty()).unwrap();
        let stat = |name: &[u8]| stat_entry(fd.as_fd(), name).unwrap().unwrap();
        let file = bare_node(b"f", &stat(b"f"));
        assert!(matches!(file.kind, NodeKind::File { size: 5, .. }));
        assert_eq!(file.mtime, before_1970);
        let link = bare_node(b"l", &stat(b"l"));
        assert!(stat_entry(fd.as_fd(), b"gone").unwrap().is_none());
        assert!(matches!(link.kind, NodeKind::Symlink { .. }));
        assert_eq!(read_link(fd.as_fd(), b"l").unwrap(), b"f");
    }
}
