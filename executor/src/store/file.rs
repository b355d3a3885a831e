//! Objects as files below one directory. A put writes a file in `tmp/`, syncs it, renames it without
//! replacing anything, and syncs the directory: after that the name stands for the whole content,
//! through a power cut as well. Where a file system lacks a call for one of these steps another one takes its
//! place, and that is told once.

mod foreign;
mod modes;
mod names;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};

use super::{
    Habits, ObjectMeta, PutOutcome, RetryPolicy, Staged, Store, StoreError, check_key, check_range,
};
use crate::limits;
use modes::Modes;
use names::{CLAIM_PREFIX, Names};

pub(crate) use names::Way;

/// The directory of files that are not objects yet.
const TMP: &str = "tmp";

/// Where objects lie. Whatever else is there is not ours.
const FOLDERS: [&str; 6] = ["keys", "packs", "meta", "intents", "reports", "mirror"];

/// A directory that is a store.
pub struct FileStore {
    root: Arc<Path>,
    /// Distinguishes the temporary files of this process.
    serial: AtomicU64,
    /// Distinguishes processes, also on other machines that share the directory.
    writer: u64,
    names: Names,
    modes: OnceLock<Modes>,
    swept: Once,
    /// Whether a directory, or a file, could not be synced.
    unsynced: AtomicBool,
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
        Ok(Self {
            root: root.into().into(),
            serial: AtomicU64::new(0),
            writer,
            names: Names::beginning_with(Way::NoReplace),
            modes: OnceLock::new(),
            swept: Once::new(),
            unsynced: AtomicBool::new(false),
        })
    }

    /// The same as on a file system that has no better way to give names.
    #[cfg(test)]
    pub(crate) fn with_way(mut self, way: Way) -> Self {
        self.names = Names::beginning_with(way);
        self
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

    fn modes(&self) -> Modes {
        *self.modes.get_or_init(|| Modes::of(&self.root))
    }

    /// A name in `tmp/` that nobody else takes.
    fn mark(&self) -> String {
        format!("{:016x}.{}", self.writer, self.serial.fetch_add(1, Ordering::Relaxed))
    }

    fn temporary(&self) -> io::Result<StagedFile> {
        let dir = self.root.join(TMP);
        let path = dir.join(self.mark());
        let open = || self.modes().create(&path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_dirs(&dir)?;
                open()?
            }
            other => other?,
        };
        self.swept.call_once(|| self.sweep(&dir, &file));
        Ok(StagedFile { file, path, len: 0, placed: false })
    }

    /// Removes what writers left in `tmp/` whose intents have lapsed: they may not commit any more. By the clock of
    /// the file system, as `now` was made just now.
    fn sweep(&self, dir: &Path, now: &File) {
        let (Ok(now), Ok(entries)) = (now.metadata(), fs::read_dir(dir)) else { return };
        let lapsed = row(String::new(), &now).modified_ms - limits::INTENT_LAPSE_MS;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_old = |meta: fs::Metadata| {
                meta.is_file() && row(String::new(), &meta).modified_ms < lapsed
            };
            if name.to_str().is_some_and(is_temporary) && entry.metadata().is_ok_and(is_old) {
                // What somebody else removes, or nobody may, is counted by `leftovers` and harms nothing.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn place(&self, staged: &mut StagedFile, key: &str, to: &Path) -> io::Result<PutOutcome> {
        self.synced(staged.file.sync_data())?;
        let mark = self.mark();
        let claim = self.root.join(TMP).join(format!("{CLAIM_PREFIX}{}", short_hash(key)));
        let give = || self.names.give(&staged.path, to, &claim, &mark);
        let outcome = match give() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(dir) = to.parent() {
                    self.make_dirs(dir)?;
                }
                give()?
            }
            other => other?,
        };
        if outcome == PutOutcome::Created {
            staged.placed = true;
        }
        // Also for a name that was there: its maker may have died between rename and sync.
        self.sync_parent(to)?;
        Ok(outcome)
    }

    /// Makes a directory with its ancestors and syncs every parent that got a new entry. What lies above the
    /// repository is made as the umask says: it may be for others as well.
    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        let make = |dir: &Path| match dir.starts_with(&self.root) {
            true => self.modes().create_dir(dir),
            false => fs::create_dir(dir),
        };
        match make(dir) {
            Ok(()) => self.sync_parent(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(parent) = dir.parent() else { return Err(error) };
                self.make_dirs(parent)?;
                self.make_dirs(dir)
            }
            // A directory that is there may be one in which nothing may be made, or on a medium that is read-only.
            Err(_) if dir.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        let Some(dir) = path.parent() else { return Ok(()) };
        match File::open(dir) {
            Ok(dir) => self.synced(dir.sync_all()),
            // Whoever may make names in a directory and not list it cannot sync it either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.unsynced.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers of a sync that the file system cannot do it.
    fn synced(&self, sync: io::Result<()>) -> io::Result<()> {
        if !crate::closing::synced(sync)? {
            self.unsynced.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn walk(&self, dir: &Path, key: &str, rows: &mut Vec<ObjectMeta>) -> io::Result<()> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if (key.is_empty() && name == TMP) || foreign::is_of_the_system(&name) {
                continue;
            }
            let below = if key.is_empty() { name.into_owned() } else { format!("{key}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                match self.walk(&entry.path(), &below, rows) {
                    // It is there, whoever may look into it, and holds nothing of ours.
                    Err(error)
                        if error.kind() == io::ErrorKind::PermissionDenied
                            && is_foreign(&below) =>
                    {
                        rows.push(ObjectMeta { key: below, size: 0, modified_ms: 0 });
                    }
                    other => other?,
                }
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

    /// An object, opened. What is no file would keep whoever reads it waiting, or never end.
    fn open(&self, key: &str) -> Result<(File, u64), StoreError> {
        let path = self.path(key)?;
        let open = || {
            let opened = File::options().read(true).custom_flags(NO_WAITING).open(&path);
            match opened {
                // Somebody has a lease on it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => File::open(&path),
                opened => opened,
            }
        };
        let read = open().and_then(|file| Ok((file.metadata()?, file)));
        match read.map_err(|error| StoreError::io("get", key, error))? {
            (meta, file) if meta.is_file() => Ok((file, meta.len())),
            _ => Err(StoreError::Invalid { key: key.to_owned(), reason: "is no regular file" }),
        }
    }
}

impl Store for FileStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        let to = self.path(key)?;
        let put = || {
            let mut staged = self.temporary()?;
            staged.file.write_all(bytes)?;
            self.place(&mut staged, key, &to)
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
                self.place(file, key, &to).map_err(|error| StoreError::io("put", key, error))
            }
        }
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let (file, size) = self.open(key)?;
        if size > limit {
            return Err(StoreError::TooLarge { key: key.to_owned(), size, limit });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let read = file.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| StoreError::io("get", key, error))?;
        Ok(bytes)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let (file, size) = self.open(key)?;
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
        match fs::remove_file(&path).and_then(|()| self.sync_parent(&path)) {
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

    fn notices(&self) -> Vec<String> {
        let mut said = Vec::new();
        let root = crate::report::printable(self.root.as_os_str().as_encoded_bytes());
        if self.names.way() == Way::Claims {
            said.push(format!(
                "{root}: this file system has neither hard links nor a rename that replaces nothing: writers agree \
                 by files in tmp/ instead, which is safe as long as none of them is stopped for half a minute at \
                 the wrong moment"
            ));
        }
        if self.unsynced.load(Ordering::Relaxed) {
            said.push(format!(
                "{root}: this file system does not sync what it is asked to: after a power cut the newest objects \
                 may be missing; `check` tells"
            ));
        }
        said
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

/// Opens what would wait for a writer, such as a pipe, without waiting.
const NO_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Whether a path lies where no object does.
fn is_foreign(key: &str) -> bool {
    let first = key.split('/').next().unwrap_or_default();
    !FOLDERS.contains(&first)
}

/// Whether a name in `tmp/` is one that a store made.
fn is_temporary(name: &str) -> bool {
    let serial = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let writer = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.starts_with(CLAIM_PREFIX)
        || name.split_once('.').is_some_and(|(first, rest)| writer(first) && serial(rest))
}

fn short_hash(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex()[..16].to_owned()
}

fn row(key: String, meta: &fs::Metadata) -> ObjectMeta {
    let modified_ms =
        meta.mtime().saturating_mul(1000).saturating_add(meta.mtime_nsec() / 1_000_000);
    ObjectMeta { key, size: meta.len(), modified_ms }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn store() -> (tempfile::TempDir, FileStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(dir.path().join("repo")).unwrap();
        (dir, store)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn k15_everything_of_a_repository_is_its_owners_alone() {
        let (_dir, store) = store();
        store.put_new("keys/a", b"a").unwrap();
        for (path, wanted) in [("", 0o700), ("keys", 0o700), ("tmp", 0o700), ("keys/a", 0o600)] {
            assert_eq!(mode(&store.root().join(path)), wanted, "{path}");
        }
    }

    #[test]
    fn k15_a_directory_that_a_group_shares_passes_that_on() {
        let (_dir, store) = store();
        fs::create_dir(store.root()).unwrap();
        fs::set_permissions(store.root(), fs::Permissions::from_mode(0o2770)).unwrap();
        store.put_new("packs/0a/a", b"a").unwrap();
        for (path, wanted) in [("packs", 0o2770), ("packs/0a", 0o2770), ("packs/0a/a", 0o660)] {
            assert_eq!(mode(&store.root().join(path)), wanted, "{path}");
        }
    }

    #[test]
    fn k15_what_a_system_leaves_is_not_seen_and_what_nobody_may_look_into_is() {
        let (_dir, store) = store();
        store.put_new("config", b"a").unwrap();
        for name in ["lost+found", "packs/@eaDir", ".Trash-1000/files"] {
            fs::create_dir_all(store.root().join(name)).unwrap();
            fs::write(store.root().join(name).join("x"), "x").unwrap();
        }
        let keys =
            || -> Vec<String> { store.list("").unwrap().into_iter().map(|row| row.key).collect() };
        assert_eq!(keys(), ["config"]);
        fs::create_dir(store.root().join("private")).unwrap();
        fs::set_permissions(store.root().join("private"), fs::Permissions::from_mode(0o000))
            .unwrap();
        let for_root = rustix::process::geteuid().is_root();
        assert_eq!(keys(), if for_root { vec!["config"] } else { vec!["config", "private"] });
    }

    #[test]
    fn k20_what_a_writer_left_days_ago_is_removed_by_the_next() {
        let (_dir, first) = store();
        first.put_new("config", b"a").unwrap();
        for (name, days) in [
            ("00000000000000aa.0", 5),
            ("claim.00000000000000aa", 5),
            ("00000000000000aa.1", 1),
            ("a note", 99),
        ] {
            let file = File::create(first.root().join(TMP).join(name)).unwrap();
            let now: SystemTime = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - Duration::from_secs(days * 86_400)).unwrap();
        }
        FileStore::new(first.root()).unwrap().put_new("keys/b", b"b").unwrap();
        let mut left: Vec<String> =
            first.leftovers().unwrap().into_iter().map(|row| row.key).collect();
        left.sort();
        assert_eq!(left, ["tmp/00000000000000aa.1", "tmp/a note"]);
    }

    #[test]
    fn s02_a_pipe_in_the_place_of_an_object_keeps_nobody_waiting() {
        let (_dir, store) = store();
        store.put_new("keys/a", b"a").unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, store.root().join("config"), kind, mode, 0).unwrap();
        assert!(matches!(store.get("config", 9), Err(StoreError::Invalid { .. })));
        assert!(matches!(store.get_range("config", 0, 1), Err(StoreError::Invalid { .. })));
    }
}
