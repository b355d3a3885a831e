//! The files of a log directory: their names, and how they are made to last.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::Hash;

use crate::error::{Context, Error};
use crate::journal::source::Source;

/// A log directory; reading only.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    pub(crate) fn segment_path(&self, number: u32) -> PathBuf {
        self.journal().join(format!("{number:010}.seg"))
    }

    pub(crate) fn next_path(&self) -> PathBuf {
        self.journal().join("next")
    }

    pub(crate) fn head_path(&self) -> PathBuf {
        self.root.join("HEAD")
    }

    pub(crate) fn base_path(&self) -> PathBuf {
        self.root.join("BASE")
    }

    pub(crate) fn checkpoint_path(&self, seq: u64) -> PathBuf {
        self.root.join("checkpoints").join(format!("{seq:020}"))
    }

    pub(crate) fn attachment_path(&self, hash: &Hash) -> PathBuf {
        let name = hash.to_string();
        let (fan, _) = name.split_at(2);
        self.root.join("attachments").join(fan).join(name)
    }
}

/// A file's bytes; `None` if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).context("read", path),
    }
}

/// Makes the entries of a directory last.
pub(crate) fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|dir| dir.sync_all()).context("sync directory", path)
}

/// Makes a directory and makes its entry last.
pub(crate) fn make(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    private_dirs(path).context("create", path)?;
    path.parent().map_or(Ok(()), sync)
}

/// Makes a directory and what is missing above it, for their owner alone: what happened to whose data is nobody
/// else's business, whatever the umask.
pub(crate) fn private_dirs(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file anew, for its owner alone.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes a file whole: under a temporary name, synced, renamed, its directory synced.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = path.with_extension("tmp");
    let written = private_file(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .context("write", &temporary);
    if let Err(error) = written {
        // What is left of it takes the space that is missing.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    fs::rename(&temporary, path).context("rename", path)?;
    path.parent().map_or(Ok(()), sync)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.context("remove", path),
    }
}

/// Names in a directory that parse as what belongs there; foreign files are left alone.
fn names<T: Ord>(dir: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context("list", dir)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.context("list", dir)?.file_name();
        found.extend(name.to_str().and_then(&parse));
    }
    found.sort_unstable();
    Ok(found)
}

/// A hash from its 64 hexadecimal digits.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.0.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    (hash.to_string() == text).then_some(hash)
}

impl Source for Directory {
    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.head_path())
    }

    fn base(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.base_path())
    }

    fn segments(&self) -> Result<Vec<u32>, Error> {
        names(&self.journal(), |name| name.strip_suffix(".seg")?.parse().ok())
    }

    fn segment(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error> {
        Ok(read(&self.segment_path(number))?.map(Arc::new))
    }

    fn checkpoints(&self) -> Result<Vec<u64>, Error> {
        names(&self.root.join("checkpoints"), |name| name.parse().ok())
    }

    fn checkpoint(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        read(&self.checkpoint_path(seq))
    }

    fn attachments(&self) -> Result<Vec<Hash>, Error> {
        let root = self.root.join("attachments");
        let mut found = Vec::new();
        for fan in names(&root, |name| Some(name.to_owned()))? {
            found.extend(names(&root.join(fan), parse_hash)?);
        }
        Ok(found)
    }

    fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        read(&self.attachment_path(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        make(&journal).unwrap();
        for name in ["0000000002.seg", "0000000001.seg", "next", "snap.1.generating", "x.seg"] {
            fs::write(journal.join(name), b"").unwrap();
        }
        assert_eq!(Directory::new(dir.path()).segments().unwrap(), [1, 2]);
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash([0xAB; 32]);
        assert_eq!(parse_hash(&hash.to_string()), Some(hash));
        assert_eq!(parse_hash(&hash.to_string().to_uppercase()), None);
        assert_eq!(parse_hash("ab"), None);
    }
}
