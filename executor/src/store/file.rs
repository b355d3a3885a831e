//! Objects as files below one directory. A put writes a file in `tmp/`, syncs it, renames it without
//! replacing anything, and syncs the directory: after that the name stands for the whole content,
//! through a power cut as well.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, RenameFlags};

use super::{
    Habits, ObjectMeta, PutOutcome, RetryPolicy, Staged, Store, StoreError, check_key, check_range,
};
use crate::limits;

/// The directory of files that are not objects yet.
const TMP: &str = "tmp";

/// A directory that is a store.
pub struct FileStore {
    root: Arc<Path>,
    /// Distinguishes the temporary files of this process.
    serial: AtomicU64,
    /// Distinguishes processes, also on other machines that share the directory.
    writer: u64,
}

/// A temporary file that becomes an object by its rename.
pub struct StagedFile {
    file: File,
    path: PathBuf,
    len: u64,
    placed: bool,
}

impl FileStore {
    /// The store below `root`. Nothing is created before the first put.
    ///
    /// # Errors
    /// `Unavailable` without randomness.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let writer = getrandom::u64().map_err(|error| StoreError::Unavailable {
            verb: "open",
            key: String::new(),
            reason: error.to_string(),
        })?;
        Ok(Self { root: root.into().into(), serial: AtomicU64::new(0), writer })
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        check_key(key)?;
        Ok(self.root.join(key))
    }

    fn temporary(&self) -> io::Result<StagedFile> {
        let dir = self.root.join(TMP);
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{:016x}.{serial}", self.writer));
        let open = || File::options().write(true).create_new(true).open(&path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_dirs(&dir)?;
                open()?
            }
            other => other?,
        };
        Ok(StagedFile { file, path, len: 0, placed: false })
    }

    fn place(&self, staged: &mut StagedFile, to: &Path) -> io::Result<PutOutcome> {
        staged.file.sync_data()?;
        let outcome = match rename_new(&staged.path, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(dir) = to.parent() {
                    make_dirs(dir)?;
                }
                rename_new(&staged.path, to)?
            }
            other => other?,
        };
        if outcome == PutOutcome::Created {
            staged.placed = true;
        }
        // Also for a name that was there: its maker may have died between rename and sync.
        sync_parent(to)?;
        Ok(outcome)
    }

    fn walk(&self, dir: &Path, key: &str, rows: &mut Vec<ObjectMeta>) -> io::Result<()> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if key.is_empty() && name == TMP {
                continue;
            }
            let below = if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(&entry.path(), &below, rows)?;
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(meta) => rows.push(row(below, &meta)),
                    // Deleted between the listing and the look: as if it had been listed later.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Store for FileStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        let to = self.path(key)?;
        let put = || {
            let mut staged = self.temporary()?;
            staged.file.write_all(bytes)?;
            self.place(&mut staged, &to)
        };
        put().map_err(|error| StoreError::io("put", key, error))
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.temporary().map(Staged::File).map_err(|error| StoreError::io("put", TMP, error))
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        let to = self.path(key)?;
        match staged {
            Staged::Memory(bytes) => self.put_new(key, bytes),
            Staged::File(file) => {
                self.place(file, &to).map_err(|error| StoreError::io("put", key, error))
            }
        }
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(key)?;
        let file = File::open(path).map_err(|error| StoreError::io("get", key, error))?;
        let size = file.metadata().map_err(|error| StoreError::io("get", key, error))?.len();
        if size > limit {
            return Err(StoreError::TooLarge { key: key.to_owned(), size, limit });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let read = file.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| StoreError::io("get", key, error))?;
        Ok(bytes)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let path = self.path(key)?;
        let file = File::open(path).map_err(|error| StoreError::io("get", key, error))?;
        let size = file.metadata().map_err(|error| StoreError::io("get", key, error))?.len();
        check_range(key, size, offset, len)?;
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset)
            .map_err(|error| StoreError::io("get", key, error))?;
        Ok(bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let key = prefix.trim_end_matches('/');
        let mut rows = Vec::new();
        let dir = if key.is_empty() { self.root.to_path_buf() } else { self.path(key)? };
        self.walk(&dir, key, &mut rows).map_err(|error| match error.kind() {
            // Not an absence: `walk` has answered those.
            io::ErrorKind::NotFound => {
                StoreError::Io { verb: "list", key: prefix.to_owned(), source: error }
            }
            _ => StoreError::io("list", prefix, error),
        })?;
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        let meta = fs::metadata(self.path(key)?);
        Ok(row(key.to_owned(), &meta.map_err(|error| StoreError::io("stat", key, error))?))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path(key)?;
        match fs::remove_file(&path).and_then(|()| sync_parent(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("delete", key, error))
            }
            _ => Ok(()),
        }
    }

    fn habits(&self) -> Habits {
        Habits {
            pack_target_bytes: limits::PACK_FILE_TARGET_BYTES,
            // A disk serves one reader as well as four; what they do with the bytes takes the time.
            reads_in_flight: 4,
            read_join_bytes: 0,
            puts_in_flight: 2,
            patience: RetryPolicy::of_a_file_system(),
        }
    }

    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        let mut rows = Vec::new();
        self.walk(&self.root.join(TMP), TMP, &mut rows)
            .map_err(|error| StoreError::io("list", TMP, error))?;
        Ok(rows)
    }

    fn drop_cached(&self, key: &str) {
        if let Ok(file) = self
            .path(key)
            .and_then(|path| File::open(path).map_err(|error| StoreError::io("get", key, error)))
        {
            // Only advice: a kernel that ignores it costs nothing but the certainty.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}

impl StagedFile {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| StoreError::io("put", TMP, error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn abandon(mut self) {
        self.placed = true;
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.placed {
            // A file that stays is counted by `leftovers` and harms nothing.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Renames without replacing, also where the file system has no such call (NFS): there a hard link
/// refuses in the same way.
fn rename_new(from: &Path, to: &Path) -> io::Result<PutOutcome> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(PutOutcome::Created),
        Err(Errno::EXIST) => Ok(PutOutcome::Exists),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
                Ok(()) => {
                    fs::remove_file(from)?;
                    Ok(PutOutcome::Created)
                }
                Err(Errno::EXIST) => Ok(PutOutcome::Exists),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a directory with its ancestors and syncs every parent that got a new entry.
fn make_dirs(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Ok(()) => sync_parent(dir),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = dir.parent() else { return Err(error) };
            make_dirs(parent)?;
            make_dirs(dir)
        }
        Err(error) => Err(error),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn row(key: String, meta: &fs::Metadata) -> ObjectMeta {
    let modified_ms =
        meta.mtime().saturating_mul(1000).saturating_add(meta.mtime_nsec() / 1_000_000);
    ObjectMeta { key, size: meta.len(), modified_ms }
}
