//! Whether an error concerns the whole target or only one place in it. The number of an error does not say:
//! the target itself is asked.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat, unlinkat};

use super::Sink;
use crate::beneath::Root;
use crate::error::{Error, Result};
use crate::report::printable;

/// With less space than this a file system is full, although a small file may still fit.
const FULL_BYTES: u64 = 1024 * 1024;

/// What is written to see whether the target takes anything.
const PROBE_BYTES: usize = 64 * 1024;

impl Sink<'_> {
    /// Errors that concern the whole target end the restore.
    pub(super) fn fatal(&self, root: &Root, logical: &[u8], error: &io::Error) -> Result<()> {
        let whole = match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => is_read_only(root.fd()),
            io::ErrorKind::StorageFull => is_full(root.fd()) || !self.takes_more(root.fd()),
            // No call says how much a quota leaves, nor for which directories it counts.
            io::ErrorKind::QuotaExceeded => !self.takes_more(root.fd()),
            _ => false,
        };
        if !whole {
            return Ok(());
        }
        Err(Error::Target { path: printable(logical), source: io::Error::from(error.kind()) })
    }

    /// Whether a small file can be written at the top of the target.
    fn takes_more(&self, root: BorrowedFd<'_>) -> bool {
        let name = self.temporary.name();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let written = openat(root, &name[..], flags, Mode::RUSR | Mode::WUSR)
            .map_err(io::Error::from)
            .and_then(|fd| File::from(fd).write_all(&[0; PROBE_BYTES]));
        let _ = unlinkat(root, &name[..], AtFlags::empty());
        // Another error than that of a full one says nothing about space.
        !written.is_err_and(|error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        })
    }
}

fn is_read_only(root: BorrowedFd<'_>) -> bool {
    fstatvfs(root).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn is_full(root: BorrowedFd<'_>) -> bool {
    fstatvfs(root).is_ok_and(|found| {
        let no_names = found.f_files > 0 && found.f_favail == 0;
        no_names || found.f_bavail.saturating_mul(found.f_frsize) < FULL_BYTES
    })
}
