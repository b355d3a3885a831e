//! The snapshot that a backup is compared with.

use std::collections::BTreeSet;

use super::snapshots::is_source_rule;
use super::{Open, Repo, fetch_all};
use crate::digest::SnapshotName;
use crate::error::{Error, Result};
use crate::job::Backup;
use crate::snapshot::Snapshot;

/// Snapshots that are read at once at most while a parent is looked for.
const READ_TOGETHER: usize = 256;

/// What came before a backup.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// What it is compared with.
    pub(super) parent: Option<(SnapshotName, Snapshot)>,
    /// The newest complete snapshot of the same sources, whatever was left out of it, and the newest partial one if
    /// that is younger.
    pub(super) same_sources: Vec<Snapshot>,
    /// Where there is no parent: another host whose newest complete snapshot would be one.
    pub(super) other_host: Option<String>,
}

/// Looks for a parent: the newest complete snapshot of the same host, component, labels, sources and selection. What
/// another machine has stored is never compared with, however alike its files look. One that cannot be read is
/// passed over, but the one that the job names must be there; it may be of anything.
///
/// # Errors
/// `Superseded`; `NoSuch`, `Ambiguous` or damage of the one that is named; the store's.
pub(super) fn find(
    repo: &Repo<Open>,
    job: &Backup,
    selection: &[String],
    own: &SnapshotName,
    names: &[SnapshotName],
) -> Result<Earlier> {
    if names.contains(own) {
        return Err(Error::Superseded { snapshot: *own });
    }
    let named = job.parent.as_deref().filter(|name| !matches!(*name, "" | "latest"));
    if let Some(named) = named {
        let (name, snapshot) = repo.find_snapshot(named, None)?;
        return Ok(Earlier {
            same_sources: vec![snapshot.clone()],
            parent: Some((name, snapshot)),
            other_host: None,
        });
    }
    let mut earlier = newest(repo, job, selection, names)?;
    if job.reading.force {
        (earlier.parent, earlier.other_host) = (None, None);
    }
    Ok(earlier)
}

/// Reads snapshots from the newest on, each time twice as many at once: mostly the first one fits, and a
/// repository of ten thousand is read in as many steps as it takes to double that often.
fn newest(
    repo: &Repo<Open>,
    job: &Backup,
    selection: &[String],
    names: &[SnapshotName],
) -> Result<Earlier> {
    let wanted = Rules::of(selection);
    let mut earlier = Earlier::default();
    let (mut rest, mut together) = (names, 1);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(together.min(rest.len()));
        let read = fetch_all(&*repo.store, now, |name| match repo.load_snapshot(name) {
            Ok(snapshot) => Ok(Some((*name, snapshot))),
            Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
            Err(_) => Ok(None),
        })?;
        for (name, snapshot) in read.into_iter().flatten() {
            let found = Rules::of(&snapshot.selection);
            let same_host = snapshot.host == job.host;
            let is_alike = snapshot.component == job.component
                && snapshot.labels == job.labels
                && found.sources == wanted.sources;
            if !is_alike {
                continue;
            }
            // Pods of a deployment have another name each time, and labels that say whose they are.
            let is_first = match snapshot.partial {
                true => earlier.same_sources.is_empty(),
                false => earlier.same_sources.iter().all(|known| known.partial),
            };
            if is_first && (same_host || !job.labels.is_empty()) {
                earlier.same_sources.push(snapshot.clone());
            }
            if snapshot.partial {
                continue;
            }
            match (found.others == wanted.others, same_host) {
                (true, true) => {
                    earlier.parent = Some((name, snapshot));
                    earlier.other_host = None;
                    return Ok(earlier);
                }
                (true, false) if earlier.other_host.is_none() => {
                    earlier.other_host = Some(snapshot.host);
                }
                _ => {}
            }
        }
        (rest, together) = (later, (together * 2).min(READ_TOGETHER));
    }
    Ok(earlier)
}

/// The rules of a selection: the order of sources means nothing, that of all else may.
struct Rules<'a> {
    sources: BTreeSet<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Rules<'a> {
    fn of(selection: &'a [String]) -> Self {
        let rules = selection.iter().map(String::as_str);
        let (sources, others): (Vec<_>, Vec<_>) = rules.partition(|rule| is_source_rule(rule));
        Self { sources: sources.into_iter().collect(), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k01_sources_are_the_same_in_any_order_and_nothing_else_is() {
        let rules = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let same = |one: &[&str], other: &[&str]| {
            let (one, other) = (rules(one), rules(other));
            let (one, other) = (Rules::of(&one), Rules::of(&other));
            one.sources == other.sources && one.others == other.others
        };
        assert!(same(
            &["source /a", "source /b", "exclude x"],
            &["source /b", "source /a", "exclude x"]
        ));
        assert!(!same(&["source /a"], &["source /a", "source /b"]));
        assert!(!same(&["source /a", "exclude x"], &["source /a"]));
        assert!(!same(
            &["source /a", "exclude x", "exclude !y"],
            &["source /a", "exclude !y", "exclude x"]
        ));
    }
}
