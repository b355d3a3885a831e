//! Reads extended attributes, each by itself: one that cannot be read costs no other.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, fgetxattr, flistxattr, flistxattr_query, lgetxattr, llistxattr};
use rustix::fs::{llistxattr_query, statat};
use rustix::io::Errno;

use crate::beneath::join;
use crate::report::printable;
use crate::tree::{ATTRIBUTE_VALUE_MAX_BYTES, ATTRIBUTES_MAX_BYTES, Attribute};

/// How often a list or a value that grows while it is read is read again.
const SIZE_TRIES: usize = 8;

/// Most bytes that name and value of an attribute take beside themselves in a list.
const ATTRIBUTE_OVERHEAD_BYTES: usize = 8;

/// What could be read of the attributes of an entry, and what not.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Sorted by name.
    pub(crate) list: Vec<Attribute>,
    /// Why something is missing in the list; empty when nothing is.
    pub(crate) refused: Vec<String>,
}

/// The attributes of an open file or directory. A file system without attributes has none.
pub(crate) fn read_attributes_of(fd: BorrowedFd<'_>) -> Found {
    collect(
        || flistxattr_query(fd),
        |buffer| flistxattr(fd, buffer),
        |name, value| fgetxattr(fd, name, value),
    )
}

/// The attributes of an entry that is not opened: a link, a pipe, a device.
pub(crate) fn read_attributes_at(dir: BorrowedFd<'_>, name: &[u8]) -> Found {
    let path = entry_path(dir, name);
    collect(
        || match llistxattr_query(&path) {
            // It has vanished and has none, or there is no `/proc`.
            Err(Errno::NOENT) if statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_err() => Ok(0),
            other => other,
        },
        |buffer| llistxattr(&path, buffer),
        |name, value| lgetxattr(&path, name, value),
    )
}

/// A path that leads to an entry of an open directory without following the entry itself: there are no
/// calls for attributes relative to a descriptor.
fn entry_path(dir: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
    PathBuf::from(std::ffi::OsString::from_vec(join(path.as_bytes(), name)))
}

fn collect(
    query: impl Fn() -> rustix::io::Result<usize>,
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: impl Fn(&[u8], &mut [u8]) -> rustix::io::Result<usize>,
) -> Found {
    let mut found = Found::default();
    let names = match sized(query, list) {
        Ok(names) => names,
        Err(Errno::NOTSUP | Errno::NOSYS) => return found,
        Err(error) => {
            found.refused.push(format!("its attributes cannot be listed: {error}"));
            return found;
        }
    };
    let mut buffer = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // The largest value that there can be: the size need not be asked for.
        buffer.resize(ATTRIBUTE_VALUE_MAX_BYTES, 0);
        match get(name, &mut buffer) {
            Ok(len) => {
                let value = buffer[..len].to_vec();
                found.list.push(Attribute { name: name.to_vec(), value });
            }
            // One that vanished in between is not there.
            Err(Errno::NODATA) => {}
            Err(error) => found.refused.push(format!("attribute {}: {error}", printable(name))),
        }
    }
    found.list.sort_unstable();
    found.list.dedup_by(|a, b| a.name == b.name);
    found.fit();
    found
}

/// Asks how much there is, and then for it; again where it grew meanwhile.
///
/// # Errors
/// What the system says.
pub(crate) fn sized(
    query: impl Fn() -> rustix::io::Result<usize>,
    get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Vec<u8>> {
    for _ in 0..SIZE_TRIES {
        // Most entries have no attributes: one call answers that without an allocation.
        let len = query()?;
        if len == 0 {
            return Ok(Vec::new());
        }
        let mut buffer = vec![0; len];
        match get(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::RANGE)
}

impl Found {
    /// Leaves out what a snapshot cannot hold.
    fn fit(&mut self) {
        let mut bytes = ATTRIBUTE_OVERHEAD_BYTES;
        let refused = &mut self.refused;
        self.list.retain(|one| {
            let size = one.name.len() + one.value.len() + ATTRIBUTE_OVERHEAD_BYTES;
            let fits = bytes + size <= ATTRIBUTES_MAX_BYTES;
            if fits {
                bytes += size;
            } else {
                let name = printable(&one.name);
                refused.push(format!(
                    "attribute {name}: those of one entry have more than {ATTRIBUTES_MAX_BYTES} bytes"
                ));
            }
            fits
        });
    }
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
        assert_eq!(read_attributes_of(file.as_fd()).list, []);
        xattr::set(&path, "user.b", b"2").unwrap();
        xattr::set(&path, "user.a", &[0u8, 255][..]).unwrap();
        xattr::set(&path, "user.empty", b"").unwrap();
        let one = |name: &str, value: &[u8]| Attribute {
            name: name.as_bytes().to_vec(),
            value: value.to_vec(),
        };
        let expected = [one("user.a", &[0, 255]), one("user.b", b"2"), one("user.empty", b"")];
        assert_eq!(read_attributes_of(file.as_fd()).list, expected);
        let parent = File::open(dir.path()).unwrap();
        let found = read_attributes_at(parent.as_fd(), b"f");
        assert_eq!((&found.list[..], found.refused.len()), (&expected[..], 0));
        assert!(read_attributes_at(parent.as_fd(), b"gone").refused.is_empty());
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"x").unwrap();
        xattr::set(dir.path().join("f"), "user.a", b"1").unwrap();
        std::os::unix::fs::symlink("f", dir.path().join("l")).unwrap();
        let parent = File::open(dir.path()).unwrap();
        assert_eq!(read_attributes_at(parent.as_fd(), b"l").list, []);
    }

    #[test]
    fn k02_one_attribute_that_is_refused_costs_no_other_and_is_named() {
        for errno in [Errno::ACCESS, Errno::PERM, Errno::IO, Errno::NOTSUP, Errno::RANGE] {
            let list = |buffer: &mut [u8]| {
                buffer.copy_from_slice(b"user.a\0user.b\0user.c\0user.gone\0");
                Ok(buffer.len())
            };
            let get = |name: &[u8], value: &mut [u8]| match name {
                b"user.b" => Err(errno),
                b"user.gone" => Err(Errno::NODATA),
                _ => {
                    value[0] = b'v';
                    Ok(1)
                }
            };
            let found = collect(|| Ok(31), list, get);
            let names: Vec<_> = found.list.iter().map(|one| one.name.as_slice()).collect();
            assert_eq!(names, [b"user.a", b"user.c"], "{errno}");
            assert_eq!(found.refused.len(), 1);
            assert!(found.refused[0].contains("user.b"), "{:?}", found.refused);
        }
    }

    #[test]
    fn k02_a_list_that_is_refused_is_said_and_one_that_grows_is_read_again() {
        let get = |_: &[u8], _: &mut [u8]| Ok(0);
        for errno in [Errno::NOTSUP, Errno::NOSYS] {
            let found = collect(|| Err(errno), |_| Ok(0), get);
            assert!(found.list.is_empty() && found.refused.is_empty());
        }
        for errno in [Errno::ACCESS, Errno::PERM, Errno::IO, Errno::TOOBIG, Errno::STALE] {
            let found = collect(|| Err(errno), |_| Ok(0), get);
            assert_eq!(found.refused.len(), 1, "{errno}");
        }
        let times = std::cell::Cell::new(0);
        let list = |buffer: &mut [u8]| {
            times.set(times.get() + 1);
            if times.get() < 3 {
                return Err(Errno::RANGE);
            }
            buffer.copy_from_slice(b"user.a\0");
            Ok(7)
        };
        assert_eq!(collect(|| Ok(7), list, get).list.len(), 1);
        let never = collect(|| Ok(7), |_| Err(Errno::RANGE), get);
        assert_eq!(never.refused.len(), 1);
    }
}
