//! Removes an entry with everything beneath it: by descriptors, never through a link nor across a mount, with
//! few descriptors and no recursion however deep it is, and without what is spared.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::mounts::{explain, is_mount_point};
use crate::beneath::{Root, join};
use crate::source::Names;

/// Directories that are open at once; those above are opened again on the way back.
const OPEN_MAX: usize = 32;

/// What is asked about an entry before it is removed.
pub(super) trait Spares {
    /// Whether it stays, with all beneath it.
    fn entry(&self, logical: &[u8], stat: &Stat) -> bool;

    /// Whether all that this directory holds stays.
    fn content(&self, dir: BorrowedFd<'_>, names: &Names) -> bool;
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// Entries that went, or would go.
    pub(super) count: u64,
    /// Of a rehearsal: the topmost paths that would go with all beneath them.
    pub(super) whole: Vec<Vec<u8>>,
    /// What cannot go, and why.
    pub(super) refused: Vec<(Vec<u8>, String)>,
}

/// One removal.
pub(super) struct Removal<'a> {
    root: &'a Root,
    spares: &'a dyn Spares,
    /// Only says what would go.
    rehearse: bool,
    levels: Vec<Level>,
    path: Vec<u8>,
    done: Removed,
}

/// A directory that is being emptied.
struct Level {
    /// Nothing while too many others are open.
    fd: Option<OwnedFd>,
    identity: (u64, u64),
    names: Names,
    next: usize,
    /// Bytes of the path of what holds it.
    above: usize,
    /// Everything in it goes, so that it can go too.
    whole: bool,
    /// Paths that would go, before it was entered.
    before: usize,
}

impl<'a> Removal<'a> {
    /// Of entries beneath a root.
    pub(super) fn new(root: &'a Root, spares: &'a dyn Spares, rehearse: bool) -> Self {
        let (levels, path, done) = Default::default();
        Self { root, spares, rehearse, levels, path, done }
    }

    /// Removes an entry of `dir`, whose logical path is `logical`.
    pub(super) fn run(mut self, dir: BorrowedFd<'_>, name: &[u8], logical: &[u8]) -> Removed {
        self.path = logical.to_vec();
        self.visit(dir, name);
        while !self.levels.is_empty() {
            let stepped = self.step(dir);
            if let Err(error) = stepped {
                // The way back is lost: whatever is still there stays.
                self.refuse(&error);
                break;
            }
        }
        self.done
    }

    /// One entry of the directory that was entered last.
    fn step(&mut self, base: BorrowedFd<'_>) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let Some(name) = level.names.get(level.next).map(<[u8]>::to_vec) else {
            return self.leave(base);
        };
        level.next += 1;
        let fd = level.fd.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let above = self.path.len();
        self.path = join(&self.path, &name);
        let entered = self.levels.len();
        self.visit(fd.as_fd(), &name);
        self.levels[entered - 1].fd = Some(fd);
        if self.levels.len() == entered {
            self.path.truncate(above);
        } else {
            self.levels[entered].above = above;
            if entered >= OPEN_MAX {
                self.levels[entered - OPEN_MAX].fd = None;
            }
        }
        Ok(())
    }

    /// Removes an entry that is no directory; enters one that is.
    fn visit(&mut self, dir: BorrowedFd<'_>, name: &[u8]) {
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return,
            Err(error) => return self.refuse(&error.into()),
        };
        if self.spares.entry(&self.path, &stat) {
            return self.stays();
        }
        let done = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.enter(dir, name),
            _ if self.rehearse && is_mount_point(dir, name) => Err(Errno::BUSY.into()),
            _ => self.unlink(dir, name),
        };
        if let Err(error) = done {
            self.refuse(&error);
        }
    }

    fn unlink(&mut self, dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        if !self.rehearse {
            remove(dir, name, AtFlags::empty())?;
        }
        self.went();
        Ok(())
    }

    fn enter(&mut self, dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        let open = || self.root.open_child(dir, name, true);
        let fd = match open() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !self.rehearse => {
                unlock(dir, name)?;
                open()?
            }
            opened => opened?,
        };
        let stat = fstat(&fd)?;
        let mut names = Names::list(fd.as_fd())?;
        let whole = !self.spares.content(fd.as_fd(), &names);
        if !whole {
            names = Names::default();
        }
        self.levels.push(Level {
            fd: Some(fd),
            identity: (stat.st_dev, stat.st_ino),
            names,
            next: 0,
            above: 0,
            whole,
            before: self.done.whole.len(),
        });
        Ok(())
    }

    /// All entries of a directory were visited: it goes itself if they all went.
    fn leave(&mut self, base: BorrowedFd<'_>) -> io::Result<()> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        let name = match self.path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => self.path[at + 1..].to_vec(),
            None => self.path.clone(),
        };
        if let Some(above) = self.levels.last_mut()
            && above.fd.is_none()
        {
            let fd = level.fd.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            above.fd = Some(parent(fd, above.identity)?);
        }
        if level.whole {
            self.done.whole.truncate(level.before);
            let above = self.levels.last().and_then(|above| above.fd.as_ref());
            let dir = above.map_or(base, AsFd::as_fd);
            let removed = match self.rehearse {
                true => Ok(()),
                false => remove(dir, &name, AtFlags::REMOVEDIR),
            };
            match removed {
                Ok(()) => self.went(),
                Err(error) => self.refuse(&error),
            }
        } else {
            self.stays();
        }
        self.path.truncate(level.above);
        Ok(())
    }

    fn went(&mut self) {
        self.done.count += 1;
        if self.rehearse {
            self.done.whole.push(self.path.clone());
        }
    }

    /// What holds it cannot go either.
    fn stays(&mut self) {
        if let Some(above) = self.levels.last_mut() {
            above.whole = false;
        }
    }

    fn refuse(&mut self, error: &io::Error) {
        self.done.refused.push((self.path.clone(), explain(error)));
        self.stays();
    }
}

/// Opens what holds a directory, if it is still the same.
fn parent(dir: &OwnedFd, identity: (u64, u64)) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(dir, "..", flags, Mode::empty())?;
    let stat = fstat(&fd)?;
    if (stat.st_dev, stat.st_ino) != identity {
        return Err(io::Error::other("it was moved while it was removed"));
    }
    Ok(fd)
}

/// Removes a name; where the directory is closed to its owner, it is opened for that.
fn remove(dir: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> io::Result<()> {
    match unlinkat(dir, name, flags) {
        Err(Errno::ACCESS) => {
            let stat = fstat(dir)?;
            if stat.st_mode & 0o700 == 0o700 {
                return Err(Errno::ACCESS.into());
            }
            fchmod(dir, Mode::from_raw_mode(stat.st_mode & 0o7777 | 0o700))?;
            unlinkat(dir, name, flags)?;
            Ok(())
        }
        Err(Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

/// A directory that is going to go, and that its owner may not read.
fn unlock(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(dir, name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::chmod(path, Mode::RWXU)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    struct Without<'a>(&'a str);

    impl Spares for Without<'_> {
        fn entry(&self, logical: &[u8], _: &Stat) -> bool {
            logical.ends_with(self.0.as_bytes())
        }
        fn content(&self, _: BorrowedFd<'_>, names: &Names) -> bool {
            names.holds(b".keep")
        }
    }

    fn removed(dir: &Path, without: &str, rehearse: bool) -> Removed {
        let root = Root::open_one_mount(dir).unwrap();
        Removal::new(&root, &Without(without), rehearse).run(root.fd(), b"extra", b"/data/extra")
    }

    fn deep(dir: &Path, levels: usize) {
        let mut at = openat(
            rustix::fs::CWD,
            dir,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
        for level in 0..levels {
            let name = if level == 0 { "extra" } else { "d" };
            rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            at = openat(&at, name, flags, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn k21_four_thousand_levels_go_with_few_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        deep(dir.path(), 4_000);
        let said = removed(dir.path(), "/none", true);
        assert_eq!((said.count, &said.whole[..]), (4_000, &[b"/data/extra".to_vec()][..]));
        assert!(dir.path().join("extra").exists());
        let done = removed(dir.path(), "/none", false);
        assert_eq!(done, Removed { count: 4_000, ..Removed::default() });
        assert!(!dir.path().join("extra").exists());
    }

    #[test]
    fn k04_what_is_spared_stays_with_all_that_leads_to_it() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["extra/a/keep", "extra/a/gone", "extra/b/x", "extra/c/.keep", "extra/c/y"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        symlink("/etc", dir.path().join("extra/b/link")).unwrap();
        let said = removed(dir.path(), "/keep", true);
        let paths = [b"/data/extra/a/gone".to_vec(), b"/data/extra/b".to_vec()];
        assert_eq!((said.count, &said.whole[..]), (4, &paths[..]));
        let done = removed(dir.path(), "/keep", false);
        assert_eq!((done.count, done.refused.len()), (4, 0));
        assert!(dir.path().join("extra/a/keep").exists() && dir.path().join("extra/c/y").exists());
        assert!(!dir.path().join("extra/b").exists() && !dir.path().join("extra/a/gone").exists());
    }

    #[test]
    fn k04_directories_that_their_owner_has_closed_go_too() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("extra/closed/in")).unwrap();
        fs::write(dir.path().join("extra/closed/f"), b"x").unwrap();
        let close = |path: &str, mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(dir.path().join(path), mode).unwrap();
        };
        close("extra/closed/in", 0);
        close("extra/closed", 0o500);
        assert_eq!(removed(dir.path(), "/none", false).count, 4);
        assert!(!dir.path().join("extra").exists());
    }
}
