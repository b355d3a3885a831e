//! What file systems tell late: when a file is closed, or when what was written is brought to the disk.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// Closes a file and says what the file system says to that. Network file systems and quotas tell only here
/// that bytes which they took before have found no place.
///
/// # Errors
/// What the system says. The descriptor is closed all the same.
pub(crate) fn close(file: File) -> io::Result<()> {
    Ok(nix::unistd::close(file)?)
}

/// Brings everything that was written to a file system to its disk, and says what went wrong with it since the
/// descriptor was opened. One call for a whole restore: a call for each file would cost a wait for each.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_all_of(fd: BorrowedFd<'_>) -> io::Result<()> {
    match rustix::fs::syncfs(fd) {
        // Then nothing can be told, but it can be done.
        Err(Errno::NOSYS) => rustix::fs::sync(),
        done => done?,
    }
    Ok(())
}

/// What a sync says: whether there was one. A file system that cannot sync says so in these ways; all others mean that
/// something is lost.
///
/// # Errors
/// What the system says about what is lost.
pub(crate) fn synced(sync: io::Result<()>) -> io::Result<bool> {
    match sync.as_ref().err().and_then(Errno::from_io_error) {
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::BADF | Errno::ISDIR) => {
            Ok(false)
        }
        _ => sync.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k13_only_a_file_system_that_cannot_sync_is_excused() {
        assert!(synced(Ok(())).unwrap());
        for error in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            assert!(!synced(Err(error.into())).unwrap(), "{error}");
        }
        for error in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::STALE] {
            assert!(synced(Err(error.into())).is_err(), "{error}");
        }
    }

    use std::os::fd::AsFd;

    #[test]
    fn a_file_that_is_whole_closes_without_a_word() {
        let file = tempfile::tempfile().unwrap();
        sync_all_of(file.as_fd()).unwrap();
        close(file).unwrap();
    }
}
