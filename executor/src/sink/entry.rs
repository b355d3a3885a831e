//! An entry of the target, as a restore asks and changes its metadata: by descriptor, or by name where nobody
//! may open it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
    XattrFlags, chmod, chownat, fchmod, fchown, fgetxattr, fgetxattr_query, flistxattr,
    flistxattr_query, fremovexattr, fsetxattr, fstat, futimens, lgetxattr, lgetxattr_query,
    llistxattr, llistxattr_query, lremovexattr, lsetxattr, mkdirat, openat, statat, utimensat,
};
use rustix::io::{Errno, Result};

use super::attributes::DEFAULT_LIST;
use crate::beneath::{Root, join};
use crate::source::{sized, stat_time};
use crate::tree::Time;

/// Permissions, setuid, setgid, sticky.
const MODE_MASK: u32 = 0o7777;

/// What owners need to work in a directory.
pub(super) const OWNER_BITS: u32 = 0o700;

/// What can be seen of an entry's metadata without its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: FileType,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) mtime: Time,
}

impl Seen {
    fn of(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & MODE_MASK,
            mtime: stat_time(stat).1,
        }
    }
}

/// The calls that a restore makes for metadata. Each can fail by itself, and each file system has its own ways.
pub(super) trait Entry {
    fn seen(&self) -> Result<Seen>;
    fn own(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()>;
    fn set_mode(&self, mode: u32) -> Result<()>;
    fn set_time(&self, mtime: Time) -> Result<()>;
    fn names(&self) -> Result<Vec<Vec<u8>>>;
    fn value(&self, name: &[u8]) -> Result<Vec<u8>>;
    fn set(&self, name: &[u8], value: &[u8]) -> Result<()>;
    fn remove(&self, name: &[u8]) -> Result<()>;
    /// Who asks.
    fn me(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }
}

/// An open file or directory.
pub(super) struct Opened<'f>(pub(super) BorrowedFd<'f>);

impl Entry for Opened<'_> {
    fn seen(&self) -> Result<Seen> {
        Ok(Seen::of(&fstat(self.0)?))
    }

    fn own(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = owner(uid, gid)?;
        fchown(self.0, uid, gid)
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        fchmod(self.0, Mode::from_raw_mode(mode))
    }

    fn set_time(&self, mtime: Time) -> Result<()> {
        futimens(self.0, &times(mtime))
    }

    fn names(&self) -> Result<Vec<Vec<u8>>> {
        let list = sized(|| flistxattr_query(self.0), |buffer| flistxattr(self.0, buffer))?;
        Ok(split(&list))
    }

    fn value(&self, name: &[u8]) -> Result<Vec<u8>> {
        sized(|| fgetxattr_query(self.0, name), |buffer| fgetxattr(self.0, name, buffer))
    }

    fn set(&self, name: &[u8], value: &[u8]) -> Result<()> {
        fsetxattr(self.0, name, value, XattrFlags::empty())
    }

    fn remove(&self, name: &[u8]) -> Result<()> {
        fremovexattr(self.0, name)
    }
}

/// A name of a directory that is not opened: a link, a pipe, a device, a file that nobody may read. It is
/// held by a descriptor that only names it, so that a change of places in between leads nowhere else.
pub(super) struct Named<'d> {
    dir: BorrowedFd<'d>,
    name: &'d [u8],
    /// Names the entry.
    held: OwnedFd,
    /// For attributes, which no call reaches relative to a descriptor.
    path: Vec<u8>,
    is_link: bool,
}

impl<'d> Named<'d> {
    /// Holds a name, whatever it stands for.
    pub(super) fn hold(dir: BorrowedFd<'d>, name: &'d [u8]) -> io::Result<Self> {
        let held = hold(dir, name)?;
        let is_link = FileType::from_raw_mode(fstat(&held)?.st_mode) == FileType::Symlink;
        let path = join(format!("/proc/self/fd/{}", dir.as_raw_fd()).as_bytes(), name);
        Ok(Self { dir, name, held, path, is_link })
    }
}

impl Entry for Named<'_> {
    fn seen(&self) -> Result<Seen> {
        Ok(Seen::of(&fstat(&self.held)?))
    }

    fn own(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = owner(uid, gid)?;
        chownat(&self.held, "", uid, gid, AtFlags::EMPTY_PATH)
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        if self.is_link {
            return Ok(());
        }
        set_mode_of(&self.held, mode)
    }

    fn set_time(&self, mtime: Time) -> Result<()> {
        utimensat(self.dir, self.name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn names(&self) -> Result<Vec<Vec<u8>>> {
        let path = &self.path[..];
        let list = sized(|| llistxattr_query(path), |buffer| llistxattr(path, buffer))?;
        Ok(split(&list))
    }

    fn value(&self, name: &[u8]) -> Result<Vec<u8>> {
        let path = &self.path[..];
        sized(|| lgetxattr_query(path, name), |buffer| lgetxattr(path, name, buffer))
    }

    fn set(&self, name: &[u8], value: &[u8]) -> Result<()> {
        lsetxattr(&self.path[..], name, value, XattrFlags::empty())
    }

    fn remove(&self, name: &[u8]) -> Result<()> {
        lremovexattr(&self.path[..], name)
    }
}

/// A descriptor that only names an entry, and follows no link.
fn hold(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The mode of what a descriptor only names: no call takes such a descriptor on all kernels.
fn set_mode_of(held: &OwnedFd, mode: u32) -> Result<()> {
    chmod(format!("/proc/self/fd/{}", held.as_raw_fd()), Mode::from_raw_mode(mode))
}

/// Gives our own file or directory the bits without which its owner cannot work on it. The mode that it is to
/// have follows when the work is done.
///
/// # Errors
/// `PermissionDenied` where it belongs to another; what the system says.
pub(super) fn loosen(dir: BorrowedFd<'_>, name: &[u8], bits: u32) -> io::Result<()> {
    let held = hold(dir, name)?;
    let seen = Seen::of(&fstat(&held)?);
    let is_ours = seen.uid == rustix::process::geteuid().as_raw();
    if !is_ours || !matches!(seen.kind, FileType::RegularFile | FileType::Directory) {
        return Err(Errno::ACCESS.into());
    }
    Ok(set_mode_of(&held, seen.mode | bits)?)
}

/// Makes a directory that its owner can work in, whatever a umask or an access list that the parent hands on takes
/// from it.
///
/// # Errors
/// What the system says to making it.
pub(super) fn make_directory(above: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    mkdirat(above, name, Mode::from_raw_mode(OWNER_BITS))?;
    let made = statat(above, name, AtFlags::SYMLINK_NOFOLLOW);
    if made.is_ok_and(|stat| stat.st_mode & OWNER_BITS != OWNER_BITS) {
        // Where that fails the first entry in it says so.
        let _ = loosen(above, name, OWNER_BITS);
    }
    Ok(())
}

/// Opens the root of a target so that its owner can work in it. Returns the mode that it had if that was not so.
///
/// # Errors
/// What the system says to opening it.
pub(super) fn open_root(
    to: &Path,
    open: impl Fn(&Path) -> io::Result<Root>,
) -> io::Result<(Root, Option<u32>)> {
    let root = match open(to) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let found = std::fs::canonicalize(to)?;
            let held = hold(CWD, found.as_os_str().as_encoded_bytes())?;
            let had = Seen::of(&fstat(&held)?).mode;
            loosen(CWD, found.as_os_str().as_encoded_bytes(), OWNER_BITS).map_err(|_| error)?;
            return Ok((open(to)?, Some(had)));
        }
        opened => opened?,
    };
    let had = loosen_open(root.fd())?;
    Ok((root, had))
}

/// Gives an open directory of ours what its owner needs. Returns the mode that it had if that was not so; what
/// belongs to another stays as it is, since the group may well have rights enough.
///
/// # Errors
/// When the system does not say what it is.
pub(super) fn loosen_open(fd: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let had = Seen::of(&fstat(fd)?).mode;
    let lacks = had & OWNER_BITS != OWNER_BITS;
    let done = lacks && fchmod(fd, Mode::from_raw_mode(had | OWNER_BITS)).is_ok();
    Ok(done.then_some(had))
}

/// Whether what is made in a directory gets an access list from it. One that does not say is taken to.
pub(super) fn hands_on(dir: BorrowedFd<'_>) -> bool {
    let list = fgetxattr_query(dir, DEFAULT_LIST);
    !matches!(list, Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS))
}

/// The number that stands for "as it is" is nobody's.
fn owner(uid: Option<u32>, gid: Option<u32>) -> Result<(Option<Uid>, Option<Gid>)> {
    if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
        return Err(Errno::INVAL);
    }
    Ok((uid.map(Uid::from_raw), gid.map(Gid::from_raw)))
}

/// The time of the content; that of the last access stays as it is.
fn times(mtime: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: i64::from(mtime.nanos) as _ },
    }
}

fn split(list: &[u8]) -> Vec<Vec<u8>> {
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn a_name_is_changed_and_not_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"x").unwrap();
        symlink("f", dir.path().join("l")).unwrap();
        let before = fs::metadata(dir.path().join("f")).unwrap();
        let parent = File::open(dir.path()).unwrap();
        let link = Named::hold(parent.as_fd(), b"l").unwrap();
        link.set_time(Time { seconds: -7, nanos: 3 }).unwrap();
        link.set_mode(0).unwrap();
        assert_eq!(link.seen().unwrap().mtime, Time { seconds: -7, nanos: 3 });
        assert_eq!(link.names().unwrap(), Vec::<Vec<u8>>::new());
        let after = fs::metadata(dir.path().join("f")).unwrap();
        assert_eq!((after.mode(), after.mtime_nsec()), (before.mode(), before.mtime_nsec()));
        assert!(loosen(parent.as_fd(), b"l", 0o700).is_err());
    }

    #[test]
    fn attributes_are_the_same_by_descriptor_and_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"x").unwrap();
        let file = File::open(dir.path().join("f")).unwrap();
        let opened = Opened(file.as_fd());
        opened.set(b"user.a", b"1").unwrap();
        opened.set(b"user.empty", b"").unwrap();
        let parent = File::open(dir.path()).unwrap();
        let named = Named::hold(parent.as_fd(), b"f").unwrap();
        named.remove(b"user.a").unwrap();
        named.set(b"user.b", b"2").unwrap();
        for entry in [&opened as &dyn Entry, &named] {
            let mut names = entry.names().unwrap();
            names.sort();
            assert_eq!(names, [b"user.b".to_vec(), b"user.empty".to_vec()]);
            assert_eq!(entry.value(b"user.b").unwrap(), b"2");
            assert_eq!(entry.value(b"user.empty").unwrap(), b"");
            assert_eq!(entry.value(b"user.a"), Err(Errno::NODATA));
            assert_eq!(entry.own(Some(u32::MAX), None), Err(Errno::INVAL));
        }
    }

    #[test]
    fn k06_a_directory_is_its_owners_to_work_in_whatever_is_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let parent = File::open(dir.path()).unwrap();
        // `user::r-x group::r-x other::r-x`: without write for the owner.
        let mut list = 2u32.to_le_bytes().to_vec();
        for tag in [1u16, 4, 0x20] {
            list.extend(tag.to_le_bytes());
            list.extend(5u16.to_le_bytes());
            list.extend(u32::MAX.to_le_bytes());
        }
        assert!(!hands_on(parent.as_fd()));
        if Opened(parent.as_fd()).set(DEFAULT_LIST, &list).is_err() {
            return; // no access lists here
        }
        assert!(hands_on(parent.as_fd()));
        make_directory(parent.as_fd(), b"d").unwrap();
        let mode = fs::metadata(dir.path().join("d")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }

    #[test]
    fn what_its_owner_may_not_open_is_loosened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"x").unwrap();
        fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o040)).unwrap();
        let parent = File::open(dir.path()).unwrap();
        loosen(parent.as_fd(), b"f", 0o400).unwrap();
        assert_eq!(fs::metadata(dir.path().join("f")).unwrap().mode() & 0o7777, 0o440);
    }
}
