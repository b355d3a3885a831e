//! Lists snapshots and finds the one that a name means.

use std::collections::{BTreeMap, BTreeSet};

use super::{Filter, Open, Repo, fetch_all};
use crate::digest::SnapshotName;
use crate::error::{Error, Result};
use crate::report::{Progress, Quiet, SnapshotInfo, printable};
use crate::snapshot::Snapshot;

/// How the selection of a snapshot names its sources; see `docs/format.md`, "Trees".
const SOURCE_RULE: &str = "source ";

/// How far the clock of whoever made a snapshot may be from that of the store, and from ours, before its time is
/// taken for wrong.
pub const CLOCKS_APART_MS: i64 = 24 * 3600 * 1000;

/// All snapshots of a repository.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Those that can be read, oldest first.
    pub found: Vec<(SnapshotName, Snapshot)>,
    /// Those that cannot, and why.
    pub damaged: Vec<(SnapshotName, Error)>,
    /// When the store got each of them, by its clock, milliseconds since 1970: the earlier of both copies.
    pub stored_ms: BTreeMap<SnapshotName, i64>,
}

/// The snapshot that `latest` is.
pub struct Latest {
    /// Its place among all.
    pub place: usize,
    /// What somebody should hear about the choice.
    pub warnings: Vec<String>,
}

impl Snapshots {
    /// Those that fit, as lists show them.
    #[must_use]
    pub fn infos(&self, filter: &Filter) -> Vec<SnapshotInfo> {
        let infos = self.found.iter().map(|(name, snapshot)| self.describe(name, snapshot));
        infos.filter(|info| filter.fits(info)).collect()
    }

    fn describe(&self, name: &SnapshotName, snapshot: &Snapshot) -> SnapshotInfo {
        let stored = self.stored_ms.get(name).map(|at| at.saturating_mul(1_000_000));
        SnapshotInfo { stored_at: stored, ..describe(name, snapshot) }
    }

    /// The newest complete one that fits. One that claims a time of the future is passed over while there is
    /// another: of a clock that was wrong once nobody wants to hear until the day it showed.
    ///
    /// # Errors
    /// `NoSuch`; `OnlyPartial`.
    pub fn latest(&self, component: Option<&str>, filter: &Filter) -> Result<Latest> {
        let mut newest: Option<usize> = None;
        let mut of_the_future: Vec<usize> = Vec::new();
        let mut partial: Vec<usize> = Vec::new();
        for (place, (name, snapshot)) in self.found.iter().enumerate() {
            let info = self.describe(name, snapshot);
            if component.is_some_and(|wanted| snapshot.component != wanted) || !filter.fits(&info) {
                continue;
            }
            match (snapshot.partial, is_of_the_future(&info, filter.now_ms)) {
                (true, _) => partial.push(place),
                (false, true) => of_the_future.push(place),
                (false, false) => newest = Some(place),
            }
        }
        let id = |place: &usize| self.found[*place].0.to_string();
        let Some(place) = newest.or(of_the_future.last().copied()) else {
            let name = if filter.is_empty() { "latest" } else { "latest that fits" };
            return Err(match partial.last() {
                Some(last) => Error::OnlyPartial { count: partial.len(), newest: id(last) },
                None => Error::NoSuch { what: "snapshot", name: name.to_owned() },
            });
        };
        let passed_over = of_the_future.iter().filter(|other| **other != place);
        let mut warnings: Vec<String> = passed_over
            .map(|other| {
                format!(
                    "snapshot {} claims a time in the future and is passed over: a clock was wrong when it was \
                     made; name it by its id if it is meant",
                    id(other)
                )
            })
            .collect();
        if newest.is_none() {
            warnings.push(format!(
                "snapshot {} claims a time in the future, and so does every other one: look at the clock of this \
                 machine",
                id(&place)
            ));
        }
        warnings.extend(self.stored_later(place, component, filter).map(|other| {
            format!(
                "snapshot {other} was stored after the one that is taken, and claims a time more than a day before that: \
                 a clock was wrong when it was made, or the repository was copied; name it by its id if it is meant"
            )
        }));
        Ok(Latest { place, warnings })
    }

    /// The newest by the store's clock, where it is younger than the one that is taken and claims to be much older
    /// than it is stored. Where the one that is taken does so too, the store's clock says nothing.
    fn stored_later(
        &self,
        taken: usize,
        component: Option<&str>,
        filter: &Filter,
    ) -> Option<SnapshotName> {
        let apart = |info: &SnapshotInfo| {
            let stored = info.stored_at?;
            Some((stored, info.at < stored.saturating_sub(CLOCKS_APART_MS * 1_000_000)))
        };
        let (name, snapshot) = &self.found[taken];
        let (stored, false) = apart(&self.describe(name, snapshot))? else { return None };
        let others = self.found.iter().filter(|(_, snapshot)| {
            !snapshot.partial && component.is_none_or(|wanted| snapshot.component == wanted)
        });
        let later = others.filter_map(|(name, snapshot)| {
            let info = self.describe(name, snapshot);
            let (at, is_apart) = apart(&info)?;
            (is_apart && at > stored && filter.fits(&info)).then_some((at, *name))
        });
        later.max().map(|(_, name)| name)
    }
}

/// Whether a snapshot claims to be younger than anybody could have seen it: later than the store got it, or than now.
#[must_use]
pub fn is_of_the_future(info: &SnapshotInfo, now_ms: Option<i64>) -> bool {
    let bounds = info.stored_at.into_iter().chain(now_ms.map(|now| now.saturating_mul(1_000_000)));
    bounds.min().is_some_and(|bound| info.at > bound.saturating_add(CLOCKS_APART_MS * 1_000_000))
}

impl Repo<Open> {
    /// All snapshots. One that is damaged hides no other.
    ///
    /// # Errors
    /// The store's.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let stored_ms = self.snapshots_stored()?;
        let names: Vec<SnapshotName> = stored_ms.keys().copied().collect();
        let mut all = Snapshots { stored_ms, ..Snapshots::default() };
        for (name, read) in self.read_snapshots(&names)? {
            match read {
                Ok(snapshot) => all.found.push((name, snapshot)),
                Err(error) => all.damaged.push((name, error)),
            }
        }
        all.found.sort_by_key(|(name, snapshot)| (snapshot.started_ms, *name));
        Ok(all)
    }

    /// These snapshots with what reading each gave, as many at once as the store likes. The outer error is the
    /// store's.
    pub(super) fn read_snapshots(
        &self,
        names: &[SnapshotName],
    ) -> Result<Vec<(SnapshotName, Result<Snapshot>)>> {
        fetch_all(&*self.store, names, |name| match self.load_snapshot(name) {
            Err(Error::Store(error)) if !error.permanent() => Err(error.into()),
            read => Ok((*name, read)),
        })
    }

    /// The snapshot that a name means, where `latest` is the newest complete one that fits. Tells of snapshots
    /// that cannot be read and might have been the newest, and of those that claim a time of the future.
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
        let mut all = self.snapshots()?;
        for (name, error) in &all.damaged {
            progress.warn(&format!("snapshot {name} cannot be read and is passed over: {error}"));
        }
        let latest = all.latest(component, filter)?;
        latest.warnings.iter().for_each(|text| progress.warn(text));
        Ok(all.found.swap_remove(latest.place))
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
        if name == "latest" {
            return self.find_fitting(name, component, &Filter::default(), &Quiet);
        }
        let found = one_of(&self.snapshot_names()?, name)?;
        Ok((found, self.load_snapshot(&found)?))
    }

    /// The snapshots that ids or unique prefixes of them mean, whether they can be read or not, each once.
    ///
    /// # Errors
    /// `NoSuch`, `Ambiguous`, or the store's.
    pub fn names_of(&self, prefixes: &[String]) -> Result<Vec<SnapshotName>> {
        let names = self.snapshot_names()?;
        let found = prefixes.iter().map(|prefix| one_of(&names, prefix));
        let found: BTreeSet<SnapshotName> = found.collect::<Result<_>>()?;
        Ok(found.into_iter().collect())
    }
}

fn one_of(names: &[SnapshotName], prefix: &str) -> Result<SnapshotName> {
    let none = || Error::NoSuch { what: "snapshot", name: printable(prefix.as_bytes()) };
    if prefix.is_empty() {
        return Err(none());
    }
    let mut fitting = names.iter().filter(|found| found.to_string().starts_with(prefix));
    let first = *fitting.next().ok_or_else(none)?;
    match fitting.count() {
        0 => Ok(first),
        more => Err(Error::Ambiguous { prefix: prefix.to_owned(), count: more + 1 }),
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
        ended_at: Some(snapshot.ended_ms.saturating_mul(1_000_000)),
        stored_at: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = CLOCKS_APART_MS;

    /// Snapshots with the day that each claims, the day the store got it, and whether it is partial.
    fn all(days: &[(i64, i64, bool)]) -> Snapshots {
        let mut all = Snapshots::default();
        for (&(claimed, stored, partial), number) in days.iter().zip(1u8..) {
            let name = SnapshotName([number; SnapshotName::LEN]);
            let snapshot = Snapshot { started_ms: claimed * DAY, partial, ..Snapshot::default() };
            all.stored_ms.insert(name, stored * DAY);
            all.found.push((name, snapshot));
        }
        all.found.sort_by_key(|(name, snapshot)| (snapshot.started_ms, *name));
        all
    }

    fn latest(days: &[(i64, i64, bool)], now: i64) -> Result<(i64, usize)> {
        let all = all(days);
        let filter = Filter { now_ms: Some(now * DAY), ..Filter::default() };
        let latest = all.latest(None, &filter)?;
        Ok((all.found[latest.place].1.started_ms / DAY, latest.warnings.len()))
    }

    #[test]
    fn k18_a_clock_that_was_wrong_once_is_not_latest_until_the_day_it_showed() {
        let good = [(10, 10, false), (12, 12, false)];
        assert_eq!(latest(&good, 13).unwrap(), (12, 0));
        // By the store's time, whatever ours is; and by ours, where the store had the same wrong clock.
        for wrong in [(400, 11, false), (400, 400, false)] {
            assert_eq!(latest(&[good[0], good[1], wrong], 13).unwrap(), (12, 1));
        }
        assert_eq!(latest(&[good[0], good[1], (400, 11, false)], 9_999).unwrap(), (12, 1));
        // A day apart is no wrong clock, and a copy of the repository has later times.
        assert_eq!(latest(&[good[0], (13, 12, false)], 12).unwrap(), (13, 0));
        assert_eq!(latest(&[(10, 900, false), (12, 900, false)], 901).unwrap(), (12, 0));
        // A clock that was back in 1970 makes the newest one the oldest.
        assert_eq!(latest(&[good[0], good[1], (0, 13, false)], 14).unwrap(), (12, 1));
        assert_eq!(latest(&[good[0], (0, 11, false), good[1]], 14).unwrap(), (12, 0));
        assert_eq!(latest(&[good[0], good[1], (0, 13, true)], 14).unwrap(), (12, 0));
        // Our own clock is the wrong one.
        assert_eq!(latest(&good, 1).unwrap(), (12, 2));
    }

    #[test]
    fn k03_latest_says_that_only_partial_ones_are_there() {
        let error = latest(&[(1, 1, true), (2, 2, true)], 3).unwrap_err();
        assert!(matches!(error, Error::OnlyPartial { count: 2, .. }), "{error}");
        assert!(error.to_string().contains(&"02".repeat(SnapshotName::LEN)), "{error}");
        assert_eq!(latest(&[(1, 1, false), (2, 2, true)], 3).unwrap(), (1, 0));
        assert!(matches!(latest(&[], 3), Err(Error::NoSuch { .. })));
    }
}
