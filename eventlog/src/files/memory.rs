//! A disk in memory: the same every time, with a power cut from a seed and calls that fail on demand.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sectors::Content;
use super::{File, FileSystem, Locked, Open};

/// A disk in memory, for simulations and tests.
///
/// A power cut leaves what was synced. Of what was only written each sector of 512 bytes is there or not,
/// in any order; a name that its directory was not synced after is what it was, what it became, or anything
/// in between. A rename replaces at once, as file systems promise: a name that had a file before and has
/// one after is never without.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Inner>>);

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The disk is broken (EIO). Half of a write is written; what a sync left out is not known.
    Io,
    /// The disk is full (ENOSPC). Half of a write is written.
    NoSpace,
    /// The process ends in the call: a change is made but not synced, and every later call fails.
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(usize),
}

#[derive(Debug, Default)]
struct Inner {
    names: BTreeMap<PathBuf, Node>,
    /// What a name was when its directory was synced last, and all that it became since.
    unsynced: BTreeMap<PathBuf, Vec<Option<Node>>>,
    files: Vec<Content>,
    locked: BTreeMap<PathBuf, String>,
    calls: u64,
    failures: BTreeMap<u64, Failure>,
    stopped: bool,
}

impl Memory {
    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Lets a call fail; the first has number 1.
    pub fn fail_at(&self, call: u64, failure: Failure) {
        self.inner().failures.insert(call, failure);
    }

    /// The disk after the power went and returned; the seed says what of the unsynced survived.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut seed = seed;
        let mut choose = |bound: u64| below(&mut seed, bound);
        let inner = self.inner();
        let mut names = inner.names.clone();
        for (name, versions) in &inner.unsynced {
            let chosen = choose(versions.len() as u64);
            match usize::try_from(chosen).ok().and_then(|n| versions.get(n)).copied().flatten() {
                Some(node) => names.insert(name.clone(), node),
                None => names.remove(name),
            };
        }
        // A name is only found in a directory that is there.
        let mut found = BTreeMap::new();
        for (name, node) in names {
            let above = name.parent().filter(|above| above.parent().is_some());
            if above.is_none_or(|above| found.get(above) == Some(&Node::Directory)) {
                found.insert(name, node);
            }
        }
        let files = inner.files.iter().map(|content| content.survivor(&mut choose)).collect();
        Self(Arc::new(Mutex::new(Inner { names: found, files, ..Inner::default() })))
    }

    /// The disk as the next process finds it after this one was killed: everything that was written is
    /// seen, and is not safer than before.
    #[must_use]
    pub fn killed(&self) -> Self {
        let inner = self.inner();
        Self(Arc::new(Mutex::new(Inner {
            names: inner.names.clone(),
            unsynced: inner.unsynced.clone(),
            files: inner.files.clone(),
            ..Inner::default()
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call: what is to become of it.
    fn call(&self) -> io::Result<(MutexGuard<'_, Inner>, Option<Failure>)> {
        let mut inner = self.inner();
        if inner.stopped {
            return Err(stopped());
        }
        inner.calls += 1;
        let failure = inner.failures.get(&inner.calls).copied();
        inner.stopped = failure == Some(Failure::Stop);
        Ok((inner, failure))
    }

    /// Begins a call that changes nothing, or fails before it does.
    fn ask(&self) -> io::Result<MutexGuard<'_, Inner>> {
        match self.call()? {
            (inner, None) => Ok(inner),
            (_, Some(failure)) => Err(failure.into()),
        }
    }

    /// Makes a change that is not synced; one in which the process ends is made.
    fn change<T>(&self, make: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let (mut inner, failure) = self.call()?;
        match failure {
            Some(failure @ (Failure::Io | Failure::NoSpace)) => return Err(failure.into()),
            Some(Failure::Stop) | None => {}
        }
        let made = make(&mut inner)?;
        failure.map_or(Ok(made), |failure| Err(failure.into()))
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Io => Self::other("the disk is broken"),
            Failure::NoSpace => ErrorKind::StorageFull.into(),
            Failure::Stop => stopped(),
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the process has ended")
}

/// The next number below a bound (splitmix64).
fn below(seed: &mut u64, bound: u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % bound.max(1)
}

impl Inner {
    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(number)) => Ok(*number),
            Some(Node::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.parent().is_none() || self.names.get(path) == Some(&Node::Directory)
    }

    fn name(&mut self, path: &Path, node: Option<Node>) -> io::Result<()> {
        if !path.parent().is_some_and(|above| self.is_dir(above)) {
            return Err(ErrorKind::NotFound.into());
        }
        let before = match node {
            Some(node) => self.names.insert(path.to_path_buf(), node),
            None => self.names.remove(path),
        };
        self.unsynced.entry(path.to_path_buf()).or_insert_with(|| vec![before]).push(node);
        Ok(())
    }
}

#[derive(Debug)]
struct Handle {
    memory: Memory,
    number: usize,
}

impl Handle {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut inner, failure) = self.memory.call()?;
        let offset = usize::try_from(offset).map_err(|_| ErrorKind::FileTooLarge)?;
        let written = match failure {
            Some(Failure::Io | Failure::NoSpace) => bytes.get(..bytes.len() / 2),
            Some(Failure::Stop) | None => Some(bytes),
        };
        if let Some(content) = inner.files.get_mut(self.number) {
            content.write(written.unwrap_or_default(), offset);
        }
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

impl File for Handle {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let inner = self.memory.ask()?;
        let start = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
        let content = inner.files.get(self.number).map(Content::bytes).unwrap_or_default();
        let found = start.checked_add(bytes.len()).and_then(|end| content.get(start..end));
        bytes.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let length = usize::try_from(bytes).map_err(|_| ErrorKind::FileTooLarge)?;
        self.write(&vec![0; length], 0)
    }

    fn sync(&self) -> io::Result<()> {
        let (mut inner, failure) = self.memory.call()?;
        match (inner.files.get_mut(self.number), failure) {
            (Some(content), None) => content.sync(),
            (Some(content), Some(Failure::Io | Failure::NoSpace)) => content.fail_to_sync(),
            (_, Some(Failure::Stop)) | (None, _) => {}
        }
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }
}

/// Given back when it is dropped, or with the process.
struct Held {
    memory: Memory,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.inner().locked.remove(&self.path);
    }
}

impl FileSystem for Memory {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let number = match how {
            Open::Existing => self.ask()?.file(path)?,
            Open::Anew => self.change(|inner| match inner.file(path) {
                Ok(number) => {
                    inner.files.get_mut(number).map(Content::truncate);
                    Ok(number)
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let number = inner.files.len();
                    inner.name(path, Some(Node::File(number)))?;
                    inner.files.push(Content::default());
                    Ok(number)
                }
                Err(e) => Err(e),
            })?,
        };
        Ok(Box::new(Handle { memory: self.clone(), number }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inner = self.ask()?;
        let number = inner.file(path)?;
        Ok(inner.files.get(number).map(|content| content.bytes().to_vec()).unwrap_or_default())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|inner| {
            let number = inner.file(from)?;
            if inner.is_dir(to) {
                return Err(ErrorKind::IsADirectory.into());
            }
            inner.name(to, Some(Node::File(number)))?;
            inner.name(from, None)
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|inner| {
            inner.file(path)?;
            inner.name(path, None)
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = self.ask()?;
        if !inner.is_dir(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = inner.names.keys().filter(|name| name.parent() == Some(dir));
        let names = inside.filter_map(|name| name.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        self.change(|inner| {
            let mut missing: Vec<&Path> = dir.ancestors().collect();
            missing.retain(|path| !inner.is_dir(path));
            missing.into_iter().rev().try_for_each(|path| inner.name(path, Some(Node::Directory)))
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.ask()?;
        if !inner.is_dir(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        inner.unsynced.retain(|name, _| name.parent() != Some(dir));
        Ok(())
    }

    fn lock(&self, path: &Path, text: &str) -> io::Result<Locked> {
        let mut inner = self.ask()?;
        if let Some(holder) = inner.locked.get(path) {
            return Ok(Locked::Theirs(holder.clone()));
        }
        inner.locked.insert(path.to_path_buf(), text.to_owned());
        drop(inner);
        Ok(Locked::Mine(Box::new(Held { memory: self.clone(), path: path.to_path_buf() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(memory: &Memory, path: &str, bytes: &[u8]) {
        memory.make_dirs(Path::new("/d")).unwrap();
        let file = memory.open(Path::new(path), Open::Anew).unwrap();
        file.write_at(bytes, 0).unwrap();
        file.sync().unwrap();
    }

    fn read(memory: &Memory, path: &str) -> Option<Vec<u8>> {
        memory.read(Path::new(path)).ok()
    }

    #[test]
    fn a_name_is_old_or_new_until_its_directory_is_synced() {
        let memory = Memory::default();
        written(&memory, "/d/a", b"old");
        memory.sync_dir(Path::new("/")).unwrap();
        memory.sync_dir(Path::new("/d")).unwrap();
        written(&memory, "/d/tmp", b"new");
        memory.rename(Path::new("/d/tmp"), Path::new("/d/a")).unwrap();
        let seen: std::collections::BTreeSet<_> =
            (0..40).map(|seed| read(&memory.power_cut(seed), "/d/a")).collect();
        assert!(seen.into_iter().eq([Some(b"new".to_vec()), Some(b"old".to_vec())]));
        assert_eq!(read(&memory.killed(), "/d/a"), Some(b"new".to_vec()));
        memory.sync_dir(Path::new("/d")).unwrap();
        assert!((0..40).all(|seed| read(&memory.power_cut(seed), "/d/a") == Some(b"new".to_vec())));
    }

    #[test]
    fn nothing_is_in_a_directory_that_is_gone() {
        let memory = Memory::default();
        written(&memory, "/d/a", b"x");
        memory.sync_dir(Path::new("/d")).unwrap();
        let seen: Vec<_> = (0..40).map(|seed| read(&memory.power_cut(seed), "/d/a")).collect();
        assert!(seen.contains(&None) && seen.contains(&Some(b"x".to_vec())));
    }

    #[test]
    fn a_call_fails_as_it_is_told_and_a_stop_is_for_good() {
        let memory = Memory::default();
        written(&memory, "/d/a", b"abcd");
        let file = memory.open(Path::new("/d/a"), Open::Existing).unwrap();
        memory.fail_at(memory.calls() + 1, Failure::NoSpace);
        memory.fail_at(memory.calls() + 2, Failure::Stop);
        assert_eq!(file.write_at(b"wxyz", 0).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(file.write_at(b"WX", 0).is_err());
        assert!(file.sync().is_err());
        assert!(memory.read(Path::new("/d/a")).is_err());
        assert_eq!(read(&memory.killed(), "/d/a"), Some(b"WXcd".to_vec()));
        assert_eq!(memory.power_cut(3).calls(), 0);
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped_and_by_no_process_after_its_end() {
        let memory = Memory::default();
        let path = Path::new("/LOCK");
        let Locked::Mine(held) = memory.lock(path, "one").unwrap() else { panic!("not free") };
        assert!(matches!(memory.lock(path, "two").unwrap(), Locked::Theirs(by) if by == "one"));
        assert!(matches!(memory.killed().lock(path, "two").unwrap(), Locked::Mine(_)));
        drop(held);
        assert!(matches!(memory.lock(path, "two").unwrap(), Locked::Mine(_)));
    }
}
