//! What a restore would do to a target, without doing it.

use super::restore::{deletion, logical};
use super::{Open, Repo};
use crate::error::Result;
use crate::job::{RestoreOptions, Target};
use crate::report::{Progress, RestoreFigures};
pub use crate::sink::Action;
use crate::sink::Sink;
use crate::snapshot::Snapshot;

/// Hands to `each` everything that a restore would make, replace, remove or refuse, and counts what it would
/// count. Metadata that would be skipped is counted only where a whole entry is.
///
/// # Errors
/// `NoSuch` for a path that the snapshot does not hold; `Target` when something in the target cannot be read;
/// damage of a page; `Interrupted`; whatever `each` returns.
pub fn rehearse(
    repo: &Repo<Open>,
    snapshot: &Snapshot,
    target: &Target,
    options: &RestoreOptions,
    progress: &dyn Progress,
    mut each: impl FnMut(&[u8], &Action) -> Result<()>,
) -> Result<RestoreFigures> {
    let indexed = repo.index_for_reading()?;
    let reader = indexed.reader();
    let node = indexed.node_at(&reader, snapshot, &target.from)?;
    let mut sink = Sink::new(&reader, repo.keys().clone(), options, 1, progress, "repository")?;
    sink.spares(deletion(snapshot, std::slice::from_ref(target), options)?);
    let logical = logical(target).as_bytes();
    reader.reading_ahead(|| sink.rehearse(&node, logical, &target.to, &mut each))
}
