//! Lists what a snapshot holds.

use super::{Open, Repo};
use crate::beneath::join;
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
    let mut ahead: Vec<(Vec<u8>, BlobId, usize)> =
        node.kind.tree().filter(|_| into).map(|tree| (top, tree, 0)).into_iter().collect();
    while let Some((path, tree, depth)) = ahead.pop() {
        let first = ahead.len();
        for node in Leaves::new(&reader, &tree).nodes() {
            let node = node?;
            let path = join(&path, &node.name);
            let into = each(&path, &node)?;
            if let Some(tree) = node.kind.tree().filter(|_| into && depth + 1 < DEPTH_MAX) {
                ahead.push((path, tree, depth + 1));
            }
        }
        ahead[first..].reverse();
    }
    Ok(())
}
