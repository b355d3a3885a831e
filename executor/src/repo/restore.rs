//! Restore, and the way to a place in a snapshot.

use std::path::Path;

use super::backup::Environment;
use super::{BlobReader, Indexed, Open, Repo, describe};
use crate::digest::SnapshotName;
use crate::error::{Error, Result};
use crate::job::{RestoreOptions, Target};
use crate::report::{RestoreFigures, printable};
use crate::sink::{Opened, Sink, Spared};
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
    sink.began(environment.at);
    sink.spares(deletion(snapshot, targets, options)?);
    if let [target] = targets
        && is_whole(snapshot, target, options)
    {
        sink.expect(snapshot.counts.files, snapshot.counts.bytes);
    }
    let places: Vec<&Path> = targets.iter().map(|target| target.to.as_path()).collect();
    let opened = sink.open(&places);
    reader.reading_ahead(|| write_all(&sink, &nodes, opened))?;
    Ok(sink.figures())
}

/// Writes target by target. One that takes nothing does not keep the others from what is theirs.
fn write_all(
    sink: &Sink<'_>,
    nodes: &[(Node, &Target)],
    opened: Vec<Result<Opened>>,
) -> Result<()> {
    let mut first = Ok(());
    for ((node, target), opened) in nodes.iter().zip(opened) {
        let done = opened.and_then(|to| sink.write(node, logical(target).as_bytes(), to));
        match done {
            Err(error @ Error::Target { .. }) => first = first.and(Err(error)),
            other => other?,
        }
    }
    first
}

/// Where the content of a target lies in the snapshot.
pub(super) fn logical(target: &Target) -> &str {
    match target.from.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

/// What a restore that removes leaves alone, or why it must not remove anything.
///
/// # Errors
/// `Invalid` for a target that is the root of this system, unless a filter says what is meant; for a partial
/// snapshot, unless that is allowed; for rules of a selection that nobody can read.
pub(super) fn deletion(
    snapshot: &Snapshot,
    targets: &[Target],
    options: &RestoreOptions,
) -> Result<Option<Spared>> {
    if !options.delete_extra {
        return Ok(None);
    }
    let refused = |reason: String| Error::Invalid { field: "--delete", reason };
    if snapshot.partial && !options.delete_although_partial {
        return Err(refused(
            "the snapshot is partial: what could not be read would be removed here, and there is no copy of \
             it. Restore without --delete, from a complete snapshot, or with --delete-although-partial"
                .to_owned(),
        ));
    }
    for target in targets {
        let is_filtered = !options.include.is_empty()
            || !options.iinclude.is_empty()
            || logical(target) == "/"
                && !(options.exclude.is_empty() && options.iexclude.is_empty());
        if is_root(&target.to) && !is_filtered {
            let to = printable(target.to.as_os_str().as_encoded_bytes());
            return Err(refused(format!(
                "{to} is the root of this system: say with --include what may be removed from it"
            )));
        }
    }
    Spared::of(snapshot).map(Some)
}

/// Whether a path leads to `/`, by whatever way: links, dots, or a second mount of it.
fn is_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    identity(path).is_ok_and(|found| identity(Path::new("/")).is_ok_and(|root| root == found))
}

/// Whether everything that a snapshot holds is going to be written: then it is known how much there is.
fn is_whole(snapshot: &Snapshot, target: &Target, options: &RestoreOptions) -> bool {
    let lists = [&options.include, &options.exclude, &options.iinclude, &options.iexclude];
    let filtered = lists.iter().any(|list| !list.is_empty());
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
