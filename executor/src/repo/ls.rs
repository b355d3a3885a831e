//! Lists what a snapshot holds.

use super::{BlobReader, Open, Repo};
use crate::beneath::extend;
use crate::digest::BlobId;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::tree::{DEPTH_MAX, Leaves, Node};

/// Goes through everything at and beneath a logical path, parents before children, by name. `each` gets the
/// full path of an entry and returns whether to go on into it.
///
/// # Errors
/// `NoSuch` for a path that the snapshot does not hold; damage of a page; whatever `each` returns.
pub fn ls(
    repo: &Repo<Open>,
    snapshot: &Snapshot,
    path: &str,
    mut each: impl FnMut(&[u8], &Node) -> Result<bool>,
) -> Result<()> {
    let indexed = repo.index_for_reading()?;
    let reader = indexed.reader();
    let node = indexed.node_at(&reader, snapshot, path)?;
    let top = match path.trim_end_matches('/') {
        "" => b"/".to_vec(),
        path => path.as_bytes().to_vec(),
    };
    let into = each(&top, &node)?;
    let Some(tree) = node.kind.tree().filter(|_| into) else { return Ok(()) };
    // One path for all levels: four thousand of them, each with a path of its own, would take gigabytes.
    let mut path = top;
    let mut levels = vec![entries(&reader, &mut path, &tree, &mut each)?];
    while let Some(level) = levels.last_mut() {
        path.truncate(level.path_len);
        let Some((name, tree)) = level.into.next() else {
            levels.pop();
            continue;
        };
        extend(&mut path, &name);
        if levels.len() < DEPTH_MAX {
            levels.push(entries(&reader, &mut path, &tree, &mut each)?);
        }
    }
    Ok(())
}

/// A directory whose entries have been named.
struct Level {
    /// Of its path.
    path_len: usize,
    /// The directories in it to go on into.
    into: std::vec::IntoIter<(Vec<u8>, BlobId)>,
}

/// Names the entries of a directory.
fn entries(
    reader: &BlobReader,
    path: &mut Vec<u8>,
    tree: &BlobId,
    each: &mut impl FnMut(&[u8], &Node) -> Result<bool>,
) -> Result<Level> {
    let (path_len, mut into) = (path.len(), Vec::new());
    for node in Leaves::new(reader, tree).nodes() {
        let node = node?;
        extend(path, &node.name);
        let goes_on = each(path, &node)?;
        path.truncate(path_len);
        if let Some(tree) = node.kind.tree().filter(|_| goes_on) {
            into.push((node.name, tree));
        }
    }
    Ok(Level { path_len, into: into.into_iter() })
}
