//! A file that gets its name when it is whole: whatever goes wrong before, the file that was there stays. Where no
//! file can be put beside it, or none in its place, the one that is there is written over.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::links::{End, above, end_of_links};
use super::rights::Rights;
use crate::beneath::{Root, is_mounted_in};
use crate::closing::{close, synced};
use crate::error::{Error, Result};
use crate::report::printable;
use crate::sink::{Company, TemporaryNames, hold};
use crate::source::{Names, open_to_write};

/// What a new file may be for others, before the umask.
const NEW_MODE: u32 = 0o666;

/// A file on its way to its name.
#[derive(Debug)]
pub struct WholeFile {
    dir: Dir,
    file: File,
    name: OsString,
    before: Option<Before>,
}

/// The file that was there.
#[derive(Debug)]
struct Before {
    rights: Rights,
    /// Device and inode.
    identity: (u64, u64),
}

/// The directory, and the name that goes when nobody finishes.
struct Dir {
    fd: OwnedFd,
    /// Says to others that somebody is here. Nothing in a directory that nobody may list.
    company: Option<Root>,
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
            let _ = unlinkat(&self.fd, &temporary[..], AtFlags::empty());
        }
    }
}

/// A file that is written over where it lies. What it held stays until the first byte comes.
#[derive(Debug)]
pub struct InPlace {
    file: File,
    is_begun: bool,
}

/// Something that a dump can be written to.
#[derive(Debug)]
pub enum Destination {
    /// A file, which takes its place when it is whole.
    Whole(WholeFile),
    /// A file that nothing can take the place of: in a directory in which nothing may be made, mounted by itself, or
    /// open without a name.
    InPlace(InPlace),
    /// A device or a pipe.
    Direct(File),
}

/// Why a file is not what was written, and what is there instead.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The file that was there.
    #[error("what was there before is still there")]
    Kept(#[source] io::Error),
    /// Nothing, as before.
    #[error("no file was made")]
    Nothing(#[source] io::Error),
    /// Nobody knows how much of it.
    #[error("what is there now may be only a part")]
    Part(#[source] io::Error),
}

impl Destination {
    /// Prepares to write to a path. Links are followed, but for those that somebody else has put into a directory in
    /// which everybody may.
    ///
    /// # Errors
    /// When the file that is there must not be written, or its directory takes no new file.
    pub fn open(path: &Path) -> Result<Self> {
        let error =
            |source| Error::Io { path: printable(path.as_os_str().as_encoded_bytes()), source };
        Self::open_path(path).map_err(error)
    }

    fn open_path(path: &Path) -> io::Result<Self> {
        let (path, is_open) = match end_of_links(path)? {
            End::Name(path) => (path, false),
            End::Descriptor(path) => (path, true),
        };
        // No link that has taken the place of a name since is followed.
        let found = if is_open { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        match found {
            Ok(meta) if !meta.is_file() => {
                let mut flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
                flags.set(OFlags::NOFOLLOW, !is_open);
                Ok(Self::Direct(File::from(openat(CWD, &path, flags, Mode::empty())?)))
            }
            Ok(_) => Self::over(&path, is_open),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::Whole(WholeFile::new(Dir::of(&path)?, &path, None)?))
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever may not write to a file must not replace it either: it is opened, whatever happens to it then.
    fn over(path: &Path, is_open: bool) -> io::Result<Self> {
        let old = open_to_write(CWD, path, is_open)?.file;
        if is_open {
            return Ok(Self::InPlace(InPlace::new(old)));
        }
        let dir = match Dir::of(path) {
            Ok(dir) if !is_mounted_in(dir.fd.as_fd(), old.as_fd()) => dir,
            Err(error) if !is_closed(&error) => return Err(error),
            _ => return Ok(Self::InPlace(InPlace::new(old))),
        };
        match WholeFile::new(dir, path, Some(Before::of(&old)?)) {
            Err(error) if is_closed(&error) => Ok(Self::InPlace(InPlace::new(old))),
            made => made.map(Self::Whole),
        }
    }

    const fn file(&self) -> &File {
        match self {
            Self::Whole(whole) => &whole.file,
            Self::InPlace(place) => &place.file,
            Self::Direct(file) => file,
        }
    }

    /// Whether what was there is gone already, and the new content not yet whole.
    #[must_use]
    pub const fn holds_a_part(&self) -> bool {
        matches!(self, Self::InPlace(InPlace { is_begun: true, .. }))
    }

    /// All is written: the file gets its name, once it is on its disk. Says what it has lost of owner, mode and access
    /// list of the file that was there.
    ///
    /// # Errors
    /// What the disk says at last, and what is there.
    pub fn finish(self) -> Result<Vec<String>, Unfinished> {
        match self {
            Self::Whole(whole) => whole.finish(),
            Self::InPlace(mut place) => {
                place.begin().map_err(Unfinished::Kept)?;
                settle(place.file).map_err(Unfinished::Part)?;
                Ok(Vec::new())
            }
            Self::Direct(file) => {
                settle(file).map_err(Unfinished::Part)?;
                Ok(Vec::new())
            }
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::InPlace(place) = self {
            place.begin()?;
        }
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl InPlace {
    fn new(file: File) -> Self {
        // It was opened so that a pipe in its place keeps nobody waiting. A file may wait, and where it may not be told
        // so it is written all the same.
        if let Ok(flags) = rustix::fs::fcntl_getfl(&file) {
            let _ = rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK);
        }
        Self { file, is_begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.is_begun {
            self.file.set_len(0)?;
            self.is_begun = true;
        }
        Ok(())
    }
}

impl Before {
    fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self { rights: Rights::of(file, &meta), identity: (meta.dev(), meta.ino()) })
    }
}

impl Dir {
    /// That of a path, without what dead runs have left in it.
    fn of(path: &Path) -> io::Result<Self> {
        let above = above(path);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, above, flags, Mode::empty())?;
        let company = match Root::open(above) {
            // What cannot be seen cannot be cleared; names can be made all the same.
            Err(error) if is_closed(&error) => None,
            root => Some(root?),
        };
        if let Some(root) = &company
            && let Ok(names) = Names::list(root.fd())
        {
            Company::of(root, 0).clear(root.fd(), &names);
        }
        Ok(Self { fd, company, temporary: None })
    }

    fn sync(&self) {
        // A file system that cannot sync directories has none to lose.
        let _ = self.company.as_ref().map(|root| rustix::fs::fsync(root.fd()));
    }
}

impl WholeFile {
    fn new(mut dir: Dir, path: &Path, before: Option<Before>) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let temporary = TemporaryNames::new().map_err(io::Error::other)?.name();
        let mode = Mode::from_raw_mode(if before.is_some() { 0o600 } else { NEW_MODE });
        // It is read only where it cannot get its name.
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir.fd, &temporary[..], flags, mode)?;
        dir.temporary = Some(temporary);
        hold(file.as_fd());
        Ok(Self { dir, file: File::from(file), name: name.to_owned(), before })
    }

    fn finish(self) -> Result<Vec<String>, Unfinished> {
        let Self { mut dir, file, name, before } = self;
        let stays = |error| match before {
            Some(_) => Unfinished::Kept(error),
            None => Unfinished::Nothing(error),
        };
        let lost = before.as_ref().map(|before| before.rights.give_to(&file)).unwrap_or_default();
        let copy = file.try_clone();
        settle(file).map_err(stays)?;
        let temporary = dir.temporary.as_deref().unwrap_or_default();
        match renameat(&dir.fd, temporary, &dir.fd, &name) {
            Ok(()) => dir.temporary = None,
            Err(
                error @ (Errno::BUSY | Errno::XDEV | Errno::PERM | Errno::ACCESS | Errno::ROFS),
            ) => match &before {
                Some(before) => {
                    return before.write_over(
                        dir.fd.as_fd(),
                        Path::new(&name),
                        copy.map_err(stays)?,
                    );
                }
                None => return Err(stays(error.into())),
            },
            Err(error) => return Err(stays(error.into())),
        }
        dir.sync();
        Ok(lost)
    }
}

impl Before {
    /// Writes the content over the file that is there, as nothing may take its place: it is mounted by itself, or
    /// somebody else's where everybody has files.
    fn write_over(
        &self,
        dir: BorrowedFd<'_>,
        name: &Path,
        mut content: File,
    ) -> Result<Vec<String>, Unfinished> {
        let mut open = || {
            let old = open_to_write(dir, name, false)?.file;
            content.rewind()?;
            let meta = old.metadata()?;
            if (meta.dev(), meta.ino()) != self.identity {
                return Err(io::Error::other("another file is there than before"));
            }
            Ok(InPlace::new(old))
        };
        let mut place = open().map_err(Unfinished::Kept)?;
        place.begin().map_err(Unfinished::Kept)?;
        let mut file = place.file;
        io::copy(&mut content, &mut file).and_then(|_| settle(file)).map_err(Unfinished::Part)?;
        Ok(Vec::new())
    }
}

/// Brings a file to its disk, where it has one, and closes it.
fn settle(file: File) -> io::Result<()> {
    synced(file.sync_all())?;
    close(file)
}

/// Whether a directory takes no new file from us.
fn is_closed(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

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
        let mut begun = Destination::open(&path).unwrap();
        begun.write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(names(dir.path()), ["f"]);
        let mut begun = Destination::open(&path).unwrap();
        begun.write_all(b"whole").unwrap();
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
            let mut begun = Destination::open(&dir.path().join(link)).unwrap();
            begun.write_all(b"whole").unwrap();
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

    #[test]
    fn k20_a_file_that_is_written_in_place_keeps_its_content_until_the_first_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"precious content").unwrap();
        let open = || {
            let old = open_to_write(CWD, &path, false).unwrap().file;
            Destination::InPlace(InPlace::new(old))
        };
        let begun = open();
        assert!(!begun.holds_a_part());
        drop(begun);
        assert_eq!(fs::read(&path).unwrap(), b"precious content");
        let mut begun = open();
        begun.write_all(b"who").unwrap();
        assert!(begun.holds_a_part());
        begun.write_all(b"le").unwrap();
        begun.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        open().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"", "an empty file is content too");
    }

    #[test]
    fn k20_what_may_not_take_the_place_of_a_file_is_written_over_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"precious content").unwrap();
        let mut begun = Destination::open(&path).unwrap();
        begun.write_all(b"whole").unwrap();
        let Destination::Whole(WholeFile { dir: beside, file, before, .. }) = begun else {
            panic!("not beside")
        };
        let before = before.unwrap();
        let copy = file.try_clone().unwrap();
        before.write_over(beside.fd.as_fd(), Path::new("f"), copy).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        fs::rename(&path, dir.path().join("away")).unwrap();
        fs::write(&path, b"another").unwrap();
        let refused = before.write_over(beside.fd.as_fd(), Path::new("f"), file);
        assert!(matches!(refused, Err(Unfinished::Kept(_))));
        assert_eq!(fs::read(&path).unwrap(), b"another");
    }

    #[test]
    fn k09_pipes_and_files_without_a_name_are_written_through_their_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let file = File::options().create_new(true).write(true).read(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (mut read, write) = io::pipe().unwrap();
        for fd in [file.as_raw_fd(), write.as_raw_fd()] {
            let mut begun = Destination::open(Path::new(&format!("/proc/self/fd/{fd}"))).unwrap();
            begun.write_all(b"whole").unwrap();
            begun.finish().unwrap();
        }
        drop(write);
        let mut piped = String::new();
        io::Read::read_to_string(&mut read, &mut piped).unwrap();
        assert_eq!(piped, "whole");
        assert_eq!(io::read_to_string(&file).unwrap(), "whole");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn k13_only_where_something_was_there_it_is_said_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        for (name, was_there) in [("old", true), ("new", false)] {
            let path = dir.path().join(name);
            if was_there {
                fs::write(&path, b"old").unwrap();
            }
            let begun = Destination::open(&path).unwrap();
            let _ = fs::remove_file(&path);
            // Nothing takes the place of a directory.
            fs::create_dir(&path).unwrap();
            let error = begun.finish().unwrap_err();
            assert_eq!(matches!(error, Unfinished::Kept(_)), was_there, "{error}");
        }
    }
}
