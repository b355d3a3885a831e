//! Hard links, symbolic links, pipes and devices: everything that is made when all files are there.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, RenameFlags, linkat, makedev, mknodat, renameat, renameat_with,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::Run;
use super::files::FileJob;
use super::places::{Place, Verdict, clear_directory};
use crate::beneath::join;
use crate::error::Result;
use crate::report::Skipped;
use crate::source::read_link;
use crate::tree::{Device, Node, NodeKind};

/// A further name of a file that this run has made or kept.
pub(super) struct Link {
    pub(super) dir: usize,
    pub(super) name: Vec<u8>,
    pub(super) leader: Arc<FileJob>,
}

impl Run<'_, '_> {
    pub(super) fn link(&mut self, link: &Link) -> Result<()> {
        let logical = join(&self.dirs[link.dir].logical, &link.name);
        if link.leader.has_failed() {
            self.sink
                .tally
                .failed(&logical, &"the file that it is a name of could not be restored");
            return Ok(());
        }
        let place = self.dirs[link.dir].place(&self.root);
        match self.link_to(&place, link) {
            Ok(None) => self.sink.tally.add(|figures| {
                figures.entries.files += 1;
                figures.entries.hard_links += 1;
            }),
            Ok(Some(refused)) => self.copy_of(place, link, &refused)?,
            Err(error) => {
                self.sink.fatal(&logical, &error)?;
                self.sink.tally.failed(&logical, &error);
            }
        }
        Ok(())
    }

    /// Where the target links nothing, or not this file, the name gets the content as a file of its own.
    fn copy_of(&mut self, place: Arc<Place>, link: &Link, errno: &Errno) -> Result<()> {
        let what = format!(
            "it is a file of its own, because the target does not link it: {}",
            io::Error::from(*errno)
        );
        self.sink.tally.unset(&join(&place.logical, &link.name), &what);
        let node = Node { name: link.name.clone(), ..link.leader.node.clone() };
        let verdict = if place.existed { Verdict::Replace } else { Verdict::Make };
        self.files.add(FileJob::new(place, node, verdict, &self.sink.temporary))
    }

    /// Makes the name. Returns what the target says when it does not link the file at all.
    fn link_to(&self, place: &Place, link: &Link) -> io::Result<Option<Errno>> {
        let from = link.leader.place.open()?;
        let to = place.open()?;
        let (first, name) = (&link.leader.node.name[..], &link.name[..]);
        if !place.existed {
            return Ok(linkat(&from, first, &to, name, AtFlags::empty()).err());
        }
        let of_first = statat(&from, first, AtFlags::SYMLINK_NOFOLLOW)?;
        if let Ok(found) = statat(&to, name, AtFlags::SYMLINK_NOFOLLOW) {
            if (found.st_dev, found.st_ino) == (of_first.st_dev, of_first.st_ino) {
                return Ok(None);
            }
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                clear_directory(to.as_fd(), name, self.sink.options.delete_extra)?;
            }
        }
        let temporary = self.sink.temporary.name();
        if let Err(errno) = linkat(&from, first, &to, &temporary[..], AtFlags::empty()) {
            return Ok(Some(errno));
        }
        finish_rename(&to, &temporary, name).map(|()| None)
    }

    /// A symbolic link, a pipe, a device; sockets are never made.
    pub(super) fn leaf(&mut self, dir: usize, node: &Node) -> Result<()> {
        let logical = join(&self.dirs[dir].logical, &node.name);
        let privileged = self.sink.options.privileged;
        match node.kind {
            NodeKind::Socket => {
                self.sink.skipped(&Skipped { sockets: 1, ..Default::default() });
                return Ok(());
            }
            NodeKind::CharDevice(_) | NodeKind::BlockDevice(_) if !privileged => {
                self.sink.skipped(&Skipped { devices: 1, ..Default::default() });
                return Ok(());
            }
            _ => {}
        }
        let place = self.dirs[dir].place(&self.root);
        let verdict = match self.verdict(dir, node)? {
            Verdict::Fail(why) => {
                self.sink.tally.failed(&logical, &why);
                return Ok(());
            }
            verdict => verdict,
        };
        let made = place.open().and_then(|fd| {
            let fresh = self.make_leaf(&fd, node, &verdict)?;
            self.sink.settle_at(fd.as_fd(), node, fresh)
        });
        match made {
            Ok(settled) => {
                self.sink.note(&settled, || logical);
                self.sink.tally.done(node);
            }
            Err(error) => {
                self.sink.fatal(&logical, &error)?;
                self.sink.tally.failed(&logical, &error);
            }
        }
        Ok(())
    }

    /// Makes a leaf, unless the very same is there. Returns whether it did.
    fn make_leaf(
        &self,
        dir: &std::os::fd::OwnedFd,
        node: &Node,
        verdict: &Verdict,
    ) -> io::Result<bool> {
        if *verdict == Verdict::Make {
            make_at(dir, &node.name, node)?;
            return Ok(true);
        }
        if is_same(dir, node) {
            return Ok(false);
        }
        let temporary = self.sink.temporary.name();
        make_at(dir, &temporary, node)?;
        finish_rename(dir, &temporary, &node.name)?;
        Ok(true)
    }
}

/// Whether a name stands for the same link, pipe or device already.
fn is_same(dir: &std::os::fd::OwnedFd, node: &Node) -> bool {
    if let NodeKind::Symlink { target } = &node.kind {
        return read_link(dir.as_fd(), &node.name).is_ok_and(|found| found == *target);
    }
    let Ok(stat) = statat(dir, &node.name[..], AtFlags::SYMLINK_NOFOLLOW) else { return false };
    let (kind, device) = kind_of(node);
    FileType::from_raw_mode(stat.st_mode) == kind
        && stat.st_nlink == 1
        && (kind == FileType::Fifo || stat.st_rdev == device)
}

fn kind_of(node: &Node) -> (FileType, u64) {
    let number = |device: &Device| makedev(device.major, device.minor);
    match &node.kind {
        NodeKind::CharDevice(device) => (FileType::CharacterDevice, number(device)),
        NodeKind::BlockDevice(device) => (FileType::BlockDevice, number(device)),
        _ => (FileType::Fifo, 0),
    }
}

/// All of these calls fail when the name is taken, by a link too. A device that nobody has any rights on waits
/// for those of its node.
fn make_at(dir: &std::os::fd::OwnedFd, name: &[u8], node: &Node) -> io::Result<()> {
    if let NodeKind::Symlink { target } = &node.kind {
        return Ok(symlinkat(&target[..], dir, name)?);
    }
    let (kind, device) = kind_of(node);
    Ok(mknodat(dir, name, kind, Mode::empty(), device)?)
}

/// Gives what was made its name: replaces what is there, and where nothing is, does not replace what comes.
pub(super) fn finish_rename(
    dir: &std::os::fd::OwnedFd,
    temporary: &[u8],
    name: &[u8],
) -> io::Result<()> {
    let renamed = match renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Something is there, or the file system does not know this call; each has an answer of its own to it.
        Err(_) => renameat(dir, temporary, dir, name),
    };
    if renamed.is_err() {
        let _ = unlinkat(dir, temporary, AtFlags::empty());
    }
    Ok(renamed?)
}
