//! The declared objects: manifests of a directory, read again and again.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior};

use super::catalog::{Catalog, Shared};
use super::{builtin, files};
use crate::sighting::Sightings;

/// How often the directory is read: soon enough for somebody who waits, seldom enough for a laptop.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Watches a directory of manifests.
pub struct Watcher {
    root: PathBuf,
    catalog: Shared,
    /// Absent before the first look.
    ticks: Mutex<Option<Interval>>,
}

impl Watcher {
    /// Watches `root` and keeps `catalog` up to date.
    #[must_use]
    pub fn new(root: PathBuf, catalog: Shared) -> Self {
        Self { root, catalog, ticks: Mutex::new(None) }
    }

    /// The next look; the first is taken at once.
    pub async fn next(&self) -> Sightings {
        let mut ticks = self.ticks.lock().await;
        let ticks = ticks.get_or_insert_with(|| {
            let mut ticks = tokio::time::interval(READ_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        ticks.tick().await;
        let (root, catalog) = (self.root.clone(), self.catalog.clone());
        match tokio::task::spawn_blocking(move || read(&root, &catalog)).await {
            Ok(look) => look,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends.
                Err(_ended) => std::future::pending().await,
            },
        }
    }
}

/// Reads the directory. What could not be read keeps its former place in the catalog: a file that is broken for a
/// moment must not take a Secret from under a running session.
fn read(root: &std::path::Path, catalog: &Shared) -> Sightings {
    let mut scan = files::scan(root);
    builtin::add(&mut scan);
    let whole = scan.complete();
    let mut objects = if whole { Catalog::default() } else { Catalog::clone(&catalog.get()) };
    let look = Sightings {
        made: None,
        seen: scan.manifests.iter().map(|(name, m)| (name.clone(), m.object.clone())).collect(),
        whole,
        problems: scan.problems.iter().map(ToString::to_string).collect(),
        notices: scan.notices,
    };
    objects.objects.extend(scan.manifests);
    catalog.set(objects);
    look
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Key;

    use super::*;

    const SECRET: &str =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: demo}\nstringData: {a: b}\n";

    fn value(catalog: &Shared) -> Option<Vec<u8>> {
        catalog.get().secret_value(&Key::core("demo", "s"), "a")
    }

    #[test]
    fn a_file_that_is_broken_for_a_moment_takes_no_secret_away() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret.yaml");
        let catalog = Shared::default();
        std::fs::write(&file, SECRET).unwrap();
        read(dir.path(), &catalog);
        assert_eq!(value(&catalog), Some(b"b".to_vec()));
        std::fs::write(&file, &SECRET[..40]).unwrap();
        read(dir.path(), &catalog);
        assert_eq!(value(&catalog), Some(b"b".to_vec()), "the read was incomplete");
        std::fs::write(&file, SECRET.replace("a: b", "a: c")).unwrap();
        read(dir.path(), &catalog);
        assert_eq!(value(&catalog), Some(b"c".to_vec()));
        std::fs::remove_file(&file).unwrap();
        read(dir.path(), &catalog);
        assert_eq!(value(&catalog), None, "a complete read without it is a deletion");
    }

    #[test]
    fn what_can_be_read_is_up_to_date_beside_a_broken_file() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Shared::default();
        std::fs::write(dir.path().join("broken.yaml"), "a: [").unwrap();
        std::fs::write(dir.path().join("secret.yaml"), SECRET).unwrap();
        read(dir.path(), &catalog);
        assert_eq!(value(&catalog), Some(b"b".to_vec()));
    }
}
