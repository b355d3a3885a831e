//! Stores: which repositories exist, and what was committed to each.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::Uid;
use holdfast_engine::plan::Located;

/// All stores of a cluster.
#[derive(Default)]
pub(super) struct Stores {
    /// Storages with a description.
    pub(super) described: BTreeSet<String>,
    /// Repositories by place.
    pub(super) repositories: BTreeMap<String, Repository>,
    /// Repositories that were ever made.
    made: u64,
}

/// One repository.
pub(super) struct Repository {
    /// Its identity.
    pub(super) id: Uid,
    /// Commits that are there.
    pub(super) commits: BTreeSet<String>,
    /// Commits that were removed.
    pub(super) removed: BTreeSet<String>,
    /// Snapshots with a description.
    pub(super) snapshots: BTreeSet<String>,
}

/// Where a repository lies, in one word.
pub(super) fn place(of: &Located) -> String {
    format!("{}:{}", of.storage.key, of.path.trim_matches('/'))
}

impl Stores {
    /// The repository at a place; made where nothing is, unless the log remembers one.
    pub(super) fn open(&mut self, of: &Located) -> Result<(Uid, bool), String> {
        let place = place(of);
        if let Some(found) = self.repositories.get(&place) {
            return match of.id.is_none_or(|id| id == found.id) {
                true => Ok((found.id, false)),
                false => Err(format!("another repository lies at {place}")),
            };
        }
        if of.id.is_some() {
            return Err(format!("no repository is at {place}, and there was one"));
        }
        self.made += 1;
        let id = Uid::default().derive(&format!("{place} {}", self.made));
        let (commits, removed, snapshots) = Default::default();
        self.repositories.insert(place, Repository { id, commits, removed, snapshots });
        Ok((id, true))
    }

    /// What lies there, one line each: the same whenever the same was done.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.described.iter().map(|name| format!("store {name} described")).collect();
        for (place, found) in &self.repositories {
            lines.push(format!("repository {place}"));
            lines.extend(found.commits.iter().map(|name| format!("commit {place} {name}")));
            lines.extend(found.snapshots.iter().map(|name| format!("snapshot {place} {name}")));
        }
        lines
    }
}
