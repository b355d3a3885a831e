//! Lists snapshots and finds the one that a name means.

use super::{Filter, Open, Repo, fetch_all};
use crate::digest::SnapshotName;
use crate::error::{Error, Result};
use crate::report::{Progress, Quiet, SnapshotInfo, printable};
use crate::snapshot::Snapshot;

/// How the selection of a snapshot names its sources; see `docs/format.md`, "Trees".
const SOURCE_RULE: &str = "source ";

/// All snapshots of a repository.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Those that can be read, oldest first.
    pub found: Vec<(SnapshotName, Snapshot)>,
    /// Those that cannot, and why.
    pub damaged: Vec<(SnapshotName, Error)>,
}

impl Repo<Open> {
    /// All snapshots. One that is damaged hides no other.
    ///
    /// # Errors
    /// The store's.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let mut all = Snapshots::default();
        for (name, read) in self.read_snapshots()? {
            match read {
                Ok(snapshot) => all.found.push((name, snapshot)),
                Err(error) => all.damaged.push((name, error)),
            }
        }
        all.found.sort_by_key(|(name, snapshot)| (snapshot.started_ms, *name));
        Ok(all)
    }

    /// Every snapshot with what reading it gave, as many at once as the store likes. The outer error is the store's.
    pub(super) fn read_snapshots(&self) -> Result<Vec<(SnapshotName, Result<Snapshot>)>> {
        fetch_all(&*self.store, &self.snapshot_names()?, |name| match self.load_snapshot(name) {
            Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
            read => Ok((*name, read)),
        })
    }

    /// The snapshot that a name means, where `latest` is the newest complete one that fits. Tells of snapshots
    /// that cannot be read and might have been the newest.
    ///
    /// # Errors
    /// As [`Self::find_snapshot`].
    pub fn find_fitting(
        &self,
        name: &str,
        component: Option<&str>,
        filter: &Filter,
        progress: &dyn Progress,
    ) -> Result<(SnapshotName, Snapshot)> {
        if name != "latest" {
            return self.find_snapshot(name, component);
        }
        let all = self.snapshots()?;
        for (name, error) in &all.damaged {
            progress.warn(&format!("snapshot {name} cannot be read and is passed over: {error}"));
        }
        let fits = |(name, snapshot): &(SnapshotName, Snapshot)| {
            !snapshot.partial
                && component.is_none_or(|wanted| snapshot.component == wanted)
                && filter.fits(&describe(name, snapshot))
        };
        let name = if filter.is_empty() { name } else { "latest that fits" };
        let none = || Error::NoSuch { what: "snapshot", name: name.to_owned() };
        all.found.into_iter().rev().find(fits).ok_or_else(none)
    }

    /// The snapshot that a name means: an id, a unique prefix of one, or `latest`, the newest complete one (of
    /// `component`, if that is given).
    ///
    /// # Errors
    /// `NoSuch`, `Ambiguous`, the snapshot's own damage, or the store's.
    pub fn find_snapshot(
        &self,
        name: &str,
        component: Option<&str>,
    ) -> Result<(SnapshotName, Snapshot)> {
        let none = || Error::NoSuch { what: "snapshot", name: printable(name.as_bytes()) };
        if name == "latest" {
            return self.find_fitting(name, component, &Filter::default(), &Quiet);
        }
        if name.is_empty() {
            return Err(none());
        }
        let names = self.snapshot_names()?;
        let mut fitting = names.iter().filter(|found| found.to_string().starts_with(name));
        let first = *fitting.next().ok_or_else(none)?;
        let more = fitting.count();
        if more > 0 {
            return Err(Error::Ambiguous { prefix: name.to_owned(), count: more + 1 });
        }
        Ok((first, self.load_snapshot(&first)?))
    }
}

/// The rule of a selection that names a source.
pub(super) fn source_rule(stored_as: &str) -> String {
    format!("{SOURCE_RULE}{stored_as}")
}

/// Whether a rule of a selection names a source.
pub(super) fn is_source_rule(rule: &str) -> bool {
    rule.starts_with(SOURCE_RULE)
}

/// A snapshot as lists show it.
#[must_use]
pub fn describe(name: &SnapshotName, snapshot: &Snapshot) -> SnapshotInfo {
    let roots = snapshot.selection.iter().filter_map(|rule| rule.strip_prefix(SOURCE_RULE));
    SnapshotInfo {
        id: name.to_string(),
        object_digest: None,
        tree: snapshot.roots.first().map(|root| root.tree.to_string()).unwrap_or_default(),
        at: snapshot.started_ms.saturating_mul(1_000_000),
        host: snapshot.host.clone(),
        session: snapshot.session.clone(),
        component: snapshot.component.clone(),
        tags: snapshot.tags.clone(),
        roots: roots.map(str::to_owned).collect(),
        partial: snapshot.partial,
        parent: snapshot.parent.map(|parent| parent.to_string()),
        files: snapshot.counts.files,
        directories: snapshot.counts.directories,
        bytes: snapshot.counts.bytes,
    }
}
