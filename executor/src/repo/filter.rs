//! Which snapshots a verb works on.

use super::{Open, Repo, describe};
use crate::digest::SnapshotName;
use crate::error::{Error, Result};
use crate::report::SnapshotInfo;
use crate::snapshot::Snapshot;

/// Conditions on snapshots; what is empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these machines.
    pub hosts: Vec<String>,
    /// All tags of one of these lists. An empty text fits a snapshot without tags.
    pub tags: Vec<Vec<String>>,
    /// All of these logical paths among the sources.
    pub paths: Vec<String>,
}

impl Filter {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a snapshot meets all conditions.
    #[must_use]
    pub fn fits(&self, info: &SnapshotInfo) -> bool {
        let plain = |path: &str| path.trim_end_matches('/').to_owned();
        let has_path = |path: &String| info.roots.iter().any(|root| plain(root) == plain(path));
        (self.hosts.is_empty() || self.hosts.contains(&info.host))
            && (self.tags.is_empty() || self.tags.iter().any(|list| has_tags(info, list)))
            && self.paths.iter().all(has_path)
    }
}

/// Whether a snapshot has all tags of a list; an empty text stands for having none.
#[must_use]
pub fn has_tags(info: &SnapshotInfo, list: &[String]) -> bool {
    list.iter().all(|tag| match tag.is_empty() {
        true => info.tags.is_empty(),
        false => info.tags.contains(tag),
    })
}

/// What was chosen, oldest first, and what could not be read on the way.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The snapshots.
    pub found: Vec<(SnapshotName, Snapshot)>,
    /// Those that cannot be read, and why; they were not looked at.
    pub damaged: Vec<(SnapshotName, Error)>,
}

impl Repo<Open> {
    /// The snapshots of these names, or without any name all that fit. `latest` is the newest complete one
    /// that fits.
    ///
    /// # Errors
    /// `NoSuch`, `Ambiguous`, damage of a snapshot that was named, or the store's.
    pub fn choose(&self, names: &[String], filter: &Filter) -> Result<Chosen> {
        let fits = |(name, snapshot): &(SnapshotName, Snapshot)| {
            filter.is_empty() || filter.fits(&describe(name, snapshot))
        };
        let latest = |name: &String| name == "latest" && !filter.is_empty();
        if !names.is_empty() && !names.iter().any(latest) {
            let found = names.iter().map(|name| self.find_snapshot(name, None));
            let mut chosen = Chosen { found: found.collect::<Result<_>>()?, damaged: Vec::new() };
            chosen.order();
            return Ok(chosen);
        }
        let all = self.snapshots()?;
        let mut found: Vec<_> = all.found.into_iter().filter(fits).collect();
        if names.is_empty() {
            return Ok(Chosen { found, damaged: all.damaged });
        }
        let none = || Error::NoSuch { what: "snapshot", name: "latest".to_owned() };
        let newest = found.iter().rposition(|(_, snapshot)| !snapshot.partial).ok_or_else(none)?;
        let mut chosen = Chosen { found: vec![found.swap_remove(newest)], damaged: Vec::new() };
        for name in names.iter().filter(|name| !latest(name)) {
            chosen.found.push(self.find_snapshot(name, None)?);
        }
        chosen.order();
        Ok(chosen)
    }
}

impl Chosen {
    fn order(&mut self) {
        self.found.sort_by_key(|(name, snapshot)| (snapshot.started_ms, *name));
        self.found.dedup_by_key(|(name, _)| *name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn conditions_of_one_sort_are_alternatives_but_for_paths() {
        let snapshot = Snapshot {
            host: "web".into(),
            tags: texts(&["a", "b"]),
            selection: texts(&["source /etc", "source /srv", "exclude /srv/x"]),
            ..Snapshot::default()
        };
        let info = describe(&SnapshotName([1; 16]), &snapshot);
        let fits = |hosts: &[&str], tags: &[&[&str]], paths: &[&str]| {
            let tags = tags.iter().map(|list| texts(list)).collect();
            Filter { hosts: texts(hosts), tags, paths: texts(paths) }.fits(&info)
        };
        assert!(fits(&[], &[], &[]));
        assert!(fits(&["db", "web"], &[&["c"], &["a", "b"]], &["/etc/", "/srv"]));
        assert!(!fits(&["db"], &[], &[]));
        assert!(!fits(&[], &[&["a", "c"]], &[]));
        assert!(!fits(&[], &[], &["/etc", "/var"]));
        assert!(!fits(&[], &[&[""]], &[]), "it has tags");
        let bare = describe(&SnapshotName([1; 16]), &Snapshot::default());
        assert!(Filter { tags: vec![texts(&[""])], ..Filter::default() }.fits(&bare));
    }
}
