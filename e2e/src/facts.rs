//! What can be seen of every entry of a tree: all that a restore promises to bring back.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, lgetxattr, llistxattr, seek};
use rustix::io::Errno;

/// Largest list of names and largest value of extended attributes that the kernel hands out.
const ATTRIBUTE_BYTES: usize = 64 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Shorter holes count as data: a repository keeps their zeros (`docs/format.md`, "Pieces").
const HOLE_BYTES: u64 = 32 * 1024;
/// Differences that are shown; the rest is counted.
const SHOWN: usize = 12;

/// All entries of a tree by their path in it; the tree's own directory has the empty path.
pub type Facts = BTreeMap<PathBuf, Fact>;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is, and what it holds.
    pub kind: Kind,
    /// Permissions with the setuid, setgid and sticky bits. Links have none that count.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// Extended attributes, access lists among them.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first path of the same file, if that is another one.
    pub same_as: Option<PathBuf>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its size.
        bytes: u64,
        /// Beginnings and ends of what is no hole.
        data: Vec<(u64, u64)>,
        /// SipHash of what is no hole: damage is to be seen, not an enemy to be kept out.
        content: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link and what it says.
    Symlink(PathBuf),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device and its number.
    CharDevice(u64),
    /// A block device and its number.
    BlockDevice(u64),
}

impl Fact {
    /// Whether it is a further name of a file that another path stands for.
    #[must_use]
    pub fn is_further_name(&self) -> bool {
        self.same_as.is_some()
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }
}

/// Everything at and beneath a directory.
///
/// # Errors
/// What reading it answers.
pub fn of(root: &Path) -> io::Result<Facts> {
    let mut facts = Facts::new();
    let mut names: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut ahead = vec![PathBuf::new()];
    while let Some(relative) = ahead.pop() {
        let path =
            if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(&relative) };
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            let mut beneath = Vec::new();
            for entry in fs::read_dir(&path)? {
                beneath.push(relative.join(entry?.file_name()));
            }
            // Taken from the end: paths are visited in their order, so that the first name is the least.
            beneath.sort_unstable_by(|a, b| b.cmp(a));
            ahead.append(&mut beneath);
        }
        let mut same_as = None;
        if !meta.is_dir() && meta.nlink() > 1 {
            let first = names.entry((meta.dev(), meta.ino())).or_insert_with(|| relative.clone());
            same_as = Some(first.clone()).filter(|first| *first != relative);
        }
        facts.insert(relative, fact(&path, &meta, same_as)?);
    }
    Ok(facts)
}

fn fact(path: &Path, meta: &Metadata, same_as: Option<PathBuf>) -> io::Result<Fact> {
    let kind = kind(path, meta)?;
    // The mode of a link means nothing, and nobody can set it.
    let mode = if meta.is_symlink() { 0 } else { meta.mode() & 0o7777 };
    Ok(Fact {
        kind,
        mode,
        owner: (meta.uid(), meta.gid()),
        modified: (meta.mtime(), meta.mtime_nsec()),
        attributes: attributes(path)?,
        same_as,
    })
}

fn kind(path: &Path, meta: &Metadata) -> io::Result<Kind> {
    let kind = meta.file_type();
    Ok(if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        Kind::Symlink(fs::read_link(path)?)
    } else if kind.is_fifo() {
        Kind::Fifo
    } else if kind.is_socket() {
        Kind::Socket
    } else if kind.is_char_device() {
        Kind::CharDevice(meta.rdev())
    } else if kind.is_block_device() {
        Kind::BlockDevice(meta.rdev())
    } else {
        let file = File::open(path)?;
        let data = data(&file, meta.len())?;
        let content = content(&file, &data)?;
        Kind::File { bytes: meta.len(), data, content }
    })
}

/// Holes are not read: some are larger than anybody would wait for.
fn content(file: &File, data: &[(u64, u64)]) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut bytes = vec![0; READ_BYTES];
    for (start, end) in data {
        let mut at = *start;
        while at < *end {
            let part = usize::try_from(end - at).unwrap_or(usize::MAX).min(READ_BYTES);
            file.read_exact_at(&mut bytes[..part], at)?;
            hasher.write(&bytes[..part]);
            at += part as u64;
        }
    }
    Ok(hasher.finish())
}

/// Beginnings and ends of the parts of a file that are no holes.
fn data(file: &File, bytes: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut found = |start: u64, end: u64| match parts.last_mut() {
        Some(last) if start - last.1 < HOLE_BYTES => last.1 = end,
        None if start > 0 && start < HOLE_BYTES => parts.push((0, end)),
        _ => parts.push((start, end)),
    };
    let mut at = 0;
    while at < bytes {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // From here to the end there is a hole.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = seek(file, SeekFrom::Hole(start))?;
        found(start, at);
    }
    if at < bytes {
        // An empty part: joins a short hole at the end, and vanishes behind a long one.
        found(bytes, bytes);
    }
    parts.retain(|(start, end)| start < end);
    Ok(parts)
}

fn attributes(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = vec![0; ATTRIBUTE_BYTES];
    let count = match llistxattr(path, &mut names[..]) {
        Err(Errno::NOTSUP) => 0,
        other => other?,
    };
    let mut all = BTreeMap::new();
    for name in names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; ATTRIBUTE_BYTES];
        let count = lgetxattr(path, name, &mut value[..])?;
        value.truncate(count);
        all.insert(name.to_vec(), value);
    }
    Ok(all)
}

/// Compares two trees and shows the first differences.
///
/// # Panics
/// If there are any.
pub fn assert_same(expected: &Facts, found: &Facts) {
    let mut differences = Vec::new();
    for (path, fact) in expected {
        match found.get(path) {
            Some(other) if other == fact => {}
            Some(other) => differences.push(format!("{path:?}\n  was {fact:?}\n  is  {other:?}")),
            None => differences.push(format!("{path:?} is missing; it was {fact:?}")),
        }
    }
    for (path, fact) in found.iter().filter(|(path, _)| !expected.contains_key(*path)) {
        differences.push(format!("{path:?} is there and was not: {fact:?}"));
    }
    let count = differences.len();
    differences.truncate(SHOWN);
    assert!(count == 0, "{count} entries differ:\n{}", differences.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join("a"), b"a").unwrap();
        fs::hard_link(root.join("a"), root.join("b")).unwrap();
        let sparse = File::create(root.join("sparse")).unwrap();
        sparse.set_len(1 << 20).unwrap();
        let before = of(root).unwrap();
        assert_eq!(before[Path::new("b")].same_as.as_deref(), Some(Path::new("a")));
        assert_eq!(before[Path::new("a")].same_as, None);
        let Kind::File { data, .. } = &before[Path::new("sparse")].kind else { panic!("a file") };
        assert_eq!(data, &[]);
        assert_same(&before, &of(root).unwrap());

        fs::write(root.join("sparse"), vec![0; 1 << 20]).unwrap();
        let after = of(root).unwrap();
        assert_ne!(before[Path::new("sparse")].kind, after[Path::new("sparse")].kind, "no hole");
        fs::remove_file(root.join("b")).unwrap();
        fs::write(root.join("b"), b"a").unwrap();
        assert_eq!(of(root).unwrap()[Path::new("b")].same_as, None, "a file of its own");
    }
}
