//! Where a path leads. Links at its end are followed here, by the rule that the kernel has for them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstat, fstatfs, openat, readlinkat,
};
use rustix::io::Errno;

use crate::report::printable;

/// Links of a path that lead to the file itself; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// A directory in which everybody makes names, and removes only those of his own.
const SHARED: u32 = 0o1002;

const NAMED: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A name, whether something is there or not. It is no link.
    Name(PathBuf),
    /// What a process has open. Its path leads there, and the text of that link is none: `pipe:[1]`, `x (deleted)`.
    Descriptor(PathBuf),
}

/// A link, read.
struct Link {
    text: PathBuf,
    /// Whether the kernel makes it up.
    is_made_up: bool,
}

/// Follows the links at the end of a path.
///
/// # Errors
/// When there are too many, and at one that somebody else has put where everybody may.
pub(super) fn end_of_links(path: &Path) -> io::Result<End> {
    end_for(path, rustix::process::geteuid().as_raw())
}

fn end_for(path: &Path, me: u32) -> io::Result<End> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS_MAX {
        // A name of a directory, and so no name of a file, whether something is there or not.
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let Some(link) = read(&path, me)? else { return Ok(End::Name(path)) };
        let next = path.parent().unwrap_or(Path::new("")).join(link.text);
        if link.is_made_up && is_elsewhere(&path, &next) {
            return Ok(End::Descriptor(path));
        }
        path = next;
    }
    Err(Errno::LOOP.into())
}

/// The directory in which a path has its name.
pub(super) fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The link at a path, if there is one. It is held while it is looked at: nobody exchanges it in between.
fn read(path: &Path, me: u32) -> io::Result<Option<Link>> {
    let Some(name) = path.file_name() else { return Ok(None) };
    let open = || {
        let dir = openat(CWD, above(path), NAMED | OFlags::DIRECTORY, Mode::empty())?;
        let link = openat(&dir, name, NAMED | OFlags::NOFOLLOW, Mode::empty())?;
        Ok((dir, link))
    };
    let (dir, link) = match open() {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let stat = fstat(&link)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    if !may_follow(&stat, &fstat(&dir)?, me) {
        let text = format!(
            "{} is a link of somebody else (user {}) in a directory in which everybody may make names: it is not \
             followed; give the path that it leads to",
            printable(path.as_os_str().as_bytes()),
            stat.st_uid
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let is_made_up = fstatfs(link.as_fd()).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC);
    let text = readlinkat(&link, "", Vec::new())?.into_bytes();
    Ok(Some(Link { text: OsString::from_vec(text).into(), is_made_up }))
}

/// The rule of `/proc/sys/fs/protected_symlinks`, whether it is switched on or not: the kernel does not apply it to a
/// link whose text is read.
fn may_follow(link: &Stat, dir: &Stat, me: u32) -> bool {
    dir.st_mode & SHARED != SHARED || link.st_uid == me || link.st_uid == dir.st_uid
}

/// Whether the kernel leads from a link to something that is not at the path in its text.
fn is_elsewhere(link: &Path, text: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    let through = identity(link);
    through.is_some() && through != identity(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn s04_links_of_others_in_a_shared_directory_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        fs::create_dir(&shared).unwrap();
        symlink("../victim", shared.join("link")).unwrap();
        symlink("shared/link", dir.path().join("far")).unwrap();
        let me = rustix::process::geteuid().as_raw();
        let end = |path: &str, me| end_for(&dir.path().join(path), me);
        for (mode, is_shared) in [(0o1777, true), (0o777, false), (0o1775, false), (0o755, false)] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            // The link and the directory are of one owner.
            assert!(end("shared/link", me + 1).is_ok(), "{mode:o}");
            let (mut link, mut above) = (
                rustix::fs::lstat(shared.join("link")).unwrap(),
                rustix::fs::stat(&shared).unwrap(),
            );
            (link.st_uid, above.st_uid) = (5, 6);
            assert!(may_follow(&link, &above, 5));
            assert_eq!(may_follow(&link, &above, 7), !is_shared, "{mode:o}");
            assert_eq!(may_follow(&link, &above, 0), !is_shared, "{mode:o}");
        }
        if me == 0 {
            let mode = fs::Permissions::from_mode(0o1777);
            fs::set_permissions(&shared, mode).unwrap();
            std::os::unix::fs::lchown(shared.join("link"), Some(5), None).unwrap();
            for path in ["shared/link", "far"] {
                let error = end(path, 0).unwrap_err();
                assert!(error.to_string().contains("not followed"), "{error}");
                assert!(end(path, 5).is_ok());
            }
        }
    }

    #[test]
    fn k20_links_are_followed_to_a_name_whether_it_is_there_or_not() {
        let dir = tempfile::tempdir().unwrap();
        for (link, to) in [("a", "b"), ("b", "none"), ("loop", "loop"), ("dir", "none/")] {
            symlink(to, dir.path().join(link)).unwrap();
        }
        let end = |path: &str| end_of_links(&dir.path().join(path));
        assert_eq!(end("a").unwrap(), End::Name(dir.path().join("none")));
        assert_eq!(end("none").unwrap(), End::Name(dir.path().join("none")));
        assert!(end("loop").is_err());
        assert_eq!(end("dir").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(end("new/").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(end_of_links(Path::new("new")).unwrap(), End::Name("new".into()));
    }

    #[test]
    fn k09_the_text_of_an_open_file_without_a_name_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let file = fs::File::create(&path).unwrap();
        let (_read, write) = io::pipe().unwrap();
        let of = |fd: i32| PathBuf::from(format!("/proc/self/fd/{fd}"));
        assert_eq!(end_of_links(&of(file.as_raw_fd())).unwrap(), End::Name(path.clone()));
        fs::remove_file(&path).unwrap();
        for fd in [file.as_raw_fd(), write.as_raw_fd()] {
            assert_eq!(end_of_links(&of(fd)).unwrap(), End::Descriptor(of(fd)));
        }
        let link = dir.path().join("link");
        symlink(of(write.as_raw_fd()), &link).unwrap();
        assert_eq!(end_of_links(&link).unwrap(), End::Descriptor(of(write.as_raw_fd())));
        fs::write(dir.path().join("x (deleted)"), b"another").unwrap();
        let end = end_of_links(&of(file.as_raw_fd())).unwrap();
        assert_eq!(end, End::Descriptor(of(file.as_raw_fd())), "another file of that name");
    }
}
