//! Opens directories beneath a root by descriptors, never through a symbolic link.
//!
//! Both ends use it: the source so that a link which is swapped in during the walk leads nowhere, the sink so
//! that nothing is ever written outside its root, nor on what is mounted beneath it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, StatxFlags, fstat, makedev, openat, openat2, statx,
};
use rustix::io::Errno;

/// Bytes of a path that one call takes; the kernel's limit is 4,096 with the NUL.
const PATH_CALL_MAX_BYTES: usize = 4_000;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory and what lies beneath it.
pub(crate) struct Root {
    fd: OwnedFd,
    /// Old kernels and some sandboxes have no `openat2`: then each component is opened by itself.
    by_component: AtomicBool,
    /// Where nothing that is mounted beneath may be entered: the root's own mount.
    mount: Option<Mount>,
}

/// A mount. The device alone does not tell: a directory can be mounted a second time on its own file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mount {
    device: u64,
    /// Kernels before 5.8 have none.
    id: Option<u64>,
}

impl Mount {
    fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        match statx(fd, "", AtFlags::EMPTY_PATH, mask) {
            Ok(found) => {
                let id =
                    (found.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(found.stx_mnt_id);
                Ok(Self { device: makedev(found.stx_dev_major, found.stx_dev_minor), id })
            }
            Err(Errno::NOSYS) => Ok(Self { device: fstat(fd)?.st_dev, id: None }),
            Err(error) => Err(error.into()),
        }
    }

    /// Subvolumes have devices of their own and are no mounts, so that the id decides where there is one.
    fn is(self, other: Self) -> bool {
        match (self.id, other.id) {
            (Some(own), Some(other)) => own == other,
            _ => self.device == other.device,
        }
    }
}

/// Whether something is mounted, by itself, on another mount than the directory in which it has its name. Where the
/// kernel cannot tell it is not.
pub(crate) fn is_mounted_in(dir: BorrowedFd<'_>, file: BorrowedFd<'_>) -> bool {
    let id = |fd| Mount::of(fd).ok().and_then(|mount| mount.id);
    id(dir).zip(id(file)).is_some_and(|(dir, file)| dir != file)
}

impl Root {
    /// Opens the root. Links in `path` itself are followed: its owner wrote it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { fd, by_component: AtomicBool::new(false), mount: None })
    }

    /// The same, and what is mounted beneath it is not entered: `CrossesDevices`.
    pub(crate) fn open_one_mount(path: &Path) -> io::Result<Self> {
        let mut root = Self::open(path)?;
        root.mount = Some(Mount::of(root.fd())?);
        Ok(root)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens the directory at a relative path of plain components; the empty path is the root itself.
    pub(crate) fn open_dir(&self, relative: &[u8]) -> io::Result<OwnedFd> {
        if relative.is_empty() {
            return Ok(openat(&self.fd, ".", DIRECTORY, Mode::empty())?);
        }
        let mut at: Option<OwnedFd> = None;
        for part in calls(relative) {
            let from = at.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            at = Some(self.open_part(from, part)?);
        }
        at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }

    /// Opens a directory in a directory beneath this root. What is mounted on it is entered by no root that
    /// stays on one mount, nor by this one if `never_across`.
    pub(crate) fn open_child(
        &self,
        from: BorrowedFd<'_>,
        name: &[u8],
        never_across: bool,
    ) -> io::Result<OwnedFd> {
        let fd = self.open_part(from, name)?;
        if never_across && self.mount.is_none() && !Mount::of(fd.as_fd())?.is(Mount::of(from)?) {
            return Err(Errno::XDEV.into());
        }
        Ok(fd)
    }

    fn open_part(&self, from: BorrowedFd<'_>, part: &[u8]) -> io::Result<OwnedFd> {
        if !self.by_component.load(Ordering::Relaxed) {
            let mut resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            resolve.set(ResolveFlags::NO_XDEV, self.mount.is_some());
            match openat2(from, part, DIRECTORY, Mode::empty(), resolve) {
                Err(Errno::NOSYS | Errno::PERM) => {
                    self.by_component.store(true, Ordering::Relaxed);
                }
                other => return Ok(other?),
            }
        }
        let mut at: Option<OwnedFd> = None;
        for name in part.split(|byte| *byte == b'/') {
            if name == b".." {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            let from = at.as_ref().map_or(from, AsFd::as_fd);
            let fd = openat(from, name, DIRECTORY, Mode::empty())?;
            if let Some(own) = self.mount
                && !own.is(Mount::of(fd.as_fd())?)
            {
                return Err(Errno::XDEV.into());
            }
            at = Some(fd);
        }
        at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }
}

/// Cuts a relative path at slashes into parts that one call takes.
fn calls(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if rest.len() <= PATH_CALL_MAX_BYTES {
            return Some(std::mem::take(&mut rest));
        }
        let cut = rest[..PATH_CALL_MAX_BYTES].iter().rposition(|byte| *byte == b'/')?;
        let (head, tail) = rest.split_at(cut);
        rest = &tail[1..];
        Some(head)
    })
}

/// Appends a component to a relative path.
pub(crate) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
    path.extend_from_slice(parent);
    if !parent.is_empty() && parent != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Appends a component to a path that is one buffer for a whole walk.
pub(crate) fn extend(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() && path != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn both(root: &Path, check: impl Fn(&Root)) {
        check(&Root::open(root).unwrap());
        let slow = Root::open(root).unwrap();
        slow.by_component.store(true, Ordering::Relaxed);
        check(&slow);
    }

    #[test]
    fn links_are_followed_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::create_dir(outside.path().join("b")).unwrap();
        symlink(outside.path(), dir.path().join("a/out")).unwrap();
        symlink("b", dir.path().join("a/in")).unwrap();
        both(dir.path(), |root| {
            assert!(root.open_dir(b"").is_ok());
            assert!(root.open_dir(b"a/b").is_ok());
            for path in [&b"a/out"[..], b"a/out/b", b"a/in", b"..", b"a/../.."] {
                assert!(root.open_dir(path).is_err(), "{}", String::from_utf8_lossy(path));
            }
        });
    }

    #[test]
    fn a_path_of_4096_levels_opens() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut at = root.open_dir(b"").unwrap();
        let mut path = Vec::new();
        for _ in 0..4_096 {
            rustix::fs::mkdirat(&at, "dd", Mode::RWXU).unwrap();
            at = openat(&at, "dd", DIRECTORY, Mode::empty()).unwrap();
            path = join(&path, b"dd");
        }
        both(dir.path(), |root| assert!(root.open_dir(&path).is_ok()));
        // The library that removes the temporary directory would need one descriptor a level.
        drop(at);
        std::process::Command::new("rm").arg("-rf").arg(dir.path().join("dd")).status().unwrap();
    }

    #[test]
    fn what_is_mounted_by_itself_is_told_from_what_lies_in_its_directory() {
        let open = |path: &str| Root::open(Path::new(path)).unwrap();
        let (top, proc, inside) = (open("/"), open("/proc"), open("/proc/self"));
        assert!(is_mounted_in(top.fd(), proc.fd()));
        assert!(!is_mounted_in(proc.fd(), inside.fd()));
    }
}
