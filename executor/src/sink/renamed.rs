//! Entries that a target keeps under another name than it was given: without dots or spaces at the end, or
//! with other characters. They are there, and told.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::fstatfs;

use super::Run;
use super::names::see;
use crate::source::Names;
use crate::tree::Leaves;

/// File systems that keep every name byte for byte, by the numbers of their superblocks: ext4, XFS, Btrfs, tmpfs,
/// ramfs, overlay, NFS, F2FS, ZFS, Ceph, bcachefs.
const EXACT: [i64; 11] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x8584_58f6,
    0x794c_7630,
    0x6969,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0x00c3_6400,
    0xca45_1a4e,
];

fn is_exact(root: BorrowedFd<'_>) -> bool {
    fstatfs(root).is_ok_and(|found| EXACT.contains(&found.f_type))
}

impl Run<'_, '_> {
    /// Says which entries have got other names. Nothing is asked of file systems that change none.
    pub(super) fn tell_renamed(&self) {
        if is_exact(self.root.fd()) {
            return;
        }
        for dir in self.dirs.iter().filter(|dir| dir.is_there()) {
            let Some(tree) = dir.node.kind.tree() else { continue };
            let Ok(fd) = self.root.open_dir(&dir.relative()) else { continue };
            let Ok(names) = Names::list(fd.as_fd()) else { continue };
            let leaves = Leaves::new(self.sink.reader, &tree).flatten();
            let own: HashSet<_> =
                leaves.flat_map(|leaf| leaf.nodes).map(|node| node.name).collect();
            let absent: Vec<_> = own.iter().filter(|name| !names.holds(name)).collect();
            if absent.is_empty() {
                continue;
            }
            let other = names.iter().filter(|name| !own.contains(*name));
            let found = other.filter_map(|name| see(&fd, name).ok().flatten());
            let found: HashSet<_> = found.map(|seen| seen.identity).collect();
            for name in absent {
                if let Ok(Some(seen)) = see(&fd, name)
                    && found.contains(&seen.identity)
                {
                    let path = dir.trail.join(name);
                    self.sink.tally.unset(&path, &"it is there, and the target calls it otherwise");
                }
            }
        }
    }
}
