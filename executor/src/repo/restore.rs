//! Restore, and the way to a place in a snapshot.

use super::backup::Environment;
use super::{BlobReader, Indexed, Open, Repo};
use crate::error::{Error, Result};
use crate::job::{RestoreOptions, Target};
use crate::report::{RestoreFigures, printable};
use crate::sink::Sink;
use crate::snapshot::Snapshot;
use crate::source::components;
use crate::tree::{Node, NodeKind, Time, find};

/// Reads that a restore has in flight at most, whatever the store would take.
const RESTORE_THREADS_MAX: usize = 32;

impl Repo<Indexed> {
    /// The node at a logical path of a snapshot; `/` is a passage over everything.
    ///
    /// # Errors
    /// `NoSuch` when the snapshot has no such path; damage of the pages on the way.
    pub fn node_at(&self, reader: &BlobReader, snapshot: &Snapshot, path: &str) -> Result<Node> {
        let none =
            || Error::NoSuch { what: "path in the snapshot", name: printable(path.as_bytes()) };
        let root = snapshot.roots.first().ok_or_else(none)?;
        let passage = NodeKind::Passage { tree: root.tree };
        let mut at = Node::bare(b"", passage, 0o755, Time::default());
        for component in components(path)? {
            let tree = at.kind.tree().ok_or_else(none)?;
            at = find(reader, &tree, component)?.ok_or_else(none)?;
        }
        Ok(at)
    }
}

/// Restores parts of a snapshot.
///
/// # Errors
/// `NoSuch` for a path that the snapshot does not hold; `Target` when a target cannot be written or is full;
/// `Interrupted`. What concerns single entries is in the figures.
pub fn restore(
    repo: &Repo<Open>,
    snapshot: &Snapshot,
    targets: &[Target],
    options: &RestoreOptions,
    environment: &Environment<'_>,
) -> Result<RestoreFigures> {
    let indexed = repo.index_for_reading()?;
    let reader = indexed.reader();
    let mut nodes = Vec::with_capacity(targets.len());
    for target in targets {
        nodes.push((indexed.node_at(&reader, snapshot, &target.from)?, target));
    }
    let in_flight = repo.store().habits().reads_in_flight.min(RESTORE_THREADS_MAX);
    let workers = environment.threads().max(in_flight);
    let keys = repo.keys().clone();
    let progress = environment.progress;
    let sink = Sink::new(&reader, keys, options, workers, progress, environment.repository)?;
    for (node, target) in &nodes {
        let logical = match target.from.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        sink.write(node, logical.as_bytes(), &target.to)?;
    }
    Ok(sink.figures())
}
