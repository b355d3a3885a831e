//! The files of a log: the one way to a disk, so that a disk that fails can stand in its place.
//!
//! [`Files`] is a directory. On a disk it is the real one ([`disk`]); in memory it is a model of a disk
//! ([`Memory`]) that a seed takes the power from, or that fails at a call of one's choice.

mod disk;
mod memory;
mod sectors;

use std::any::Any;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Context, Error};

pub use memory::{Failure, Memory};

/// A file that is open for reading and writing.
pub(crate) trait File: fmt::Debug + Send + Sync {
    /// Fills `bytes` from a place.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all bytes at a place.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes so many zeros from the beginning on: later writes there change no metadata and need no space.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Makes content and length last.
    fn sync(&self) -> io::Result<()>;
    /// Makes what was written inside the file's length last.
    fn sync_data(&self) -> io::Result<()>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// As it is; it has to be there.
    Existing,
    /// Empty; made if it is not there.
    Anew,
}

/// A lock, or who holds it.
pub(crate) enum Locked {
    /// Held until dropped.
    Mine(Box<dyn Any + Send>),
    /// Held by somebody who left this text.
    Theirs(String),
}

/// What the log asks of a file system.
pub(crate) trait FileSystem: fmt::Debug + Send + Sync {
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>>;
    /// All bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Gives a file another name; a file that has that name already loses it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes the name of a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a directory and what is missing above it, for their owner alone.
    fn make_dirs(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory last.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes a lock and leaves a text for those who ask next.
    fn lock(&self, path: &Path, text: &str) -> io::Result<Locked>;
}

/// The directory of a log, wherever it is.
#[derive(Clone, Debug)]
pub struct Files {
    system: Arc<dyn FileSystem>,
    root: PathBuf,
    on_disk: bool,
}

impl Files {
    /// A directory on a disk.
    #[must_use]
    pub fn disk(root: &Path) -> Self {
        Self { system: Arc::new(disk::Disk), root: root.to_path_buf(), on_disk: true }
    }

    /// The root of a disk in memory. Everything is done on the caller's thread then, so that a seed
    /// reproduces a run.
    #[must_use]
    pub fn memory(memory: &Memory) -> Self {
        Self { system: Arc::new(memory.clone()), root: PathBuf::from("/"), on_disk: false }
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is a real directory, which other programs see.
    pub(crate) fn on_disk(&self) -> bool {
        self.on_disk
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Box<dyn File>, Error> {
        self.system.open(path, Open::Existing).context("open", path)
    }

    /// A file's bytes; `None` if it does not exist.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        absent(self.system.read(path)).context("read", path)
    }

    /// Writes a file whole: under a temporary name, synced, renamed, its directory synced.
    pub(crate) fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = path.with_extension("tmp");
        let written = self
            .system
            .open(&temporary, Open::Anew)
            .and_then(|file| {
                file.write_at(bytes, 0)?;
                file.sync()
            })
            .context("write", &temporary);
        if let Err(error) = written {
            // What is left of it takes the space that is missing.
            let _ = self.system.remove(&temporary);
            return Err(error);
        }
        self.rename(&temporary, path)?;
        folder(path).map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// A file full of zeros, on disk; its name is not made to last.
    pub(crate) fn preallocate(&self, path: &Path, bytes: u64) -> Result<(), Error> {
        let written = self
            .system
            .open(path, Open::Anew)
            .and_then(|file| {
                file.allocate(bytes)?;
                file.sync()
            })
            .context("preallocate", path);
        if written.is_err() {
            // What was written takes the space that is missing.
            let _ = self.system.remove(path);
        }
        written
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.system.rename(from, to).context("rename", to)
    }

    /// Removes a file if it is there.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        absent(self.system.remove(path)).context("remove", path).map(|_| ())
    }

    /// Names in a directory that parse as what belongs there, sorted; foreign files are left alone, and a
    /// directory that is not there has none.
    pub(crate) fn names<T: Ord>(
        &self,
        dir: &Path,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let names = absent(self.system.list(dir)).context("list", dir)?.unwrap_or_default();
        let mut found: Vec<T> = names.iter().filter_map(|name| parse(name)).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Makes a directory and makes its entry last.
    pub(crate) fn make(&self, dir: &Path) -> Result<(), Error> {
        if absent(self.system.list(dir)).context("list", dir)?.is_some() {
            // It may be as young as the last process, which was killed before it made the name last.
            return folder(dir).map_or(Ok(()), |parent| self.sync_dir(parent));
        }
        self.system.make_dirs(dir).context("create", dir)?;
        folder(dir).map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    /// Makes the directory itself; whoever keeps it makes its name last.
    pub(crate) fn make_root(&self) -> Result<(), Error> {
        self.system.make_dirs(&self.root).context("create", &self.root)
    }

    /// Makes the entries of a directory last.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        self.system.sync_dir(dir).context("sync directory", dir)
    }

    pub(crate) fn lock(&self, path: &Path, text: &str) -> Result<Locked, Error> {
        self.system.lock(path, text).context("lock", path)
    }
}

/// The directory that a name lies in: that of a name alone is where the process stands.
fn folder(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn absent<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}
