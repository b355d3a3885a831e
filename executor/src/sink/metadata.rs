//! Owner, mode, attributes and times, always by descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, fstat, futimens, statat, utimensat,
};

use rustix::io::Errno;

use super::Sink;
use crate::digest::Kind;
use crate::error::Result;
use crate::report::Skipped;
use crate::tree::{Attribute, Attributes, Node, Time};

/// Setuid and setgid.
const SET_ID_BITS: u32 = 0o6000;

/// Access lists follow the mode, because a change of the mode would change them.
const ACCESS_LISTS: &[u8] = b"system.posix_acl_";

impl Sink<'_> {
    /// Gives an open file or directory everything that the node says.
    ///
    /// # Errors
    /// The first thing that the system refuses and that is not skipped by rule.
    pub(super) fn apply(&self, fd: BorrowedFd<'_>, node: &Node) -> Result<io::Result<()>> {
        let attributes = self.attributes(node)?;
        Ok(self.apply_all(fd, node, &attributes))
    }

    fn apply_all(&self, fd: BorrowedFd<'_>, node: &Node, list: &[Attribute]) -> io::Result<()> {
        let mut skipped = Skipped::default();
        if self.options.privileged {
            let owned = fchown(fd, Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
            skipped.owners += denied(owned)?;
        } else {
            let stat = fstat(fd)?;
            skipped.owners += u64::from(stat.st_uid != node.uid || stat.st_gid != node.gid);
        }
        let is_access_list = |attribute: &&Attribute| attribute.name.starts_with(ACCESS_LISTS);
        for attribute in list.iter().filter(|attribute| !is_access_list(attribute)) {
            self.set_attribute(fd, attribute, &mut skipped)?;
        }
        fchmod(fd, Mode::from_raw_mode(self.mode(node, &mut skipped)))?;
        for attribute in list.iter().filter(is_access_list) {
            self.set_attribute(fd, attribute, &mut skipped)?;
        }
        futimens(fd, &times(node.mtime))?;
        self.skipped(&skipped);
        Ok(())
    }

    pub(super) fn mode(&self, node: &Node, skipped: &mut Skipped) -> u32 {
        // With another owner than the snapshot's these bits would lend the wrong rights.
        let allowed = self.options.privileged && skipped.owners == 0;
        if allowed || node.mode & SET_ID_BITS == 0 {
            return node.mode;
        }
        skipped.setuid += 1;
        node.mode & !SET_ID_BITS
    }

    fn set_attribute(
        &self,
        fd: BorrowedFd<'_>,
        attribute: &Attribute,
        skipped: &mut Skipped,
    ) -> io::Result<()> {
        let name = &attribute.name[..];
        if !self.options.privileged && !self.may_set(name, skipped) {
            return Ok(());
        }
        settle_attribute(name, fsetxattr(fd, name, &attribute.value, XattrFlags::empty()), skipped)
    }

    /// Whether anybody may set this attribute; counts it when not.
    fn may_set(&self, name: &[u8], skipped: &mut Skipped) -> bool {
        if name == b"security.capability" {
            skipped.capabilities += 1;
            return false;
        }
        if is_system(name) && !name.starts_with(ACCESS_LISTS) {
            skipped.system_attributes += 1;
            return false;
        }
        true
    }

    /// The attributes of a node, wherever they are kept.
    fn attributes(&self, node: &Node) -> Result<Vec<Attribute>> {
        match &node.attributes {
            Attributes::None => Ok(Vec::new()),
            Attributes::Inline(list) => Ok(list.clone()),
            Attributes::Blob(id) => {
                let bytes = self.reader.read(Kind::Data, id)?;
                Attributes::decode(&bytes).map_err(|error| {
                    crate::error::Error::damaged(format!("attributes {id}"), error)
                })
            }
        }
    }

    /// Owner and times of an entry that cannot be opened: a link, a pipe, a device.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn apply_at(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        node: &Node,
    ) -> Result<io::Result<()>> {
        let attributes = self.attributes(node)?;
        Ok(self.apply_all_at(dir, name, node, &attributes))
    }

    fn apply_all_at(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        node: &Node,
        list: &[Attribute],
    ) -> io::Result<()> {
        let mut skipped = Skipped::default();
        if self.options.privileged {
            let owner = (Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
            let owned = chownat(dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW);
            skipped.owners += denied(owned)?;
        } else {
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            skipped.owners += u64::from(stat.st_uid != node.uid || stat.st_gid != node.gid);
        }
        for attribute in list {
            // Only the system's own attributes exist on such entries.
            if self.options.privileged || self.may_set(&attribute.name, &mut skipped) {
                self.set_attribute_at(dir, name, attribute, &mut skipped)?;
            }
        }
        utimensat(dir, name, &times(node.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        self.skipped(&skipped);
        Ok(())
    }

    fn set_attribute_at(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        attribute: &Attribute,
        skipped: &mut Skipped,
    ) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
        let path = crate::beneath::join(path.as_bytes(), name);
        let flags = XattrFlags::empty();
        let name = &attribute.name[..];
        let set = rustix::fs::lsetxattr(&path[..], name, &attribute.value, flags);
        settle_attribute(name, set, skipped)
    }

    pub(super) fn skipped(&self, more: &Skipped) {
        if *more == Skipped::default() {
            return;
        }
        self.tally.add(|figures| {
            let all = &mut figures.skipped;
            all.owners += more.owners;
            all.setuid += more.setuid;
            all.capabilities += more.capabilities;
            all.devices += more.devices;
            all.sockets += more.sockets;
            all.system_attributes += more.system_attributes;
            all.unsupported_attributes += more.unsupported_attributes;
        });
    }
}

/// Names that belong to the system: setting them needs rights.
fn is_system(name: &[u8]) -> bool {
    [&b"security."[..], b"trusted.", b"system."].iter().any(|prefix| name.starts_with(prefix))
}

/// Some who ask for privileged restores have not all rights, in containers above all: what the system denies
/// is counted like what was skipped, and costs nobody the file.
fn denied(done: rustix::io::Result<()>) -> io::Result<u64> {
    match done {
        Ok(()) => Ok(0),
        Err(Errno::PERM) => Ok(1),
        Err(error) => Err(error.into()),
    }
}

fn settle_attribute(
    name: &[u8],
    set: rustix::io::Result<()>,
    skipped: &mut Skipped,
) -> io::Result<()> {
    match set {
        Err(Errno::NOTSUP) => {
            skipped.unsupported_attributes += 1;
            Ok(())
        }
        done if name == b"security.capability" => {
            skipped.capabilities += denied(done)?;
            Ok(())
        }
        done if is_system(name) => {
            skipped.system_attributes += denied(done)?;
            Ok(())
        }
        done => Ok(done?),
    }
}

/// The time of the content; that of the last access stays as it is.
fn times(mtime: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: i64::from(mtime.nanos) as _ },
    }
}
