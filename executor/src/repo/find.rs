//! Looks for names in many snapshots. A directory that is the same at the same place in several of them and
//! holds nothing that fits is read once.

use std::collections::HashSet;

use super::{BlobReader, Open, Repo};
use crate::beneath::extend;
use crate::digest::{BlobId, SnapshotName};
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::source::Globs;
use crate::tree::{DEPTH_MAX, Leaves, Node, NodeKind};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Globs, one of which must match: with a slash the path from the root, without one the name.
    pub globs: Vec<String>,
    /// Letters of both cases are the same.
    pub ignore_case: bool,
    /// Changed at this second or later.
    pub oldest: Option<i64>,
    /// Changed at this second or earlier.
    pub newest: Option<i64>,
}

/// Hands every entry that fits to `each`, snapshot by snapshot, with its full path; `each` returns whether
/// to go on at all.
///
/// # Errors
/// A glob that cannot be understood; damage of a page; whatever `each` returns.
pub fn find(
    repo: &Repo<Open>,
    snapshots: &[(SnapshotName, Snapshot)],
    query: &Query,
    mut each: impl FnMut(&SnapshotName, &Snapshot, &[u8], &Node) -> Result<bool>,
) -> Result<()> {
    let globs = match query.ignore_case {
        true => Globs::ignoring_case("find", &query.globs)?,
        false => Globs::new("find", &query.globs)?,
    };
    let reader = repo.index_for_reading()?.reader();
    let mut search = Search { reader, globs, query, barren: HashSet::new() };
    for (name, snapshot) in snapshots {
        let Some(root) = snapshot.roots.first() else { continue };
        if !search.tree(root.tree, &mut |path, node| each(name, snapshot, path, node))? {
            return Ok(());
        }
    }
    Ok(())
}

struct Search<'a> {
    reader: BlobReader,
    globs: Globs,
    query: &'a Query,
    /// Directories beneath which nothing fits, with their place.
    barren: HashSet<[u8; 32]>,
}

/// A directory whose entries are being looked at.
struct Level {
    /// Of its path: the path itself is one for all levels.
    path_len: usize,
    place: [u8; 32],
    nodes: Box<dyn Iterator<Item = Result<Node>>>,
    /// Something fits here or beneath.
    fertile: bool,
}

impl Search<'_> {
    /// Returns whether to go on with the next snapshot.
    fn tree(
        &mut self,
        root: BlobId,
        each: &mut dyn FnMut(&[u8], &Node) -> Result<bool>,
    ) -> Result<bool> {
        let mut path = b"/".to_vec();
        let mut levels: Vec<Level> = self.enter(&path, root).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            let Some(node) = level.nodes.next() else {
                if let Some(done) = levels.pop() {
                    self.leave(&done, levels.last_mut());
                }
                continue;
            };
            let node = node?;
            path.truncate(level.path_len);
            extend(&mut path, &node.name);
            if self.fits(&path, &node) {
                level.fertile = true;
                if !each(&path, &node)? {
                    return Ok(false);
                }
            }
            if let Some(tree) = node.kind.tree().filter(|_| levels.len() < DEPTH_MAX) {
                levels.extend(self.enter(&path, tree));
            }
        }
        Ok(true)
    }

    fn enter(&self, path: &[u8], tree: BlobId) -> Option<Level> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tree.as_bytes());
        // Names fit wherever they are: what is barren at one place is so at all.
        if self.globs.look_at_paths() {
            hasher.update(path);
        }
        let place = *hasher.finalize().as_bytes();
        if self.barren.contains(&place) {
            return None;
        }
        let nodes = Box::new(Leaves::new(self.reader.clone(), &tree).nodes());
        Some(Level { path_len: path.len(), place, nodes, fertile: false })
    }

    fn leave(&mut self, done: &Level, above: Option<&mut Level>) {
        match above {
            Some(above) if done.fertile => above.fertile = true,
            _ if done.fertile => {}
            _ => drop(self.barren.insert(done.place)),
        }
    }

    fn fits(&self, path: &[u8], node: &Node) -> bool {
        let Query { oldest, newest, .. } = *self.query;
        let at = node.mtime.seconds;
        // The times of a passage mean nothing.
        let timed = !matches!(node.kind, NodeKind::Passage { .. });
        self.globs.matches(path)
            && oldest.is_none_or(|oldest| timed && at >= oldest)
            && newest.is_none_or(|newest| timed && at <= newest)
    }
}
