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
use crate::tree::{Node, NodeKind};

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
            Ok(()) => self.sink.tally.add(|figures| {
                figures.entries.files += 1;
                figures.entries.hard_links += 1;
            }),
            Err(error) => {
                self.sink.fatal(&logical, &error)?;
                self.sink.tally.failed(&logical, &error);
            }
        }
        Ok(())
    }

    fn link_to(&self, place: &Place, link: &Link) -> io::Result<()> {
        let from = link.leader.place.open()?;
        let to = place.open()?;
        let (first, name) = (&link.leader.node.name[..], &link.name[..]);
        if !place.existed {
            return Ok(linkat(&from, first, &to, name, AtFlags::empty())?);
        }
        let of_first = statat(&from, first, AtFlags::SYMLINK_NOFOLLOW)?;
        if let Ok(found) = statat(&to, name, AtFlags::SYMLINK_NOFOLLOW) {
            if (found.st_dev, found.st_ino) == (of_first.st_dev, of_first.st_ino) {
                return Ok(());
            }
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                clear_directory(to.as_fd(), name, self.sink.options.delete_extra)?;
            }
        }
        let temporary = self.sink.temporary.name();
        linkat(&from, first, &to, &temporary[..], AtFlags::empty())?;
        finish_rename(&to, &temporary, name)
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
        let opened = place.open();
        let made = opened.and_then(|fd| self.make_leaf(&fd, node, &verdict).map(|()| fd));
        let applied = match made {
            Ok(fd) => self.sink.apply_at(fd.as_fd(), &node.name, node),
            Err(error) => Ok(Err(error)),
        };
        match applied {
            Ok(Ok(())) => self.sink.tally.done(node),
            Ok(Err(error)) => {
                self.sink.fatal(&logical, &error)?;
                self.sink.tally.failed(&logical, &error);
            }
            Err(error) => self.sink.tally.failed(&logical, &error),
        }
        Ok(())
    }

    fn make_leaf(
        &self,
        dir: &std::os::fd::OwnedFd,
        node: &Node,
        verdict: &Verdict,
    ) -> io::Result<()> {
        if *verdict == Verdict::Make {
            return self.make_at(dir, &node.name, node);
        }
        if let NodeKind::Symlink { target } = &node.kind
            && read_link(dir.as_fd(), &node.name).is_ok_and(|found| found == *target)
        {
            return Ok(());
        }
        let temporary = self.sink.temporary.name();
        self.make_at(dir, &temporary, node)?;
        finish_rename(dir, &temporary, &node.name)
    }

    /// All of these calls fail when the name is taken, by a link too.
    fn make_at(&self, dir: &std::os::fd::OwnedFd, name: &[u8], node: &Node) -> io::Result<()> {
        let mut skipped = Skipped::default();
        let mode = Mode::from_raw_mode(self.sink.mode(node, &mut skipped));
        let (kind, device) = match &node.kind {
            NodeKind::Symlink { target } => return Ok(symlinkat(&target[..], dir, name)?),
            NodeKind::CharDevice(device) => (FileType::CharacterDevice, Some(device)),
            NodeKind::BlockDevice(device) => (FileType::BlockDevice, Some(device)),
            _ => (FileType::Fifo, None),
        };
        let device = device.map_or(0, |device| makedev(device.major, device.minor));
        mknodat(dir, name, kind, Mode::empty(), device)?;
        // The name is ours since the call above made it; the call below follows no link of others either
        // because a directory that this run made holds nothing else.
        set_mode(dir, name, mode)?;
        self.sink.skipped(&skipped);
        Ok(())
    }
}

/// The mode of a node that must not be opened: through a descriptor that only names it.
fn set_mode(dir: &std::os::fd::OwnedFd, name: &[u8], mode: Mode) -> io::Result<()> {
    use rustix::fs::OFlags;
    use std::os::fd::AsRawFd;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::chmod(path, mode)?)
}

/// Gives what was made its name: replaces what is there, and where nothing is, does not replace what comes.
pub(super) fn finish_rename(
    dir: &std::os::fd::OwnedFd,
    temporary: &[u8],
    name: &[u8],
) -> io::Result<()> {
    let renamed = match renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => renameat(dir, temporary, dir, name),
        other => other,
    };
    if renamed.is_err() {
        let _ = unlinkat(dir, temporary, AtFlags::empty());
    }
    Ok(renamed?)
}
