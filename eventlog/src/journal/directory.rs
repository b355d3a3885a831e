//! The files of a log directory: their names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::Hash;

use crate::error::Error;
use crate::files::Files;
use crate::journal::source::Source;

/// A log directory: where its files lie.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) files: Files,
}

impl Directory {
    pub(crate) fn new(files: Files) -> Self {
        Self { files }
    }

    /// A directory on a disk.
    pub(crate) fn disk(root: &Path) -> Self {
        Self::new(Files::disk(root))
    }

    pub(crate) fn root(&self) -> &Path {
        self.files.root()
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root().join("journal")
    }

    pub(crate) fn segment_path(&self, number: u32) -> PathBuf {
        self.journal().join(format!("{number:010}.seg"))
    }

    pub(crate) fn next_path(&self) -> PathBuf {
        self.journal().join("next")
    }

    pub(crate) fn head_path(&self) -> PathBuf {
        self.root().join("HEAD")
    }

    pub(crate) fn base_path(&self) -> PathBuf {
        self.root().join("BASE")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.root().join("LOCK")
    }

    pub(crate) fn checkpoints_path(&self) -> PathBuf {
        self.root().join("checkpoints")
    }

    pub(crate) fn checkpoint_path(&self, seq: u64) -> PathBuf {
        self.checkpoints_path().join(format!("{seq:020}"))
    }

    pub(crate) fn positions_path(&self) -> PathBuf {
        self.root().join("positions")
    }

    pub(crate) fn attachments_path(&self) -> PathBuf {
        self.root().join("attachments")
    }

    pub(crate) fn attachment_path(&self, hash: &Hash) -> PathBuf {
        let name = hash.to_string();
        let (fan, _) = name.split_at(2);
        self.attachments_path().join(fan).join(name)
    }
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
        self.files.read(&self.head_path())
    }

    fn base(&self) -> Result<Option<Vec<u8>>, Error> {
        self.files.read(&self.base_path())
    }

    fn segments(&self) -> Result<Vec<u32>, Error> {
        self.files.names(&self.journal(), |name| name.strip_suffix(".seg")?.parse().ok())
    }

    fn segment(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error> {
        Ok(self.files.read(&self.segment_path(number))?.map(Arc::new))
    }

    fn checkpoints(&self) -> Result<Vec<u64>, Error> {
        self.files.names(&self.checkpoints_path(), |name| name.parse().ok())
    }

    fn checkpoint(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        self.files.read(&self.checkpoint_path(seq))
    }

    fn attachments(&self) -> Result<Vec<Hash>, Error> {
        let root = self.attachments_path();
        let mut found = Vec::new();
        for fan in self.files.names(&root, |name| Some(name.to_owned()))? {
            found.extend(self.files.names(&root.join(fan), parse_hash)?);
        }
        Ok(found)
    }

    fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        self.files.read(&self.attachment_path(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let log = Directory::disk(dir.path());
        log.files.make(&log.journal()).unwrap();
        for name in ["0000000002.seg", "0000000001.seg", "next", "snap.1.generating", "x.seg"] {
            std::fs::write(log.journal().join(name), b"").unwrap();
        }
        assert_eq!(log.segments().unwrap(), [1, 2]);
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash([0xAB; 32]);
        assert_eq!(parse_hash(&hash.to_string()), Some(hash));
        assert_eq!(parse_hash(&hash.to_string().to_uppercase()), None);
        assert_eq!(parse_hash("ab"), None);
    }
}
