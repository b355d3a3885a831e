//! Opens regular files, and finds out where they hold bytes and where holes.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, Mode, OFlags, SeekFrom, Stat, fstat, openat, seek};

/// A hole below this is read as zeros: a piece for each would cost more than it saves.
pub(crate) const HOLE_MIN_BYTES: u64 = 32 * 1024;

/// Bytes of a unit of `st_blocks`, whatever the file system's own block is.
const STAT_BLOCK_BYTES: u64 = 512;

/// A regular file that is being read.
pub(crate) struct OpenedFile {
    pub(crate) file: File,
    pub(crate) stat: Stat,
}

/// Opens a name of a directory if it still is a regular file. Never follows a link, never waits for a pipe.
///
/// # Errors
/// `InvalidData` when the name stands for something else now; what the system says otherwise.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OpenedFile> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let changed = || io::Error::new(io::ErrorKind::InvalidData, "is no regular file any more");
    let fd = match openat(dir, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(changed()),
        other => other?,
    };
    let stat = fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(changed());
    }
    Ok(OpenedFile { file: File::from(fd), stat })
}

impl OpenedFile {
    pub(crate) fn size(&self) -> u64 {
        self.stat.st_size as u64
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
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
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
    /// The first byte at or after `from` that is data; the size when there is none.
    fn next_data(&self, from: u64) -> io::Result<u64> {
        match seek(&self.file.file, SeekFrom::Data(from)) {
            Ok(at) => Ok(at.min(self.file.size())),
            Err(rustix::io::Errno::NXIO) => Ok(self.file.size()),
            Err(error) => Err(error.into()),
        }
    }

    /// The end of the data at `from`, taking small holes for data.
    fn end_of_data(&self, from: u64) -> io::Result<u64> {
        let mut at = from;
        loop {
            let hole = match seek(&self.file.file, SeekFrom::Hole(at)) {
                Ok(hole) => hole.min(self.file.size()),
                Err(rustix::io::Errno::NXIO) => self.file.size(),
                Err(error) => return Err(error.into()),
            };
            if hole >= self.file.size() {
                return Ok(self.file.size());
            }
            let data = self.next_data(hole)?;
            if data - hole >= HOLE_MIN_BYTES {
                return Ok(hole);
            }
            at = data;
            if at >= self.file.size() {
                return Ok(at);
            }
        }
    }
}

impl Iterator for Extents<'_> {
    type Item = io::Result<Extent>;

    fn next(&mut self) -> Option<Self::Item> {
        let size = self.file.size();
        if self.at >= size {
            return None;
        }
        let from = self.at;
        if self.dense {
            self.at = size;
            return Some(Ok(Extent::Data(from, size)));
        }
        let step = |this: &Self| -> io::Result<(Extent, u64)> {
            let data = this.next_data(from)?;
            if data - from >= HOLE_MIN_BYTES {
                return Ok((Extent::Hole(data - from), data));
            }
            let end = this.end_of_data(data)?;
            Ok((Extent::Data(from, end), end))
        };
        match step(self) {
            Ok((extent, next)) => {
                self.at = next;
                Some(Ok(extent))
            }
            Err(error) => {
                self.at = size;
                Some(Err(error))
            }
        }
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
        let found: Vec<_> = opened.extents().map(|extent| extent.unwrap()).collect();
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
}
