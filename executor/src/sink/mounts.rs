//! What is mounted beneath a target, and links that lie where a directory should be: neither is crossed or
//! replaced without a word.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

use crate::report::printable;

/// What is said of a mount that is in the way.
pub(super) const MOUNTED: &str = "something is mounted here, and it is left as it is: give it a restore of its own, or allow --across-mounts";

/// What is said of a file that something is mounted on.
pub(super) const MOUNTED_FILE: &str = "something is mounted on this file, and it is left as it is";

/// The words for an error that one entry of a target gives.
pub(super) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::CrossesDevices => MOUNTED.to_owned(),
        io::ErrorKind::ResourceBusy => format!("{MOUNTED_FILE}: {error}"),
        _ => error.to_string(),
    }
}

/// What is said of a link where the snapshot has a directory.
pub(super) fn link_in_the_way(target: &[u8], is_data: bool) -> io::Error {
    let way_out = match is_data {
        true => {
            "restore into the directory that it leads to, remove it, or let --delete replace it"
        }
        false => "restore into the directory that it leads to (SNAPSHOT:PATH), or remove it",
    };
    let target = printable(target);
    io::Error::other(format!("a link to {target} is in its place, and is not followed: {way_out}"))
}

/// Whether something is mounted on an entry; where the kernel does not say, nothing is.
pub(super) fn is_mount_point(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(dir, name, flags, StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
