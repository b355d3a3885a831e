//! Restore, and the way to a place in a snapshot.

use super::backup::Environment;
use super::{BlobReader, Indexed, Open, Repo, describe};
use crate::digest::SnapshotName;
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
    let mut sink = Sink::new(&reader, keys, options, workers, progress, environment.repository)?;
    if let [target] = targets
        && is_whole(snapshot, target, options)
    {
        sink.expect(snapshot.counts.files, snapshot.counts.bytes);
    }
    reader.reading_ahead(|| {
        nodes.iter().try_for_each(|(node, target)| {
            let logical = match target.from.trim_end_matches('/') {
                "" => "/",
                path => path,
            };
            sink.write(node, logical.as_bytes(), &target.to)
        })
    })?;
    Ok(sink.figures())
}

/// Whether everything that a snapshot holds is going to be written: then it is known how much there is.
fn is_whole(snapshot: &Snapshot, target: &Target, options: &RestoreOptions) -> bool {
    let filtered = !options.include.is_empty() || !options.exclude.is_empty();
    let roots = describe(&SnapshotName([0; SnapshotName::LEN]), snapshot).roots;
    let from = target.from.trim_end_matches('/');
    let nothing_there = std::fs::read_dir(&target.to).map_or(true, |mut dir| dir.next().is_none());
    !filtered && nothing_there && (from.is_empty() || roots == [from])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_is_whole_if_nothing_is_left_out_and_nothing_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = Snapshot { selection: vec!["source /data".into()], ..Snapshot::default() };
        let whole = |from: &str, to: &str, include: &[String]| {
            let target = Target { from: from.to_owned(), to: dir.path().join(to) };
            let options = RestoreOptions { include: include.to_vec(), ..Default::default() };
            is_whole(&snapshot, &target, &options)
        };
        assert!(whole("/", "new", &[]) && whole("/data/", "", &[]));
        assert!(!whole("/data/d", "new", &[]) && !whole("/", "new", &["*.txt".to_owned()]));
        std::fs::write(dir.path().join("x"), b"x").unwrap();
        assert!(!whole("/", "", &[]));
    }
}
