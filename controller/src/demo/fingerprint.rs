//! What makes two trees the same to their owner, so that "byte for byte" is a comparison and no claim.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// One entry of a tree, without what a restore cannot or must not keep (inode, ctime, atime).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Directory,
    File { hash: [u8; 32], length: u64, first_name: PathBuf },
    Link(Vec<u8>),
    Special,
}

/// A tree as its owner sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Fingerprint {
    /// Reads everything below `root`.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut inodes = BTreeMap::new();
        let mut entries = BTreeMap::new();
        walk(root, Path::new(""), &mut inodes, &mut entries)?;
        Ok(Self { entries })
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Paths that differ, or exist on one side only.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<PathBuf> {
        let names = self.entries.keys().chain(other.entries.keys());
        let names: std::collections::BTreeSet<&PathBuf> = names.collect();
        names
            .into_iter()
            .filter(|name| self.entries.get(*name) != other.entries.get(*name))
            .cloned()
            .collect()
    }
}

fn walk(
    root: &Path,
    below: &Path,
    inodes: &mut BTreeMap<(u64, u64), PathBuf>,
    entries: &mut BTreeMap<PathBuf, Entry>,
) -> io::Result<()> {
    let mut names: Vec<OsString> = fs::read_dir(root.join(below))?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let path = below.join(name);
        let full = root.join(&path);
        let meta = fs::symlink_metadata(&full)?;
        let kind = meta.file_type();
        let content = if kind.is_dir() {
            walk(root, &path, inodes, entries)?;
            Content::Directory
        } else if kind.is_symlink() {
            Content::Link(fs::read_link(&full)?.into_os_string().into_vec())
        } else if kind.is_file() {
            let first_name =
                inodes.entry((meta.dev(), meta.ino())).or_insert_with(|| path.clone()).clone();
            let mut hasher = blake3::Hasher::new();
            io::copy(&mut fs::File::open(&full)?, &mut hasher)?;
            Content::File { hash: *hasher.finalize().as_bytes(), length: meta.len(), first_name }
        } else {
            debug_assert!(
                kind.is_fifo()
                    || kind.is_socket()
                    || kind.is_char_device()
                    || kind.is_block_device()
            );
            Content::Special
        };
        let entry = Entry {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            modified: (meta.mtime(), meta.mtime_nsec()),
            content,
        };
        entries.insert(path, entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_changed_bit_a_mode_and_a_lost_link_are_all_seen() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"one").unwrap();
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        fs::write(dir.path().join("c"), b"three").unwrap();
        let before = Fingerprint::of(dir.path()).unwrap();
        assert!(before.differences(&Fingerprint::of(dir.path()).unwrap()).is_empty());
        fs::remove_file(dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b"), b"one").unwrap();
        fs::set_permissions(dir.path().join("c"), fs::Permissions::from_mode(0o600)).unwrap();
        let after = Fingerprint::of(dir.path()).unwrap();
        assert_eq!(before.differences(&after), vec![PathBuf::from("b"), PathBuf::from("c")]);
    }
}
