//! Reads extended attributes.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use xattr::FileExt;

use crate::beneath::join;
use crate::tree::Attribute;

/// The attributes of an open file or directory, sorted by name. A file system without attributes has none.
pub(crate) fn read_attributes_of(fd: BorrowedFd<'_>) -> io::Result<Vec<Attribute>> {
    // Most entries have none: one call answers that without an allocation.
    match rustix::fs::flistxattr_query(fd) {
        Ok(0) | Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let file = fd.try_clone_to_owned()?;
    let file = std::fs::File::from(file);
    collect(file.list_xattr()?, |name| file.get_xattr(name))
}

/// The attributes of an entry that is not opened: a link, a pipe, a device.
pub(crate) fn read_attributes_at(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<Attribute>> {
    let path = entry_path(dir, name);
    match xattr::list(&path) {
        Ok(names) => collect(names, |name| xattr::get(&path, name)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A path that leads to an entry of an open directory without following the entry itself: there are no
/// calls for attributes relative to a descriptor.
fn entry_path(dir: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
    PathBuf::from(std::ffi::OsString::from_vec(join(path.as_bytes(), name)))
}

fn collect(
    names: impl Iterator<Item = std::ffi::OsString>,
    get: impl Fn(&OsStr) -> io::Result<Option<Vec<u8>>>,
) -> io::Result<Vec<Attribute>> {
    let mut list = Vec::new();
    for name in names {
        // One that vanished in between is not there.
        if let Some(value) = get(&name)? {
            list.push(Attribute { name: name.as_bytes().to_vec(), value });
        }
    }
    list.sort_unstable();
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn attributes_are_read_sorted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"x").unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(read_attributes_of(file.as_fd()).unwrap(), []);
        xattr::set(&path, "user.b", b"2").unwrap();
        xattr::set(&path, "user.a", &[0u8, 255][..]).unwrap();
        let expected = [
            Attribute { name: b"user.a".to_vec(), value: vec![0, 255] },
            Attribute { name: b"user.b".to_vec(), value: b"2".to_vec() },
        ];
        assert_eq!(read_attributes_of(file.as_fd()).unwrap(), expected);
        let parent = File::open(dir.path()).unwrap();
        assert_eq!(read_attributes_at(parent.as_fd(), b"f").unwrap(), expected);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"x").unwrap();
        xattr::set(dir.path().join("f"), "user.a", b"1").unwrap();
        std::os::unix::fs::symlink("f", dir.path().join("l")).unwrap();
        let parent = File::open(dir.path()).unwrap();
        assert_eq!(read_attributes_at(parent.as_fd(), b"l").unwrap(), []);
    }
}
