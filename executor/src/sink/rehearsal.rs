//! What a restore would do, without doing it: the same walk and the same decisions, and nothing is written.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Stat, statat};
use rustix::io::Errno;

use super::places::has_content;
use super::{Sink, parent_of};
use crate::beneath::{Root, join};
use crate::error::{Error, Result};
use crate::repo::BlobReader;
use crate::report::{RestoreFigures, Skipped, printable};
use crate::source::{Names, read_link, stat_time};
use crate::tree::{DEPTH_MAX, Leaves, Node, NodeKind, Piece, read_content};

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

/// A directory of the target.
struct Level<'a> {
    logical: Vec<u8>,
    /// Beneath the root; nothing where the target has no such directory.
    there: Option<Vec<u8>>,
    nodes: Box<dyn Iterator<Item = Result<Node>> + 'a>,
    included: bool,
    /// Counted as made or found already.
    counted: bool,
    /// What would be done about the directory itself.
    action: Option<Action>,
    node: Node,
}

/// What is decided about an entry.
enum Decision {
    Keep,
    Do(Action),
}

struct Rehearsal<'s, 'a, 'e> {
    sink: &'s Sink<'a>,
    root: Option<Root>,
    figures: RestoreFigures,
    leaders: HashMap<u64, Node>,
    each: Each<'e>,
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
            true => Some(Root::open(to).map_err(target)?),
            false => None,
        };
        let there = root.as_ref().map(|_| Vec::new());
        let (figures, leaders) = Default::default();
        let mut run = Rehearsal { sink: self, root, figures, leaders, each };
        match node.kind.tree() {
            Some(_) => run.directories(node, logical, there)?,
            None => run.entry(node, &join(parent_of(logical), &node.name), there.as_deref())?,
        }
        Ok(run.figures)
    }
}

impl<'s> Rehearsal<'s, '_, '_> {
    fn directories(&mut self, top: &Node, logical: &[u8], there: Option<Vec<u8>>) -> Result<()> {
        let included = self.sink.matcher.includes(logical, false);
        self.extra(top, logical, there.as_deref(), included)?;
        let mut levels: Vec<Level<'s>> = Vec::new();
        levels.extend(self.level(top.clone(), logical.to_vec(), there, included, None));
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
                    let path = level.logical.clone();
                    self.fail(&path, &error.to_string())?;
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, node: Node, levels: &mut Vec<Level<'s>>) -> Result<()> {
        let Some(level) = levels.last() else { return Ok(()) };
        let path = join(&level.logical, &node.name);
        if self.sink.matcher.excludes(&path) {
            return Ok(());
        }
        let included = self.sink.matcher.includes(&path, level.included);
        let there = level.there.clone();
        if node.kind.tree().is_none() {
            if included {
                self.count_directories(levels)?;
                self.entry(&node, &path, there.as_deref())?;
            }
            return Ok(());
        }
        if levels.len() >= DEPTH_MAX {
            return self.fail(&path, "lies too deep");
        }
        let (found, action) = self.subdirectory(&node, there.as_deref())?;
        // A directory that was not chosen itself is entered, and not cleaned.
        if included {
            self.extra(&node, &path, found.as_deref(), included)?;
        }
        levels.extend(self.level(node, path, found, included, action));
        if included {
            self.count_directories(levels)?;
        }
        Ok(())
    }

    fn level(
        &self,
        node: Node,
        logical: Vec<u8>,
        there: Option<Vec<u8>>,
        included: bool,
        action: Option<Action>,
    ) -> Option<Level<'s>> {
        let reader: &'s BlobReader = self.sink.reader;
        let nodes = Box::new(Leaves::new(reader, &node.kind.tree()?).nodes());
        Some(Level { logical, there, nodes, included, counted: false, action, node })
    }

    /// Where the target has this directory, or what would be done to have it there.
    fn subdirectory(
        &self,
        node: &Node,
        above: Option<&[u8]>,
    ) -> Result<(Option<Vec<u8>>, Option<Action>)> {
        let Some(above) = above else { return Ok((None, Some(Action::Make))) };
        Ok(match self.stat(above, &node.name)? {
            Some(stat) if is_directory(&stat) => (Some(join(above, &node.name)), None),
            Some(_) => (None, Some(Action::Replace)),
            None => (None, Some(Action::Make)),
        })
    }

    /// Directories are made once something in them is wanted.
    fn count_directories(&mut self, levels: &mut [Level]) -> Result<()> {
        let first = levels.iter().rposition(|level| level.counted).map_or(0, |at| at + 1);
        for level in &mut levels[first..] {
            level.counted = true;
            if matches!(level.node.kind, NodeKind::Directory { .. }) {
                self.figures.entries.directories += 1;
            }
            if let Some(action) = level.action.take() {
                (self.each)(&level.logical, &action)?;
            }
        }
        Ok(())
    }

    /// An entry that is no directory.
    fn entry(&mut self, node: &Node, path: &[u8], above: Option<&[u8]>) -> Result<()> {
        if self.is_skipped(node) {
            return Ok(());
        }
        let is_file = matches!(node.kind, NodeKind::File { .. });
        if let Some(leader) = node.link_group.and_then(|group| self.leaders.get(&group))
            && is_file
            && (leader.inode, &leader.kind) == (node.inode, &node.kind)
        {
            self.figures.entries.files += 1;
            self.figures.entries.hard_links += 1;
            return Ok(());
        }
        match self.decide(node, above)? {
            Decision::Keep => self.figures.files_unchanged += u64::from(is_file),
            Decision::Do(Action::Refuse(why)) => return self.fail(path, &why),
            Decision::Do(action) => {
                self.figures.bytes_written += self.bytes(node)?;
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
        Ok(())
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

    /// What would be done for an entry. The conditions are those of `places::verdict`.
    fn decide(&self, node: &Node, above: Option<&[u8]>) -> Result<Decision> {
        const MAKE: Result<Decision> = Ok(Decision::Do(Action::Make));
        let Some((above, dir)) = above.zip(self.open(above)?) else { return MAKE };
        let Some(stat) = self.stat(above, &node.name)? else { return MAKE };
        if is_directory(&stat) {
            let empty = self.list(&join(above, &node.name))?.is_empty();
            let why = "a directory is in its place that holds other files";
            return Ok(Decision::Do(match empty || self.sink.options.delete_extra {
                true => Action::Replace,
                false => Action::Refuse(why.to_owned()),
            }));
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        let same = match &node.kind {
            NodeKind::File { size, .. } => {
                kind == FileType::RegularFile
                    && stat.st_size as u64 == *size
                    && stat_time(&stat).1 == node.mtime
                    && stat.st_nlink < 2
                    && (!self.sink.options.verify || has_content(dir.as_fd(), node, self.sink)?)
            }
            NodeKind::Symlink { target } => {
                kind == FileType::Symlink
                    && read_link(dir.as_fd(), &node.name).is_ok_and(|found| found == *target)
            }
            _ => false,
        };
        Ok(if same { Decision::Keep } else { Decision::Do(Action::Replace) })
    }

    fn bytes(&self, node: &Node) -> Result<u64> {
        let NodeKind::File { size, content } = &node.kind else { return Ok(0) };
        let pieces = read_content(self.sink.reader, *size, content)?;
        Ok(pieces.iter().filter(|piece| matches!(piece, Piece::Chunk { .. })).map(Piece::len).sum())
    }

    /// What would be removed from a directory that is there. Where a page is damaged nothing would be.
    fn extra(
        &mut self,
        node: &Node,
        logical: &[u8],
        relative: Option<&[u8]>,
        included: bool,
    ) -> Result<()> {
        let Some((tree, relative)) = node.kind.tree().zip(relative) else { return Ok(()) };
        if !self.sink.options.delete_extra {
            return Ok(());
        }
        let mut keep: HashSet<Vec<u8>> = HashSet::new();
        for leaf in Leaves::new(self.sink.reader, &tree) {
            let Ok(leaf) = leaf else { return Ok(()) };
            keep.extend(leaf.nodes.into_iter().map(|node| node.name));
        }
        for name in self.list(relative)?.iter().filter(|name| !keep.contains(*name)) {
            let path = join(logical, name);
            let matcher = &self.sink.matcher;
            if !matcher.excludes(&path) && matcher.includes(&path, included) {
                (self.each)(&path, &Action::Remove)?;
                self.figures.deleted += self.beneath(relative, name)?;
            }
        }
        Ok(())
    }

    /// How many entries an entry is, itself and all beneath it.
    fn beneath(&self, above: &[u8], name: &[u8]) -> Result<u64> {
        let mut ahead = vec![(above.to_vec(), name.to_vec())];
        let mut count = 0;
        while let Some((above, name)) = ahead.pop() {
            count += 1;
            if self.stat(&above, &name)?.is_some_and(|stat| is_directory(&stat)) {
                let path = join(&above, &name);
                let names = self.list(&path)?;
                ahead.extend(names.iter().map(|name| (path.clone(), name.to_vec())));
            }
        }
        Ok(count)
    }

    fn fail(&mut self, path: &[u8], why: &str) -> Result<()> {
        self.figures.failed.add(path, why.to_owned());
        (self.each)(path, &Action::Refuse(why.to_owned()))
    }

    fn open(&self, relative: Option<&[u8]>) -> Result<Option<OwnedFd>> {
        let Some((root, relative)) = self.root.as_ref().zip(relative) else { return Ok(None) };
        root.open_dir(relative).map(Some).map_err(|source| unreadable(relative, source))
    }

    fn stat(&self, above: &[u8], name: &[u8]) -> Result<Option<Stat>> {
        let Some(dir) = self.open(Some(above))? else { return Ok(None) };
        match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(unreadable(&join(above, name), error.into())),
        }
    }

    fn list(&self, relative: &[u8]) -> Result<Names> {
        let Some(dir) = self.open(Some(relative))? else { return Ok(Names::default()) };
        Names::list(dir.as_fd()).map_err(|source| unreadable(relative, source))
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn unreadable(relative: &[u8], source: std::io::Error) -> Error {
    Error::Target { path: printable(relative), source }
}
