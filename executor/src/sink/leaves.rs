//! Hard links, symbolic links, pipes and devices: everything that is made when all files are there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};

use rustix::fs::{
    AtFlags, FileType, Mode, RenameFlags, linkat, makedev, mknodat, renameat, renameat_with,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::files::FileJob;
use super::metadata::Origin;
use super::mounts::explain;
use super::names::{Seen, of_creation, see, taken};
use super::places::{OTHER_FILES, Place, Verdict, verdict};
use super::remove::Removal;
use super::{Run, Sink};
use crate::beneath::{Root, join};
use crate::error::Result;
use crate::report::{Skipped, printable};
use crate::source::read_link;
use crate::trail::Trail;
use crate::tree::{Device, Node, NodeKind};

/// A further name of a file that this run has made or kept.
pub(super) struct Link {
    pub(super) dir: usize,
    pub(super) name: Vec<u8>,
    pub(super) leader: Arc<FileJob>,
}

impl Run<'_, '_> {
    pub(super) fn link(&mut self, link: &Link) -> Result<()> {
        let logical = self.dirs[link.dir].trail.join(&link.name);
        let place = self.dirs[link.dir].place(&self.root);
        if link.leader.has_failed() {
            // What kept the first name away may not concern this one: the place, and not the content.
            let node = Node { name: link.name.clone(), ..link.leader.node.clone() };
            match self.verdict(link.dir, &node)? {
                Verdict::Fail(why) => self.sink.tally.failed(&logical, &why),
                verdict => {
                    self.copy_of(place, link, &"its first name could not be restored", verdict)?;
                }
            }
            return Ok(());
        }
        match self.link_to(&place, link) {
            Ok(Linked::Done) => self.sink.tally.add(|figures| {
                figures.entries.files += 1;
                figures.entries.hard_links += 1;
            }),
            Ok(Linked::Refused(refused, verdict)) => {
                let refused = io::Error::from(refused);
                let why = format_args!("the target does not link it: {refused}");
                self.copy_of(place, link, &why, verdict)?;
            }
            Err(error) => {
                self.sink.fatal(&self.root, &logical, &error)?;
                self.sink.tally.failed(&logical, &explain(&error));
            }
        }
        Ok(())
    }

    /// Where the target links nothing, or not this file, the name gets the content as a file of its own.
    fn copy_of(
        &mut self,
        place: Arc<Place>,
        link: &Link,
        why: &dyn std::fmt::Display,
        verdict: Verdict,
    ) -> Result<()> {
        let what = format_args!("it is a file of its own: {why}");
        self.sink.tally.unset(&place.join(&link.name), &what);
        let node = Node { name: link.name.clone(), ..link.leader.node.clone() };
        self.files.add(FileJob::new(place, node, verdict, &self.sink.temporary))
    }

    fn link_to(&mut self, place: &Place, link: &Link) -> io::Result<Linked> {
        let from = link.leader.place.open()?;
        let to = place.open()?;
        let (first, name) = (&link.leader.node.name[..], &link.name[..]);
        if !place.existed {
            return match linkat(&from, first, &to, name, AtFlags::empty()) {
                Ok(()) => Ok(Linked::Done),
                Err(Errno::EXIST) if see(&to, name)?.is_some() => Err(taken()),
                Err(errno) => Ok(Linked::Refused(errno, Verdict::Make)),
            };
        }
        let dir = &self.dirs[link.dir];
        let tree = dir.node.kind.tree();
        let known = self.listings.of(&self.root, link.dir, &dir.trail)?;
        let seen = known.look(self.sink.reader, tree.as_ref(), name)?;
        if let (Some(seen), Some(of_first)) = (&seen, see(&from, first)?)
            && seen.identity == of_first.identity
        {
            return Ok(Linked::Done);
        }
        let node = Node { name: link.name.clone(), ..link.leader.node.clone() };
        let verdict = beside(self.sink, &self.root, &known.fd, &node, seen.as_ref(), &dir.trail)?;
        let temporary = self.sink.temporary.name();
        if let Err(errno) = linkat(&from, first, &to, &temporary[..], AtFlags::empty()) {
            return Ok(Linked::Refused(errno, verdict));
        }
        let replaces = verdict == Verdict::Replace;
        let names = (&temporary[..], name);
        self.sink.give_name(&self.root, &to, names, replaces, &place.trail)?;
        Ok(Linked::Done)
    }

    /// A symbolic link, a pipe, a device; sockets are never made.
    pub(super) fn leaf(&mut self, dir: usize, node: &Node) -> Result<()> {
        let logical = self.dirs[dir].trail.join(&node.name);
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
            let fresh = self.make_leaf(&fd, node, &verdict, &place.trail)?;
            self.sink.settle_at(fd.as_fd(), node, Origin::of(fresh))
        });
        match made {
            Ok(settled) => {
                self.sink.note(&settled, || logical);
                self.sink.tally.done(node);
            }
            Err(error) => {
                self.sink.fatal(&self.root, &logical, &error)?;
                self.sink.tally.failed(&logical, &explain(&error));
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
        trail: &Trail,
    ) -> io::Result<bool> {
        match verdict {
            Verdict::Make => {
                make_or_clear(dir, &node.name, node).map_err(of_creation)?;
                return Ok(true);
            }
            Verdict::Keep => return Ok(false),
            _ => {}
        }
        let temporary = self.sink.temporary.name();
        make_or_clear(dir, &temporary, node)?;
        let replaces = *verdict == Verdict::Replace;
        self.sink.give_name(&self.root, dir, (&temporary, &node.name), replaces, trail)?;
        Ok(true)
    }
}

/// What came of a further name.
enum Linked {
    Done,
    /// The target does not link the file at all, and what is to be done for the name.
    Refused(Errno, Verdict),
}

/// Whether a name stands for the same link, pipe or device already.
pub(super) fn is_same(dir: &std::os::fd::OwnedFd, node: &Node) -> bool {
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

/// The same, but that nothing is left where the call failed: there are file systems that make an empty file for a
/// pipe, and then say that they cannot.
fn make_or_clear(dir: &OwnedFd, name: &[u8], node: &Node) -> io::Result<()> {
    if matches!(node.kind, NodeKind::Symlink { .. }) {
        return make_at(dir, name, node);
    }
    if see(dir, name)?.is_some() {
        return Err(Errno::EXIST.into());
    }
    let made = make_at(dir, name, node);
    let left = || statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    if made.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists)
        && left().is_ok_and(|left| left.st_size == 0)
    {
        let _ = unlinkat(dir, name, AtFlags::empty());
    }
    made
}

/// What is to be done for a further name of a file, which never stays as it is.
fn beside(
    sink: &Sink<'_>,
    root: &Root,
    dir: &OwnedFd,
    node: &Node,
    seen: Option<&Seen>,
    trail: &Trail,
) -> io::Result<Verdict> {
    let Some(seen) = seen else { return Ok(Verdict::Add) };
    // Its content is that of the leader: another inode is replaced, however equal.
    let other = Seen { links: 2, ..*seen };
    match verdict(sink, root, dir, node, Some(&other), trail) {
        Ok(Verdict::Fail(why)) => Err(io::Error::other(why)),
        Ok(verdict) => Ok(verdict),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

impl Sink<'_> {
    /// Gives what was made under a temporary name its own: replaces what was seen there, and nothing that came
    /// since. `trail` is that of the directory.
    pub(super) fn give_name(
        &self,
        root: &Root,
        dir: &OwnedFd,
        (temporary, name): (&[u8], &[u8]),
        replaces: bool,
        trail: &Trail,
    ) -> io::Result<()> {
        let given = match replaces {
            true => match renameat(dir, temporary, dir, name) {
                Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => self
                    .clear_directory(root, dir, name, &trail.logical())
                    .and_then(|()| Ok(renameat(dir, temporary, dir, name)?)),
                renamed => renamed.map_err(io::Error::from),
            },
            false => self.give_free_name(dir, temporary, name),
        };
        if given.is_err() {
            let _ = unlinkat(dir, temporary, AtFlags::empty());
        }
        given
    }

    fn give_free_name(&self, dir: &OwnedFd, temporary: &[u8], name: &[u8]) -> io::Result<()> {
        if renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE).is_ok() {
            return Ok(());
        }
        // Something is there, or the file system does not know this call; each has an answer of its own to it.
        let _alone = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        match see(dir, name)? {
            Some(_) => Err(taken()),
            None => Ok(renameat(dir, temporary, dir, name)?),
        }
    }

    /// Removes a directory that is in the way: an empty one always, another one only if extra files may go.
    fn clear_directory(
        &self,
        root: &Root,
        dir: &OwnedFd,
        name: &[u8],
        logical: &[u8],
    ) -> io::Result<()> {
        match unlinkat(dir, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) if self.options.delete_extra => {}
            Err(error) => return Err(io::Error::other(format!("{OTHER_FILES}: {error}"))),
            Ok(()) => return Ok(()),
        }
        let path = join(logical, name);
        let removed = Removal::new(root, self, false).run(dir.as_fd(), name, &path);
        self.tally.add(|figures| figures.deleted += removed.count);
        match removed.refused.first() {
            Some((path, why)) => {
                Err(io::Error::other(format!("{OTHER_FILES}: {}: {why}", printable(path))))
            }
            None => Ok(()),
        }
    }
}
