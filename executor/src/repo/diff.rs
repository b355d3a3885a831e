//! What changed between two snapshots. Directories that are the same are never read.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::{Open, Repo};
use crate::beneath::extend;
use crate::digest::BlobId;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::tree::{Content, DEPTH_MAX, Fetch, Node, NodeKind, Piece, Pieces, read_differing};

/// How an entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the second snapshot has it.
    Added,
    /// Only the first one has it.
    Removed,
    /// It is something else now, such as a link that was a file.
    Type,
    /// Its content, target or device numbers differ, and perhaps its metadata too.
    Content,
    /// Its content differs, and nothing else does, times and inode included: suspect the disk.
    Silent,
    /// Mode, owner, time of change or attributes differ, and nothing else does.
    Metadata,
}

/// Numbers of entries of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Only in the second snapshot.
    pub added: u64,
    /// Only in the first one.
    pub removed: u64,
    /// With other content, or of another type.
    pub changed: u64,
    /// With other metadata only.
    pub metadata: u64,
}

/// Different chunks, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// All changes in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffSummary {
    /// Regular files.
    pub files: Counts,
    /// Directories.
    pub directories: Counts,
    /// Links, devices, sockets, pipes.
    pub others: Counts,
    /// Sizes of the files that are only in the second snapshot.
    pub bytes_added: u64,
    /// Sizes of the files that are only in the first one.
    pub bytes_removed: u64,
    /// Chunks that changed or added files have now and changed or removed ones did not have. A file that
    /// was only moved has none.
    pub chunks_new: Chunks,
    /// The reverse.
    pub chunks_gone: Chunks,
}

/// One side of a comparison: a snapshot and the logical path in it.
pub type Side<'a> = (&'a Snapshot, &'a str);

/// Compares what lies at and beneath two places and hands each entry that changed to `each`, parents before
/// children, by name, with its path beneath the place; `each` returns whether to go on.
///
/// # Errors
/// `NoSuch` for a path that a snapshot does not hold; damage of a page; whatever `each` returns.
pub fn diff(
    repo: &Repo<Open>,
    before: Side<'_>,
    after: Side<'_>,
    each: impl FnMut(&[u8], Change, &Node) -> Result<bool>,
) -> Result<DiffSummary> {
    let indexed = repo.index_for_reading()?;
    let reader = indexed.reader();
    let node = |(snapshot, path): Side<'_>| indexed.node_at(&reader, snapshot, path);
    diff_nodes(&reader, node(before)?, node(after)?, each)
}

/// The same for two nodes, whose own names do not matter.
///
/// # Errors
/// As [`diff`].
pub fn diff_nodes(
    fetch: &impl Fetch,
    before: Node,
    after: Node,
    mut each: impl FnMut(&[u8], Change, &Node) -> Result<bool>,
) -> Result<DiffSummary> {
    let (chunks, counted) = (HashMap::new(), HashSet::new());
    let mut diff = Diff { fetch, summary: DiffSummary::default(), chunks, counted };
    let pair = Pair::Both(before, after);
    // One path for all levels; the topmost entry is not beneath another.
    let mut path = b"/".to_vec();
    let mut levels = vec![Level { path_len: 1, pairs: vec![pair].into_iter(), top: true }];
    while let Some(level) = levels.last_mut() {
        let Some(pair) = level.pairs.next() else {
            levels.pop();
            continue;
        };
        path.truncate(level.path_len);
        if !level.top {
            extend(&mut path, pair.name());
        }
        if let Some(change) = pair.change() {
            diff.count(&pair, change)?;
            if !each(&path, change, pair.newest())? {
                break;
            }
        }
        if levels.len() <= DEPTH_MAX {
            levels.extend(diff.beneath(path.len(), &pair)?);
        }
    }
    Ok(diff.finish())
}

/// An entry and what became of it.
enum Pair {
    Before(Node),
    After(Node),
    Both(Node, Node),
}

struct Level {
    path_len: usize,
    pairs: std::vec::IntoIter<Pair>,
    top: bool,
}

impl Pair {
    fn name(&self) -> &[u8] {
        &self.newest().name
    }

    fn newest(&self) -> &Node {
        match self {
            Self::Before(node) | Self::After(node) | Self::Both(_, node) => node,
        }
    }

    fn before(&self) -> Option<&Node> {
        match self {
            Self::Before(node) | Self::Both(node, _) => Some(node),
            Self::After(_) => None,
        }
    }

    fn after(&self) -> Option<&Node> {
        match self {
            Self::After(node) | Self::Both(_, node) => Some(node),
            Self::Before(_) => None,
        }
    }

    fn change(&self) -> Option<Change> {
        let (before, after) = match self {
            Self::Both(before, after) => (before, after),
            Self::After(_) => return Some(Change::Added),
            Self::Before(_) => return Some(Change::Removed),
        };
        if letter(&before.kind) != letter(&after.kind) {
            return Some(Change::Type);
        }
        let same_metadata = has_same_metadata(before, after);
        if before.kind.tree().is_none() && before.kind != after.kind {
            let untouched = same_metadata
                && (before.ctime, before.inode) == (after.ctime, after.inode)
                && !before.racy
                && size(before) == size(after);
            return Some(if untouched { Change::Silent } else { Change::Content });
        }
        (!same_metadata).then_some(Change::Metadata)
    }
}

/// One letter a type: a passage is a directory.
fn letter(kind: &NodeKind) -> char {
    match kind {
        NodeKind::File { .. } => 'f',
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => 'd',
        NodeKind::Symlink { .. } => 'l',
        NodeKind::Fifo => 'p',
        NodeKind::Socket => 's',
        NodeKind::CharDevice(_) => 'c',
        NodeKind::BlockDevice(_) => 'b',
    }
}

fn has_same_metadata(before: &Node, after: &Node) -> bool {
    let is_passage = |node: &Node| matches!(node.kind, NodeKind::Passage { .. });
    is_passage(before)
        || is_passage(after)
        || (before.mode, before.uid, before.gid, before.mtime, &before.attributes)
            == (after.mode, after.uid, after.gid, after.mtime, &after.attributes)
}

fn size(node: &Node) -> u64 {
    match node.kind {
        NodeKind::File { size, .. } => size,
        _ => 0,
    }
}

/// On which sides of the changes a chunk was seen.
#[derive(Clone, Copy, Default)]
struct Seen {
    bytes: u64,
    before: bool,
    after: bool,
}

struct Diff<'f, F> {
    fetch: &'f F,
    summary: DiffSummary,
    chunks: HashMap<BlobId, Seen>,
    /// Contents of many chunks that were counted, by side.
    counted: HashSet<[u8; 32]>,
}

impl<F: Fetch> Diff<'_, F> {
    fn count(&mut self, pair: &Pair, change: Change) -> Result<()> {
        let summary = &mut self.summary;
        let counts = match pair.newest().kind {
            NodeKind::File { .. } => &mut summary.files,
            NodeKind::Directory { .. } | NodeKind::Passage { .. } => &mut summary.directories,
            _ => &mut summary.others,
        };
        match change {
            Change::Added => {
                counts.added += 1;
                summary.bytes_added += size(pair.newest());
            }
            Change::Removed => {
                counts.removed += 1;
                summary.bytes_removed += size(pair.newest());
            }
            Change::Metadata => counts.metadata += 1,
            Change::Type | Change::Content | Change::Silent => counts.changed += 1,
        }
        if change == Change::Metadata {
            return Ok(());
        }
        for (node, is_after) in [(pair.before(), false), (pair.after(), true)] {
            if let Some(node) = node {
                self.note_chunks(node, is_after)?;
            }
        }
        Ok(())
    }

    fn note_chunks(&mut self, node: &Node, is_after: bool) -> Result<()> {
        let NodeKind::File { size, content } = &node.kind else { return Ok(()) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[u8::from(is_after)]).update(&size.to_le_bytes());
        if let Content::Lists(lists) = content {
            for id in lists {
                hasher.update(id.as_bytes());
            }
            // However many names have the same content, it is counted once.
            if !self.counted.insert(*hasher.finalize().as_bytes()) {
                return Ok(());
            }
        }
        for piece in Pieces::new(self.fetch, *size, content) {
            let Piece::Chunk { id, len } = piece? else { continue };
            let seen = self.chunks.entry(id).or_default();
            seen.bytes = len;
            seen.before |= !is_after;
            seen.after |= is_after;
        }
        Ok(())
    }

    /// The entries of a directory that may have changed.
    fn beneath(&self, path_len: usize, pair: &Pair) -> Result<Option<Level>> {
        let tree = |node: Option<&Node>| node.and_then(|node| node.kind.tree());
        let (before, after) = (tree(pair.before()), tree(pair.after()));
        if before == after {
            return Ok(None);
        }
        let (before, after) = read_differing(self.fetch, before, after)?;
        let pairs = merge(before, after).into_iter();
        Ok(Some(Level { path_len, pairs, top: false }))
    }

    fn finish(mut self) -> DiffSummary {
        for seen in self.chunks.values().filter(|seen| seen.before != seen.after) {
            let chunks = match seen.after {
                true => &mut self.summary.chunks_new,
                false => &mut self.summary.chunks_gone,
            };
            chunks.count += 1;
            chunks.bytes += seen.bytes;
        }
        self.summary
    }
}

/// Pairs two sorted lists by name.
fn merge(before: Vec<Node>, after: Vec<Node>) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(before.len().max(after.len()));
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some(one), Some(other)) => one.name.cmp(&other.name),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let (one, other) = match order {
            Ordering::Less => (before.next(), None),
            Ordering::Greater => (None, after.next()),
            Ordering::Equal => (before.next(), after.next()),
        };
        pairs.push(match (one, other) {
            (Some(one), Some(other)) => Pair::Both(one, other),
            (Some(one), None) => Pair::Before(one),
            (None, Some(other)) => Pair::After(other),
            (None, None) => return pairs,
        });
    }
}
