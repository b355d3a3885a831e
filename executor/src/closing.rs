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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_file_that_is_whole_closes_without_a_word() {
        let file = tempfile::tempfile().unwrap();
        sync_all_of(file.as_fd()).unwrap();
        close(file).unwrap();
    }
}
