//! Opens regular files, and finds out where they hold bytes and where holes.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, SeekFrom, Stat, fstat, openat, seek};
use rustix::io::Errno;
use rustix::path::Arg;

/// A hole below this is read as zeros: a piece for each would cost more than it saves.
pub(crate) const HOLE_MIN_BYTES: u64 = 32 * 1024;

/// What is read at once where the system has no memory for more.
const SMALL_READ_BYTES: usize = 32 * 1024;

/// Bytes of a unit of `st_blocks`, whatever the file system's own block is.
const STAT_BLOCK_BYTES: u64 = 512;

/// How long somebody who holds a lease on a file gets to give it up. The kernel takes it away after
/// `/proc/sys/fs/lease-break-time`, 45 seconds unless somebody changed that.
const LEASE_WAIT: Duration = Duration::from_secs(60);

/// Longest pause between two attempts at a file with a lease.
const LEASE_PAUSE: Duration = Duration::from_millis(50);

/// A regular file that is being read.
pub(crate) struct OpenedFile {
    pub(crate) file: File,
    pub(crate) stat: Stat,
}

const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens a name of a directory if it still is a regular file. Never follows a link, never waits for a pipe.
///
/// # Errors
/// `InvalidData` when the name stands for something else now; what the system says otherwise.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OpenedFile> {
    open_waiting(dir, name, &|| true)
}

/// The same; somebody who holds a lease on the file is waited for as long as `wait` says.
pub(crate) fn open_waiting(
    dir: BorrowedFd<'_>,
    name: &[u8],
    wait: &dyn Fn() -> bool,
) -> io::Result<OpenedFile> {
    opened(open_without_trace(dir, name, READ | OFlags::NOFOLLOW, wait)?)
}

/// Opens a source that is one file. Links in its path are followed: its owner wrote it.
pub(crate) fn open_source(path: &Path, wait: &dyn Fn() -> bool) -> io::Result<OpenedFile> {
    opened(open_without_trace(CWD, path, READ, wait)?)
}

/// Opens a file that is to be written over, and changes nothing yet. Somebody who holds a lease on it is waited for.
/// A link at the end is followed only if the caller says so.
pub(crate) fn open_to_write(
    dir: BorrowedFd<'_>,
    path: &Path,
    follow: bool,
) -> io::Result<OpenedFile> {
    let mut flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, !follow);
    opened(open_without_trace(dir, path, flags, &|| true)?)
}

/// Opens a source that is a device or a pipe.
pub(crate) fn open_special(path: &Path) -> io::Result<File> {
    Ok(File::from(open_without_trace(CWD, path, READ, &|| true)?))
}

fn opened(fd: rustix::fd::OwnedFd) -> io::Result<OpenedFile> {
    let stat = fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(changed());
    }
    Ok(OpenedFile { file: File::from(fd), stat })
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "is no regular file any more")
}

/// Opens so that no time of access moves, where that is allowed, and asks again where a lease is being given up:
/// to wait in the call itself could mean to wait for a pipe that has taken the file's place.
fn open_without_trace(
    dir: BorrowedFd<'_>,
    name: impl Arg + Copy,
    flags: OFlags,
    wait: &dyn Fn() -> bool,
) -> io::Result<rustix::fd::OwnedFd> {
    let mut flags = flags | OFlags::NOATIME;
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        match openat(dir, name, flags, Mode::empty()) {
            Ok(fd) => return Ok(fd),
            // Only the owner may ask for it.
            Err(Errno::PERM) if flags.contains(OFlags::NOATIME) => flags -= OFlags::NOATIME,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if waited < LEASE_WAIT && wait() => {
                std::thread::sleep(pause);
                waited += pause;
                pause = (pause * 2).min(LEASE_PAUSE);
            }
            Err(Errno::LOOP | Errno::NXIO) if flags.contains(OFlags::NOFOLLOW) => {
                return Err(changed());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl OpenedFile {
    pub(crate) fn size(&self) -> u64 {
        self.stat.st_size.max(0) as u64
    }

    /// Whether there is more than the size says, although nobody has added anything: so it is with files that
    /// the kernel or a server makes up when they are read.
    pub(crate) fn understates(&self) -> io::Result<bool> {
        let more = self.read_at(&mut [0], self.size())? > 0;
        Ok(more && fstat(&self.file)?.st_size.max(0) as u64 == self.size())
    }

    /// Whether fewer blocks are allocated than the size needs: only then it is asked for holes.
    pub(crate) fn may_have_holes(&self) -> bool {
        (self.stat.st_blocks as u64).saturating_mul(STAT_BLOCK_BYTES) < self.size()
    }

    /// Whether size or times differ from what they were when the file was opened.
    pub(crate) fn has_changed(&self) -> io::Result<bool> {
        let now = fstat(&self.file)?;
        let key = |stat: &Stat| {
            (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
        };
        Ok(key(&now) != key(&self.stat))
    }

    /// Fills `buffer` from `offset`; returns fewer bytes only at the end of the file.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_about(buffer, offset, buffer.len())
    }

    /// The same where the file is said to end after `said` bytes. A read that ends there, and was asked for more, has
    /// seen the end: it is not asked again.
    pub(crate) fn read_about(
        &self,
        buffer: &mut [u8],
        offset: u64,
        said: usize,
    ) -> io::Result<usize> {
        let (mut done, mut most) = (0, buffer.len());
        while done < buffer.len() {
            let end = buffer.len().min(done + most);
            match self.file.read_at(&mut buffer[done..end], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => {
                    let is_short = done + n < end;
                    done += n;
                    if is_short && done == said {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What the kernel makes up (`/proc/sys`) it makes in one piece of memory, as large as was asked for.
                Err(error)
                    if error.kind() == io::ErrorKind::OutOfMemory && most > SMALL_READ_BYTES =>
                {
                    most = SMALL_READ_BYTES;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// The extents of the file up to the size that it had when it was opened.
    pub(crate) fn extents(&self) -> Extents<'_> {
        Extents { file: self, at: 0, dense: !self.may_have_holes() }
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// From offset to end (exclusive): bytes to read.
    Data(u64, u64),
    /// That many zeros.
    Hole(u64),
}

/// Goes through a file from extent to extent.
pub(crate) struct Extents<'a> {
    file: &'a OpenedFile,
    at: u64,
    dense: bool,
}

impl Extents<'_> {
    /// The first byte at or after `from` that is data; the size when there is none. Nothing where the file system
    /// does not know.
    fn next_data(&self, from: u64) -> Option<u64> {
        match seek(&self.file.file, SeekFrom::Data(from)) {
            Ok(at) if at >= from => Some(at.min(self.file.size())),
            Err(Errno::NXIO) => Some(self.file.size()),
            _ => None,
        }
    }

    /// The end of the data at `from`, taking small holes for data.
    fn end_of_data(&self, from: u64) -> Option<u64> {
        let size = self.file.size();
        let mut at = from;
        loop {
            let hole = match seek(&self.file.file, SeekFrom::Hole(at)) {
                Ok(hole) if hole >= at => hole.min(size),
                Err(Errno::NXIO) => size,
                _ => return None,
            };
            if hole >= size {
                return Some(size);
            }
            let data = self.next_data(hole)?;
            if data - hole >= HOLE_MIN_BYTES {
                return Some(hole);
            }
            // A file system that contradicts itself would be asked for ever.
            if data <= at {
                return None;
            }
            at = data;
            if at >= size {
                return Some(at);
            }
        }
    }

    fn step(&self, from: u64) -> Option<(Extent, u64)> {
        let data = self.next_data(from)?;
        if data - from >= HOLE_MIN_BYTES {
            return Some((Extent::Hole(data - from), data));
        }
        let end = self.end_of_data(data)?;
        Some((Extent::Data(from, end), end))
    }
}

impl Iterator for Extents<'_> {
    type Item = Extent;

    fn next(&mut self) -> Option<Self::Item> {
        let size = self.file.size();
        if self.at >= size {
            return None;
        }
        let from = self.at;
        // Where holes are not told of, or not without an error, the bytes are read.
        let step = if self.dense { None } else { self.step(from) };
        let (extent, next) = step.unwrap_or((Extent::Data(from, size), size));
        self.at = next;
        Some(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const MIB: u64 = 1024 * 1024;

    fn extents(make: impl FnOnce(&File)) -> Vec<Extent> {
        let dir = tempfile::tempdir().unwrap();
        make(&File::create(dir.path().join("f")).unwrap());
        let parent = File::open(dir.path()).unwrap();
        let opened = open_file(parent.as_fd(), b"f").unwrap();
        let found: Vec<_> = opened.extents().collect();
        let total: u64 = found
            .iter()
            .map(|extent| match extent {
                Extent::Data(from, to) => to - from,
                Extent::Hole(len) => *len,
            })
            .sum();
        assert_eq!(total, opened.size());
        found
    }

    #[test]
    fn holes_are_found_where_they_are() {
        let found = extents(|file| {
            file.set_len(3 * MIB).unwrap();
            file.write_all_at(&[1; 65_536], MIB).unwrap();
        });
        assert_eq!(
            found,
            [Extent::Hole(MIB), Extent::Data(MIB, MIB + 65_536), Extent::Hole(2 * MIB - 65_536)]
        );
    }

    #[test]
    fn a_file_that_is_one_hole_is_never_read() {
        assert_eq!(extents(|file| file.set_len(1 << 40).unwrap()), [Extent::Hole(1 << 40)]);
    }

    #[test]
    fn a_dense_file_is_one_extent() {
        assert_eq!(
            extents(|file| file.write_all_at(&[7; 100_000], 0).unwrap()),
            [Extent::Data(0, 100_000)]
        );
        assert_eq!(extents(|_| {}), []);
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let parent = File::open(dir.path()).unwrap();
        std::fs::write(dir.path().join("f"), b"x").unwrap();
        std::os::unix::fs::symlink("f", dir.path().join("link")).unwrap();
        rustix::fs::mknodat(&parent, "pipe", FileType::Fifo, Mode::RWXU, 0).unwrap();
        std::fs::create_dir(dir.path().join("dir")).unwrap();
        for name in ["link", "pipe", "dir"] {
            let error = open_file(parent.as_fd(), name.as_bytes()).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
        }
        assert!(open_file(parent.as_fd(), b"f").is_ok());
        assert_eq!(
            open_file(parent.as_fd(), b"none").err().unwrap().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn k10_what_is_longer_than_its_size_says_is_noticed() {
        let proc = File::open("/proc").unwrap();
        let opened = open_file(proc.as_fd(), b"version").unwrap();
        assert!(opened.size() == 0 && opened.understates().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let parent = File::open(dir.path()).unwrap();
        for content in ["", "x"] {
            std::fs::write(dir.path().join("f"), content).unwrap();
            assert!(!open_file(parent.as_fd(), b"f").unwrap().understates().unwrap());
        }
        let opened = open_file(parent.as_fd(), b"f").unwrap();
        std::fs::write(dir.path().join("f"), "longer").unwrap();
        assert!(!opened.understates().unwrap(), "it grew, and said so");
    }

    #[test]
    fn k09_opening_moves_no_time_of_access() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "x").unwrap();
        let parent = File::open(dir.path()).unwrap();
        let flags = |file: &File| rustix::fs::fcntl_getfl(file).unwrap();
        let opened = open_file(parent.as_fd(), b"f").unwrap();
        assert!(flags(&opened.file).contains(OFlags::NOATIME));
        let link = dir.path().join("l");
        std::os::unix::fs::symlink("f", &link).unwrap();
        assert_eq!(open_source(&link, &|| false).unwrap().size(), 1);
    }
}
