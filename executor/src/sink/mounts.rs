//! What is mounted beneath a target, and links that lie where a directory should be: neither is crossed or
//! replaced without a word.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, StatxAttributes, StatxFlags, fstat, statat, statx};

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

/// What ext file systems have at their top, for what a check of theirs finds.
const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Whether a name of a directory is the file system's own: its `lost+found`, which no restore has made and which
/// only root may read.
pub(super) fn is_file_systems_own(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let is_roots = || {
        statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::Directory && stat.st_uid == 0
        })
    };
    name == LOST_AND_FOUND && is_roots() && is_mount_root(dir)
}

/// Whether an open directory is the top of a mount.
fn is_mount_root(dir: BorrowedFd<'_>) -> bool {
    if let Ok(found) = statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::TYPE)
        && found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
    {
        return found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    // Kernels before 5.8 do not say. What holds it is on another device then, or itself.
    let above = statat(dir, "..", AtFlags::SYMLINK_NOFOLLOW);
    fstat(dir).is_ok_and(|own| {
        above.is_ok_and(|above| {
            above.st_dev != own.st_dev || (above.st_dev, above.st_ino) == (own.st_dev, own.st_ino)
        })
    })
}

/// Whether something is mounted on an entry; where the kernel does not say, nothing is.
pub(super) fn is_mount_point(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(dir, name, flags, StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
