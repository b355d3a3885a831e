//! Sources that had files and have none now: nobody wants a disk that is not mounted to look like a backup.

use std::collections::HashSet;

use super::BlobReader;
use crate::beneath::join;
use crate::error::{Error, Result};
use crate::job::Backup;
use crate::pipeline::Tally;
use crate::snapshot::Snapshot;
use crate::source::logical_of;
use crate::tree::{DEPTH_MAX, Leaves, find};

/// What is said of such a source when there are others.
const EMPTIED: &str = "had files in its last snapshot and has none now";

/// Names each source that is missing or has lost all files among the entries that could not be read, so that
/// the snapshot is partial. Where no source is left, there is nothing to commit.
///
/// # Errors
/// `SourceMissing` or `SourceUnreadable` when nothing could be read; `EmptySource` when nothing is left of what
/// was there.
pub(super) fn check(
    job: &Backup,
    before: &[Snapshot],
    reader: &BlobReader,
    tally: &Tally,
) -> Result<()> {
    if let Some(error) = tally.failure_of_all() {
        return Err(error);
    }
    if job.reading.allow_empty || job.had_files_before == Some(false) {
        return Ok(());
    }
    let holds_nothing = tally.entries().holds_nothing();
    let files = before.iter().map(|snapshot| snapshot.counts.files + snapshot.counts.others);
    let had = files.max().unwrap_or(0);
    if holds_nothing && job.had_files_before == Some(true) {
        return Err(Error::EmptySource { files: had });
    }
    let paths: Vec<Option<String>> = job.sources.iter().map(logical_of).collect();
    let mut emptied = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let Some(path) = path else { continue };
        let is_empty = tally.of(number).entries().holds_nothing() && !tally.has_failed(number);
        let is_first = paths.iter().position(|other| other.as_ref() == Some(path)) == Some(number);
        // What cannot be read any more of an earlier snapshot says nothing. A partial one may lack what a complete one
        // before it had, and have what none before it had.
        let was_full = |one| had_files(one, reader, path, &paths).unwrap_or(false);
        if is_empty && is_first && before.iter().any(was_full) {
            emptied.push(path);
        }
    }
    if !emptied.is_empty() && holds_nothing {
        return Err(Error::EmptySource { files: had });
    }
    for path in emptied {
        tally.unreadable(path.as_bytes(), &EMPTIED);
    }
    Ok(())
}

/// Whether a snapshot holds anything but directories at a path, beside what belongs to other sources.
fn had_files(
    before: &Snapshot,
    reader: &BlobReader,
    path: &str,
    others: &[Option<String>],
) -> Result<bool> {
    let path = path.trim_end_matches('/');
    let Some(root) = before.roots.first() else { return Ok(false) };
    let mut tree = root.tree;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let Some(node) = find(reader, &tree, part.as_bytes())? else { return Ok(false) };
        match node.kind.tree() {
            Some(next) => tree = next,
            None => return Ok(true),
        }
    }
    let others: HashSet<&[u8]> = others.iter().flatten().map(|other| other.as_bytes()).collect();
    let mut ahead = vec![(path.as_bytes().to_vec(), tree, 0)];
    while let Some((path, tree, depth)) = ahead.pop() {
        for node in Leaves::new(reader, &tree).nodes() {
            let node = node?;
            let path = join(if path.is_empty() { b"/" } else { &path }, &node.name);
            match node.kind.tree() {
                _ if others.contains(&path[..]) => {}
                None => return Ok(true),
                Some(tree) if depth < DEPTH_MAX => ahead.push((path, tree, depth + 1)),
                Some(_) => {}
            }
        }
    }
    Ok(false)
}
