//! What a target holds and the snapshot does not. It goes last, when everything else is in place, and only from
//! directories that were backed up themselves: of what lies beside the way to them the snapshot knows nothing.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::Stat;

use super::leftovers::is_leftover;
use super::mounts::is_file_systems_own;
use super::names::{folded, see};
use super::places::Dir;
use super::remove::{Removal, Removed, Spares};
use super::spared::OfSnapshot;
use super::{Run, Sink};
use crate::beneath::{Root, join};
use crate::config::MAGIC;
use crate::digest::BlobId;
use crate::error::Result;
use crate::source::{Names, open_file};
use crate::tree::{Leaves, NodeKind};

/// What is said where nothing goes although something may be too much.
pub(super) const NOTHING_REMOVED: &str = "nothing was removed, because not everything could be restored: what is still there may be the only copy";

impl Spares for Sink<'_> {
    fn entry(&self, logical: &[u8], stat: &Stat) -> bool {
        self.matcher.excludes(logical)
            || self.roots.contains(&(stat.st_dev, stat.st_ino))
            || self.spared.as_ref().is_some_and(|spared| spared.spares(logical, stat))
    }

    fn content(&self, dir: BorrowedFd<'_>, names: &Names) -> bool {
        is_repository(dir)
            || self.spared.as_ref().is_some_and(|spared| spared.spares_content(dir, names, None))
    }
}

/// Whether a directory of the target is a repository. What it holds is nobody's extra: it may be the one that this
/// restore reads from, and newer snapshots than the one that is restored lie in it.
pub(super) fn is_repository(dir: BorrowedFd<'_>) -> bool {
    let mut magic = [0; MAGIC.len()];
    open_file(dir, b"config")
        .and_then(|opened| opened.read_at(&mut magic, 0))
        .is_ok_and(|read| read == magic.len() && magic == *MAGIC)
}

/// A directory of the target that may hold too much.
pub(super) struct Cleaned<'c> {
    pub(super) root: &'c Root,
    pub(super) relative: &'c [u8],
    pub(super) logical: &'c [u8],
    pub(super) tree: &'c BlobId,
    /// It was chosen itself, or lies beneath what was.
    pub(super) included: bool,
}

impl Sink<'_> {
    /// Whether a directory is one that was backed up: what only leads to data is never cleaned.
    pub(super) fn is_cleaned(&self, kind: &NodeKind, logical: &[u8]) -> bool {
        let root_is_source = self.spared.as_ref().is_some_and(|spared| spared.root_is_source);
        match kind {
            NodeKind::Directory { .. } => true,
            NodeKind::Passage { .. } => logical == b"/" && root_is_source,
            _ => false,
        }
    }

    /// Removes what the snapshot does not hold, or only says what that is. The outer error is that of the
    /// target, the inner one that of the snapshot: then nothing is removed.
    pub(super) fn clean(
        &self,
        at: &Cleaned<'_>,
        rehearse: bool,
    ) -> std::io::Result<Result<Vec<Removed>>> {
        let fd = at.root.open_dir(at.relative)?;
        let names = Names::list(fd.as_fd())?;
        let extra = match self.extra(at, &fd, &names) {
            Ok(extra) => extra,
            Err(error) => return Ok(Err(error)),
        };
        let removed = extra.iter().map(|name| {
            let logical = join(at.logical, name);
            Removal::new(at.root, self, rehearse).run(fd.as_fd(), name, &logical)
        });
        Ok(Ok(removed.collect()))
    }

    /// Names of a directory that the snapshot does not hold, and that may go.
    fn extra(&self, at: &Cleaned<'_>, fd: &OwnedFd, names: &Names) -> Result<Vec<Vec<u8>>> {
        let (mut extra, mut absent) = (Vec::new(), Vec::new());
        let mut of_snapshot = OfSnapshot::default();
        // Both are in order.
        let mut next = 0;
        for leaf in Leaves::new(self.reader, at.tree) {
            for node in leaf?.nodes {
                while let Some(name) = names.get(next).filter(|name| **name < node.name[..]) {
                    extra.push(name.to_vec());
                    next += 1;
                }
                match names.get(next) {
                    Some(name) if name == node.name => next += 1,
                    _ => absent.push(node.name.clone()),
                }
                if let Some(spared) = &self.spared {
                    spared.note(&mut of_snapshot, &node.name);
                }
            }
        }
        extra.extend((next..).map_while(|number| names.get(number)).map(<[u8]>::to_vec));
        extra.retain(|name| {
            let path = join(at.logical, name);
            !is_leftover(name)
                && !is_file_systems_own(fd.as_fd(), name)
                && self.matcher.includes(&path, at.included)
        });
        let all_stay = self
            .spared
            .as_ref()
            .is_some_and(|spared| spared.spares_content(fd.as_fd(), names, Some(&of_snapshot)));
        if all_stay {
            extra.clear();
        }
        if extra.is_empty() || absent.is_empty() {
            return Ok(extra);
        }
        // What is found under a name of the snapshot is no extra, whatever the target calls it.
        let found = absent.iter().filter_map(|name| Some((name, see(fd, name).ok()??.identity)));
        let (names, found): (HashSet<_>, HashSet<_>) =
            found.map(|(name, identity)| (folded(name), identity)).unzip();
        if !found.is_empty() {
            extra.retain(|name| match see(fd, name) {
                Ok(Some(seen)) => !found.contains(&seen.identity) && !names.contains(&folded(name)),
                _ => true,
            });
        }
        Ok(extra)
    }
}

impl Run<'_, '_> {
    /// Which directories are repositories, or lie in one.
    fn repositories(&self) -> Vec<bool> {
        let mut alive: Vec<bool> = Vec::with_capacity(self.dirs.len());
        for dir in &self.dirs {
            let above = dir.parent.is_some_and(|parent| alive[parent]);
            let opened = || self.root.open_dir(&dir.relative());
            let itself = || opened().is_ok_and(|fd| is_repository(fd.as_fd()));
            alive.push(above || (dir.existed() && itself()));
        }
        alive
    }

    /// Removes what the snapshot does not hold, from all directories that were there.
    pub(super) fn remove_extra(&mut self) -> Result<()> {
        let sink = self.sink;
        let cleaned = |(number, dir): &(usize, &Dir)| {
            dir.existed()
                && (dir.included || *number == 0)
                && sink.is_cleaned(&dir.node.kind, &dir.logical())
        };
        let alive = self.repositories();
        for (number, dir) in self.dirs.iter().enumerate().filter(cleaned) {
            sink.stop_if_asked()?;
            if alive[number] {
                continue;
            }
            if sink.tally.has_lost() {
                sink.tally.failed(&self.dirs[0].logical(), &NOTHING_REMOVED);
                return Ok(());
            }
            let Some(tree) = dir.node.kind.tree() else { continue };
            let (relative, logical) = (dir.relative(), dir.logical());
            let at = Cleaned {
                root: &self.root,
                relative: &relative,
                logical: &logical,
                tree: &tree,
                included: dir.included,
            };
            match sink.clean(&at, false) {
                Ok(Ok(removed)) => removed.iter().for_each(|removed| {
                    sink.tally.add(|figures| figures.deleted += removed.count);
                    removed.refused.iter().for_each(|(path, why)| sink.tally.listed(path, why));
                }),
                // The page is in the figures already.
                Ok(Err(_)) => {}
                Err(error) => sink.tally.listed(&logical, &error),
            }
        }
        Ok(())
    }
}
