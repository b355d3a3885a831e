//! Counts the files that are opened beneath a directory, as the kernel tells it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Bytes of events that are read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// A watch over a tree that stays as it is.
#[derive(Debug)]
pub struct Opens {
    watch: OwnedFd,
    directories: Vec<(i32, PathBuf)>,
}

impl Opens {
    /// Watches every directory beneath `root` from now on.
    ///
    /// # Errors
    /// What reading it, or the kernel's limit of watches, answers.
    pub fn watch(root: &Path) -> io::Result<Self> {
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut directories = Vec::new();
        let mut ahead = vec![root.to_owned()];
        while let Some(directory) = ahead.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    ahead.push(entry.path());
                }
            }
            let flags = WatchFlags::OPEN | WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW;
            let number = inotify::add_watch(&watch, &directory, flags)?;
            directories.push((number, directory));
        }
        // Reading the directories above was watched by those above them.
        let mut opens = Self { watch, directories };
        opens.so_far()?;
        Ok(opens)
    }

    /// Files that were opened since the last call; directories do not count.
    ///
    /// # Errors
    /// What the kernel answers; that it had more to tell than it keeps.
    pub fn so_far(&mut self) -> io::Result<BTreeSet<PathBuf>> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.watch, &mut buffer);
        let mut opened = BTreeSet::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(opened),
                Err(error) => return Err(error.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Err(io::Error::other("more was opened than the kernel keeps"));
            }
            let Some(name) = event.file_name() else { continue };
            if event.events().contains(ReadFlags::ISDIR) {
                continue;
            }
            let directory = self.directories.iter().find(|(number, _)| *number == event.wd());
            let directory = directory.map(|(_, path)| path.clone()).unwrap_or_default();
            opened.insert(directory.join(name.to_string_lossy().as_ref()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_is_seen_and_a_look_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), b"x").unwrap();
        let mut opens = Opens::watch(dir.path()).unwrap();
        fs::metadata(dir.path().join("d/f")).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("d")).unwrap().count(), 1);
        assert_eq!(opens.so_far().unwrap(), BTreeSet::new());
        fs::read(dir.path().join("d/f")).unwrap();
        assert_eq!(opens.so_far().unwrap(), BTreeSet::from([dir.path().join("d/f")]));
    }
}
