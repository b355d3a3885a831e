//! What a restore would do, without doing it: the same walk and the same decisions, and nothing is written.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;

use super::extra::{Cleaned, NOTHING_REMOVED, is_repository};
use super::mounts::explain;
use super::names::{Known, see};
use super::places::{Verdict, is_empty, may_become_directory, verdict};
use super::remove::{Removal, Removed};
use super::{Sink, parent_of};
use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::repo::BlobReader;
use crate::report::{RestoreFigures, Skipped, printable};
use crate::source::Names;
use crate::trail::Trail;
use crate::tree::{DEPTH_MAX, Leaves, Node, NodeKind, Piece, Pieces};

/// What would become of an entry of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is not there and would be made.
    Make,
    /// Something else is in its place and would be replaced.
    Replace,
    /// It would be removed, because the snapshot does not hold it.
    Remove,
    /// It could not be done.
    Refuse(String),
}

/// Hears what would be done, by logical path.
pub(crate) type Each<'e> = &'e mut dyn FnMut(&[u8], &Action) -> Result<()>;

/// Directories that are open at once; those above are opened again on the way back.
const OPEN_MAX: usize = 32;

/// A directory of the target.
struct Level<'a> {
    trail: Arc<Trail>,
    /// What the target has there; nothing where it has no such directory.
    there: Option<There>,
    nodes: Box<dyn Iterator<Item = Result<Node>> + 'a>,
    included: bool,
    /// It is a repository, or lies in one: nothing in it is removed.
    alive: bool,
    /// Counted as made or found already.
    counted: bool,
    /// It cannot be made, nor anything in it.
    refused: bool,
    /// What would be done about the directory itself.
    action: Option<Action>,
    node: Node,
}

/// A directory that is there.
struct There {
    trail: Arc<Trail>,
    /// Nothing while too many others are open.
    known: Option<Known>,
}

impl There {
    fn open(root: &Root, trail: Arc<Trail>) -> io::Result<Self> {
        let known = Known::open(root, &trail.relative())?;
        Ok(Self { trail, known: Some(known) })
    }

    /// Whether it is a repository, as far as it is open.
    fn is_repository(&self) -> bool {
        self.known.as_ref().is_some_and(|known| is_repository(known.fd.as_fd()))
    }

    fn known(&mut self, root: &Root) -> io::Result<&mut Known> {
        match &mut self.known {
            Some(known) => Ok(known),
            none => Ok(none.insert(Known::open(root, &self.trail.relative())?)),
        }
    }
}

/// What would become of a directory.
enum Found {
    There(There),
    Nothing(Action),
    /// It is not this run's to fill.
    Elsewhere,
    Refused(String),
}

struct Rehearsal<'s, 'a, 'e> {
    sink: &'s Sink<'a>,
    root: Option<Root>,
    figures: RestoreFigures,
    leaders: HashMap<u64, Node>,
    /// Directories that may hold too much. What goes from them is known when all else is: nothing does where
    /// something could not be restored.
    cleaned: Vec<Later>,
    lost: bool,
    each: Each<'e>,
}

/// A directory of the target that is cleaned in the end.
struct Later {
    trail: Arc<Trail>,
    tree: BlobId,
    included: bool,
}

impl Sink<'_> {
    /// As [`Sink::write`], but nothing is written.
    ///
    /// # Errors
    /// When the target cannot be read, somebody asked to stop, or the topmost directory is damaged.
    pub(crate) fn rehearse(
        &self,
        node: &Node,
        logical: &[u8],
        to: &Path,
        each: Each<'_>,
    ) -> Result<RestoreFigures> {
        let target =
            |source| Error::Target { path: printable(to.as_os_str().as_encoded_bytes()), source };
        let root = match to.is_dir() {
            true => Some(self.open_root(to).map_err(target)?),
            false => None,
        };
        let there = match &root {
            Some(root) => Some(There::open(root, Trail::top(logical)).map_err(target)?),
            None => None,
        };
        let (figures, leaders, cleaned, lost) = Default::default();
        let mut run = Rehearsal { sink: self, root, figures, leaders, cleaned, lost, each };
        match node.kind.tree() {
            Some(_) => run.directories(node, logical, there)?,
            None => {
                let path = join(parent_of(logical), &node.name);
                run.entry(node, &path, there, None)?;
            }
        }
        run.figures.unmatched = self.matcher.unmatched();
        Ok(run.figures)
    }
}

impl<'s> Rehearsal<'s, '_, '_> {
    fn directories(&mut self, top: &Node, logical: &[u8], there: Option<There>) -> Result<()> {
        let included = self.sink.matcher.includes(logical, false);
        let alive = there.as_ref().is_some_and(There::is_repository);
        if !alive {
            self.clean_later(top, logical, there.as_ref(), included);
        }
        let mut levels: Vec<Level<'s>> = Vec::new();
        levels.extend(self.level(top.clone(), Trail::top(logical), there, (included, alive), None));
        self.count_directories(&mut levels)?;
        let mut begun = false;
        while let Some(level) = levels.last_mut() {
            self.sink.stop_if_asked()?;
            match level.nodes.next() {
                None => drop(levels.pop()),
                Some(Ok(node)) => {
                    begun = true;
                    self.node(node, &mut levels)?;
                }
                // Nothing at all could be restored.
                Some(Err(error)) if !begun => return Err(error),
                Some(Err(error)) => {
                    let path = level.trail.logical();
                    self.fail(&path, &error.to_string())?;
                }
            }
        }
        self.extra(logical)
    }

    fn node(&mut self, node: Node, levels: &mut Vec<Level<'s>>) -> Result<()> {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { return Ok(()) };
        let trail = Trail::beneath(&level.trail, &node.name);
        let path = trail.logical();
        if self.sink.matcher.excludes(&path) {
            return Ok(());
        }
        let included = self.sink.matcher.includes(&path, level.included);
        let above = level.node.kind.tree();
        if node.kind.tree().is_none() {
            if included {
                if !self.count_directories(levels)? {
                    return Ok(());
                }
                let there = levels.last_mut().and_then(|level| level.there.take());
                let there = self.entry(&node, &path, there, above.as_ref())?;
                if let Some(level) = levels.last_mut() {
                    level.there = there;
                }
            }
            return Ok(());
        }
        if depth >= DEPTH_MAX {
            return self.fail(&path, "lies too deep");
        }
        let (there, action) = match self.subdirectory(&node, level.there.as_mut(), above.as_ref()) {
            Found::There(there) => (Some(there), None),
            Found::Nothing(action) => (None, Some(action)),
            Found::Elsewhere => return Ok(()),
            // What is not wanted itself fails once something beneath it is.
            Found::Refused(why) => (None, Some(Action::Refuse(why))),
        };
        let alive = levels.last().is_some_and(|level| level.alive)
            || there.as_ref().is_some_and(There::is_repository);
        // A directory that was not chosen itself is entered, and not cleaned.
        if included {
            if let Some(Action::Refuse(why)) = &action {
                return match self.count_directories(levels)? {
                    true => self.fail(&path, why),
                    false => Ok(()),
                };
            }
            if !alive {
                self.clean_later(&node, &path, there.as_ref(), included);
            }
        }
        levels.extend(self.level(node, trail, there, (included, alive), action));
        if let Some(far) = levels.len().checked_sub(OPEN_MAX + 1)
            && let Some(there) = &mut levels[far].there
        {
            there.known = None;
        }
        if included {
            self.count_directories(levels)?;
        }
        Ok(())
    }

    fn level(
        &self,
        node: Node,
        trail: Arc<Trail>,
        there: Option<There>,
        (included, alive): (bool, bool),
        action: Option<Action>,
    ) -> Option<Level<'s>> {
        let reader: &'s BlobReader = self.sink.reader;
        let nodes = Box::new(Leaves::new(reader, &node.kind.tree()?).going_on().nodes());
        Some(Level {
            trail,
            there,
            nodes,
            included,
            alive,
            counted: false,
            refused: false,
            action,
            node,
        })
    }

    /// Where the target has this directory, or what would be done to have it there. As `Run::make_one` does.
    fn subdirectory(&self, node: &Node, above: Option<&mut There>, tree: Option<&BlobId>) -> Found {
        let Some((above, root)) = above.zip(self.root.as_ref()) else {
            return Found::Nothing(Action::Make);
        };
        let looked = above.known(root).and_then(|known| {
            let seen = known.look(self.sink.reader, tree, &node.name)?;
            if let Some(seen) = seen.filter(|seen| seen.kind != FileType::Directory) {
                may_become_directory(self.sink, node, &seen, &known.fd)?;
            }
            Ok(seen)
        });
        let found = looked.and_then(|seen| {
            let Some(seen) = seen else { return Ok(Found::Nothing(Action::Make)) };
            if seen.kind != FileType::Directory {
                return Ok(Found::Nothing(Action::Replace));
            }
            match There::open(root, Trail::beneath(&above.trail, &node.name)) {
                Ok(there) => Ok(Found::There(there)),
                Err(error)
                    if error.kind() == io::ErrorKind::CrossesDevices
                        && is_empty(self.sink.reader, node) =>
                {
                    Ok(Found::Elsewhere)
                }
                Err(error) => Err(error),
            }
        });
        found.unwrap_or_else(|error| Found::Refused(explain(&error)))
    }

    /// Directories are made once something in them is wanted. Whether all of them can be.
    fn count_directories(&mut self, levels: &mut [Level]) -> Result<bool> {
        let first = levels.iter().rposition(|level| level.counted).map_or(0, |at| at + 1);
        for at in first..levels.len() {
            if levels.iter().any(|level| level.refused) {
                return Ok(false);
            }
            let level = &mut levels[at];
            level.counted = true;
            match level.action.take() {
                Some(Action::Refuse(why)) => {
                    level.refused = true;
                    let path = level.trail.logical();
                    self.fail(&path, &why)?;
                    return Ok(false);
                }
                Some(action) => (self.each)(&level.trail.logical(), &action)?,
                None => {}
            }
            if matches!(level.node.kind, NodeKind::Directory { .. }) {
                self.figures.entries.directories += 1;
            }
        }
        Ok(!levels.iter().any(|level| level.refused))
    }

    /// An entry that is no directory; gives back what it was told of the directory that it lies in.
    fn entry(
        &mut self,
        node: &Node,
        path: &[u8],
        mut there: Option<There>,
        tree: Option<&BlobId>,
    ) -> Result<Option<There>> {
        if self.is_skipped(node) {
            return Ok(there);
        }
        let is_file = matches!(node.kind, NodeKind::File { .. });
        let is_link = is_file
            && node
                .link_group
                .and_then(|group| self.leaders.get(&group))
                .is_some_and(|leader| (leader.inode, &leader.kind) == (node.inode, &node.kind));
        let verdict = self.decide(node, there.as_mut(), tree)?;
        if verdict == Verdict::Replace {
            self.cleared(node, path, there.as_mut())?;
        }
        match verdict {
            Verdict::Fail(why) => {
                self.fail(path, &why)?;
                return Ok(there);
            }
            _ if is_link => {
                self.figures.entries.files += 1;
                self.figures.entries.hard_links += 1;
                return Ok(there);
            }
            Verdict::Keep => self.figures.files_unchanged += u64::from(is_file),
            verdict => {
                match self.bytes(node) {
                    Ok(bytes) => self.figures.bytes_written += bytes,
                    Err(error) => {
                        self.fail(path, &error.to_string())?;
                        return Ok(there);
                    }
                }
                let replaces = verdict == Verdict::Replace;
                let action = if replaces { Action::Replace } else { Action::Make };
                (self.each)(path, &action)?;
            }
        }
        if let Some(group) = node.link_group.filter(|_| is_file) {
            self.leaders.insert(group, node.clone());
        }
        let entries = &mut self.figures.entries;
        match node.kind {
            NodeKind::File { .. } => entries.files += 1,
            NodeKind::Symlink { .. } => entries.symlinks += 1,
            _ => entries.special += 1,
        }
        Ok(there)
    }

    /// What would be removed because it lies in a directory that is in the place of something else.
    fn cleared(&mut self, node: &Node, path: &[u8], there: Option<&mut There>) -> Result<()> {
        let Some((there, root)) = there.zip(self.root.as_ref()) else { return Ok(()) };
        let Ok(known) = there.known(root) else { return Ok(()) };
        let is_full = see(&known.fd, &node.name)
            .ok()
            .flatten()
            .filter(|seen| seen.kind == FileType::Directory)
            .and_then(|_| root.open_child(known.fd.as_fd(), &node.name, true).ok())
            .is_some_and(|inner| Names::list(inner.as_fd()).is_ok_and(|names| !names.is_empty()));
        if !is_full {
            return Ok(());
        }
        let removed = Removal::new(root, self.sink, true).run(known.fd.as_fd(), &node.name, path);
        self.tell_removed(removed)
    }

    fn tell_removed(&mut self, removed: Removed) -> Result<()> {
        self.figures.deleted += removed.count;
        for path in &removed.whole {
            (self.each)(path, &Action::Remove)?;
        }
        for (path, why) in &removed.refused {
            self.list(path, why)?;
        }
        Ok(())
    }

    /// What would be done for an entry.
    fn decide(
        &self,
        node: &Node,
        there: Option<&mut There>,
        tree: Option<&BlobId>,
    ) -> Result<Verdict> {
        let Some((there, root)) = there.zip(self.root.as_ref()) else { return Ok(Verdict::Make) };
        let trail = there.trail.clone();
        let known = match there.known(root) {
            Ok(known) => known,
            Err(error) => return Ok(Verdict::Fail(explain(&error))),
        };
        match known.look(self.sink.reader, tree, &node.name) {
            Ok(seen) => verdict(self.sink, root, &known.fd, node, seen.as_ref(), &trail),
            Err(error) => Ok(Verdict::Fail(explain(&error))),
        }
    }

    fn is_skipped(&mut self, node: &Node) -> bool {
        let skipped: &mut Skipped = &mut self.figures.skipped;
        match node.kind {
            NodeKind::Socket => skipped.sockets += 1,
            NodeKind::CharDevice(_) | NodeKind::BlockDevice(_) if !self.sink.options.privileged => {
                skipped.devices += 1;
            }
            _ => return false,
        }
        true
    }

    fn bytes(&self, node: &Node) -> Result<u64> {
        let NodeKind::File { size, content } = &node.kind else { return Ok(0) };
        Pieces::new(self.sink.reader, *size, content).try_fold(0, |sum, piece| match piece? {
            Piece::Chunk { len, .. } => Ok(sum + len),
            Piece::Hole { .. } => Ok(sum),
        })
    }

    /// Takes a directory that is there for one that is cleaned, if it was backed up itself.
    fn clean_later(&mut self, node: &Node, logical: &[u8], there: Option<&There>, included: bool) {
        if let Some((tree, there)) = node.kind.tree().zip(there)
            && self.sink.options.delete_extra
            && self.sink.is_cleaned(&node.kind, logical)
        {
            self.cleaned.push(Later { trail: there.trail.clone(), tree, included });
        }
    }

    /// What would be removed in the end. As `Run::remove_extra` does.
    fn extra(&mut self, top: &[u8]) -> Result<()> {
        let Some(root) = self.root.take() else { return Ok(()) };
        for later in std::mem::take(&mut self.cleaned) {
            self.sink.stop_if_asked()?;
            if self.lost {
                return self.fail(top, NOTHING_REMOVED);
            }
            let (relative, logical) = (&later.trail.relative()[..], &later.trail.logical()[..]);
            let (tree, included) = (&later.tree, later.included);
            match self.sink.clean(&Cleaned { root: &root, relative, logical, tree, included }, true)
            {
                Ok(Ok(removed)) => {
                    removed.into_iter().try_for_each(|removed| self.tell_removed(removed))?;
                }
                // The page is in the figures already.
                Ok(Err(_)) => {}
                Err(error) => self.list(logical, &error.to_string())?,
            }
        }
        Ok(())
    }

    /// Something of the snapshot would not arrive.
    fn fail(&mut self, path: &[u8], why: &str) -> Result<()> {
        self.lost = true;
        self.list(path, why)
    }

    fn list(&mut self, path: &[u8], why: &str) -> Result<()> {
        self.figures.failed.add(path, why.to_owned());
        (self.each)(path, &Action::Refuse(why.to_owned()))
    }
}
