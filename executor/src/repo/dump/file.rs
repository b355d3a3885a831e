//! A file that gets its name when it is whole: whatever goes wrong before, the file that was there stays.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::beneath::Root;
use crate::error::{Error, Result};
use crate::report::printable;
use crate::sink::{Company, TemporaryNames, hold};
use crate::source::Names;

/// Links of a path that lead to the file itself; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// What a new file may be for others, before the umask.
const NEW_MODE: u32 = 0o666;

/// A file on its way to its name.
#[derive(Debug)]
pub struct WholeFile {
    dir: Dir,
    file: File,
    name: OsString,
    /// Mode and owner of the file that was there.
    before: Option<(u32, u32, u32)>,
}

/// The directory, and the name that goes when nobody finishes.
struct Dir {
    root: Root,
    temporary: Option<Vec<u8>>,
}

impl std::fmt::Debug for Dir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dir").field("temporary", &self.temporary).finish_non_exhaustive()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = unlinkat(self.root.fd(), &temporary[..], AtFlags::empty());
        }
    }
}

/// Something that a dump can be written to.
#[derive(Debug)]
pub enum Destination {
    /// A file, which takes its place when it is whole.
    Whole(WholeFile),
    /// A device or a pipe.
    Direct(File),
}

impl Destination {
    /// Prepares to write to a path. Links are followed.
    ///
    /// # Errors
    /// When the file that is there must not be written, or its directory takes no file beside it.
    pub fn open(path: &Path) -> Result<Self> {
        let error =
            |source| Error::Io { path: printable(path.as_os_str().as_encoded_bytes()), source };
        Self::open_path(path).map_err(error)
    }

    fn open_path(path: &Path) -> io::Result<Self> {
        let path = end_of_links(path)?;
        let before = match fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => {
                return Ok(Self::Direct(OpenOptions::new().write(true).open(&path)?));
            }
            Ok(meta) => Some(meta),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if before.is_some() {
            // Whoever may not write to it must not replace it either.
            OpenOptions::new()
                .write(true)
                .custom_flags(OFlags::NONBLOCK.bits() as i32)
                .open(&path)?;
        }
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let above = match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        let root = Root::open(above)?;
        Company::of(&root, 0).clear(root.fd(), &Names::list(root.fd())?);
        let temporary = TemporaryNames::new().map_err(io::Error::other)?.name();
        let mode = if before.is_some() { 0o600 } else { NEW_MODE };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(root.fd(), &temporary[..], flags, Mode::from_raw_mode(mode))?;
        hold(file.as_fd());
        Ok(Self::Whole(WholeFile {
            dir: Dir { root, temporary: Some(temporary) },
            file: File::from(file),
            name: name.to_owned(),
            before: before.map(|meta| (meta.mode() & 0o7777, meta.uid(), meta.gid())),
        }))
    }

    /// What is written to.
    #[must_use]
    pub fn file(&self) -> &File {
        match self {
            Self::Whole(whole) => &whole.file,
            Self::Direct(file) => file,
        }
    }

    /// All is written: the file gets its name, once it is on its disk.
    ///
    /// # Errors
    /// What the disk says at last. The file that was there stays.
    pub fn finish(self) -> io::Result<()> {
        let Self::Whole(WholeFile { mut dir, file, name, before }) = self else { return Ok(()) };
        if let Some((mode, uid, gid)) = before {
            // Who may not give files away leaves it his own, and no wider than it was.
            let own = file.metadata()?;
            let kept = (own.uid(), own.gid()) == (uid, gid)
                || std::os::unix::fs::fchown(&file, Some(uid), Some(gid)).is_ok();
            let mode = if kept { mode } else { mode & 0o700 };
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.sync_all()?;
        crate::closing::close(file)?;
        if let Some(temporary) = &dir.temporary {
            renameat(dir.root.fd(), &temporary[..], dir.root.fd(), &name)?;
        }
        dir.temporary = None;
        // The name itself: a file system that cannot sync directories has none to lose.
        let _ = rustix::fs::fsync(dir.root.fd());
        Ok(())
    }
}

/// Where a path leads, whether something is there or not.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::from(rustix::io::Errno::LOOP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn k20_the_old_file_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"precious").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let begun = Destination::open(&path).unwrap();
        begun.file().write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(names(dir.path()), ["f"]);
        let begun = Destination::open(&path).unwrap();
        begun.file().write_all(b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        begun.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(names(dir.path()), ["f"]);
    }

    #[test]
    fn k20_links_are_followed_and_stay_and_devices_are_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for (link, to) in [("new", "sub/new"), ("old", "sub/old"), ("far", "old")] {
            std::os::unix::fs::symlink(to, dir.path().join(link)).unwrap();
        }
        fs::write(dir.path().join("sub/old"), b"old").unwrap();
        for link in ["new", "far"] {
            let begun = Destination::open(&dir.path().join(link)).unwrap();
            begun.file().write_all(b"whole").unwrap();
            begun.finish().unwrap();
            assert!(dir.path().join(link).is_symlink());
            assert_eq!(fs::read(dir.path().join(link)).unwrap(), b"whole");
        }
        assert_eq!(names(dir.path()), ["far", "new", "old", "sub"]);
        let null = Destination::open(Path::new("/dev/null")).unwrap();
        assert!(matches!(null, Destination::Direct(_)));
        assert!(Destination::open(dir.path()).is_err());
    }

    #[test]
    fn k20_the_next_one_removes_what_a_killed_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let name = TemporaryNames::new().unwrap().name();
        let left = dir.path().join(String::from_utf8(name).unwrap());
        fs::write(&left, b"half").unwrap();
        drop(Destination::open(&dir.path().join("f")).unwrap());
        assert!(!left.exists());
    }
}
