//! Snapshots of one group are judged together.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use holdfast_executor::report::SnapshotInfo;

/// What snapshots of one group share. They always share their component: an operator's repository holds the
/// snapshots of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupBy {
    host: bool,
    paths: bool,
    tags: bool,
}

impl Default for GroupBy {
    fn default() -> Self {
        Self { host: true, paths: true, tags: false }
    }
}

/// A word that names nothing to group by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of host, paths and tags")]
pub struct NotAGroup {
    word: String,
}

impl FromStr for GroupBy {
    type Err = NotAGroup;

    fn from_str(text: &str) -> Result<Self, NotAGroup> {
        let mut by = Self { host: false, paths: false, tags: false };
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "host" | "hosts" => by.host = true,
                "path" | "paths" => by.paths = true,
                "tag" | "tags" => by.tags = true,
                word => return Err(NotAGroup { word: word.to_owned() }),
            }
        }
        Ok(by)
    }
}

/// What the snapshots of a group have in common; what they were not grouped by is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The component.
    pub component: String,
    /// The machine.
    pub host: String,
    /// The logical paths, sorted.
    pub paths: Vec<String>,
    /// The tags, sorted.
    pub tags: Vec<String>,
}

impl GroupBy {
    /// The newest `count` of each group, in the order given.
    #[must_use]
    pub fn latest(self, snapshots: &[SnapshotInfo], count: usize) -> Vec<SnapshotInfo> {
        let mut wanted = BTreeSet::new();
        for mut group in self.groups(snapshots).into_values() {
            group.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            wanted.extend(group.into_iter().take(count).map(|info| info.id));
        }
        snapshots.iter().filter(|info| wanted.contains(&info.id)).cloned().collect()
    }

    /// The groups, by what they share.
    #[must_use]
    pub fn groups(self, snapshots: &[SnapshotInfo]) -> BTreeMap<Key, Vec<SnapshotInfo>> {
        let sorted = |wanted: bool, list: &[String]| {
            let mut list = if wanted { list.to_vec() } else { Vec::new() };
            list.sort();
            list
        };
        let mut groups: BTreeMap<Key, Vec<SnapshotInfo>> = BTreeMap::new();
        for info in snapshots {
            let key = Key {
                component: info.component.clone(),
                host: if self.host { info.host.clone() } else { String::new() },
                paths: sorted(self.paths, &info.roots),
                tags: sorted(self.tags, &info.tags),
            };
            groups.entry(key).or_default().push(info.clone());
        }
        groups
    }
}
