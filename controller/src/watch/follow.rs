//! Reads the directory again and again, and submits what has changed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use holdfast_eventlog::Answer;

use super::catalog::{Catalog, Shared};
use super::declare::{Applied, Changes, changes};
use super::manifest::{ObjectName, Problem};
use super::{builtin, files};
use crate::operator::dispatcher::{Inbox, Order, Stopped};
use crate::ports::clock;

/// Follows a directory of manifests.
pub struct Follower {
    root: PathBuf,
    catalog: Shared,
    version_key: [u8; 32],
    applied: Applied,
    told: BTreeSet<String>,
    scan: files::Scan,
}

/// What a look at the directory led to.
#[derive(Default)]
pub struct Look {
    /// What has to be submitted.
    pub changes: Changes,
    /// Problems that are new since the last look.
    pub problems: Vec<String>,
    /// Notices that are new since the last look.
    pub notices: Vec<String>,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The operator is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A document could not be stored.
    #[error("cannot store a declared object")]
    Log(#[from] holdfast_eventlog::Error),
}

impl Follower {
    /// Follows `root` and keeps `catalog` up to date.
    #[must_use]
    pub fn new(root: PathBuf, catalog: Shared, version_key: [u8; 32]) -> Self {
        Self {
            root,
            catalog,
            version_key,
            applied: Applied::new(),
            told: BTreeSet::new(),
            scan: files::Scan::default(),
        }
    }

    /// Reads the directory. What could not be read keeps its former place in the catalog: a file that is
    /// broken for a moment must not take a Secret from under a running session.
    pub fn read(&mut self) {
        let mut scan = files::scan(&self.root);
        builtin::add(&mut scan);
        let mut objects =
            if scan.complete() { Catalog::default() } else { Catalog::clone(&self.catalog.get()) };
        objects.objects.extend(scan.manifests.iter().map(|(name, m)| (name.clone(), m.clone())));
        self.catalog.set(objects);
        self.scan = scan;
    }

    /// Compares what was read with what was applied.
    ///
    /// # Errors
    /// When the operator is stopping, or a document cannot be stored.
    pub async fn compare(&mut self, inbox: &Inbox) -> Result<Look, FollowError> {
        let scan = std::mem::take(&mut self.scan);
        let mut applied = std::mem::take(&mut self.applied);
        let key = self.version_key;
        let problems: Vec<String> = scan.problems.iter().map(Problem::to_string).collect();
        let notices = scan.notices.clone();
        let (applied, changes) = inbox
            .ask(move |ledger| {
                let found = changes(ledger, &scan, &mut applied, &key, clock::now());
                (applied, found)
            })
            .await?;
        self.applied = applied;
        let current: BTreeSet<String> = problems.iter().chain(&notices).cloned().collect();
        let is_new = |text: &String| !self.told.contains(text);
        let look = Look {
            changes: changes?,
            problems: problems.into_iter().filter(is_new).collect(),
            notices: notices.into_iter().filter(is_new).collect(),
        };
        self.told = current;
        Ok(look)
    }

    /// Forgets that an object was applied, so that the next look declares it again.
    pub fn forget(&mut self, name: &ObjectName) {
        self.applied.remove(name);
    }
}

/// Submits commands and gives back what was refused, with the reason.
///
/// # Errors
/// When the operator is stopping.
pub async fn submit(
    inbox: &Inbox,
    orders: Vec<(ObjectName, Order)>,
) -> Result<Vec<(ObjectName, Answer)>, Stopped> {
    let (names, orders): (Vec<_>, Vec<_>) = orders.into_iter().unzip();
    let answers = inbox.submit(orders).await?;
    Ok(names.into_iter().zip(answers).collect())
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Key;

    use super::*;

    const SECRET: &str =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: demo}\nstringData: {a: b}\n";

    fn value(catalog: &Shared) -> Option<Vec<u8>> {
        catalog.get().secret_value(&Key::new("demo", "s"), "a")
    }

    #[test]
    fn a_file_that_is_broken_for_a_moment_takes_no_secret_away() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret.yaml");
        let catalog = Shared::default();
        let mut follower = Follower::new(dir.path().to_path_buf(), catalog.clone(), [0; 32]);
        std::fs::write(&file, SECRET).unwrap();
        follower.read();
        assert_eq!(value(&catalog), Some(b"b".to_vec()));
        std::fs::write(&file, &SECRET[..40]).unwrap();
        follower.read();
        assert_eq!(value(&catalog), Some(b"b".to_vec()), "the read was incomplete");
        std::fs::write(&file, SECRET.replace("a: b", "a: c")).unwrap();
        follower.read();
        assert_eq!(value(&catalog), Some(b"c".to_vec()));
        std::fs::remove_file(&file).unwrap();
        follower.read();
        assert_eq!(value(&catalog), None, "a complete read without it is a deletion");
    }

    #[test]
    fn what_can_be_read_is_up_to_date_beside_a_broken_file() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Shared::default();
        let mut follower = Follower::new(dir.path().to_path_buf(), catalog.clone(), [0; 32]);
        std::fs::write(dir.path().join("broken.yaml"), "a: [").unwrap();
        std::fs::write(dir.path().join("secret.yaml"), SECRET).unwrap();
        follower.read();
        assert_eq!(value(&catalog), Some(b"b".to_vec()));
    }
}
