//! Which snapshots a verb works on.

use std::collections::HashSet;

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
    /// Now, milliseconds since 1970: what is later is of the future. No condition.
    pub now_ms: Option<i64>,
}

impl Filter {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.tags.is_empty() && self.paths.is_empty()
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
    /// The same as lists show them.
    pub infos: Vec<SnapshotInfo>,
    /// Those that cannot be read, and why; they were not looked at.
    pub damaged: Vec<(SnapshotName, Error)>,
    /// What somebody should hear about the choice.
    pub warnings: Vec<String>,
}

impl Repo<Open> {
    /// The snapshots of these names, or without any name all that fit. `latest` is the newest complete one
    /// that fits.
    ///
    /// # Errors
    /// `NoSuch`, `OnlyPartial`, `Ambiguous`, damage of a snapshot that was named, or the store's.
    pub fn choose(&self, names: &[String], filter: &Filter) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        if names.is_empty() || names.iter().any(|name| name == "latest") {
            let mut all = self.snapshots()?;
            if names.is_empty() {
                chosen.infos = all.infos(filter);
                let fitting: HashSet<&String> = chosen.infos.iter().map(|info| &info.id).collect();
                all.found.retain(|(name, _)| fitting.contains(&name.to_string()));
                chosen.found = all.found;
                chosen.damaged = all.damaged;
                return Ok(chosen);
            }
            let latest = all.latest(None, filter)?;
            chosen.warnings = latest.warnings;
            chosen.found.push(all.found.swap_remove(latest.place));
        }
        let named: Vec<String> = names.iter().filter(|name| *name != "latest").cloned().collect();
        let listed = if named.is_empty() { Vec::new() } else { self.names_of(&named)? };
        for name in listed {
            chosen.found.push((name, self.load_snapshot(&name)?));
        }
        chosen.found.sort_by_key(|(name, snapshot)| (snapshot.started_ms, *name));
        chosen.found.dedup_by_key(|(name, _)| *name);
        chosen.infos = chosen.found.iter().map(|(name, one)| describe(name, one)).collect();
        Ok(chosen)
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
            Filter { hosts: texts(hosts), tags, paths: texts(paths), now_ms: None }.fits(&info)
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
