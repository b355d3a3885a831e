//! Statuses as files: `STATUS/<namespace>/<plural>.<group>/<name>.yaml` holds the whole object.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_api::Kind;
use holdfast_engine::{Key, State, StreamKind, Uid};

use super::document;
use crate::replace::{OPEN, replace_for_now};
use crate::translate::kubestash::object::{Published, published};
use crate::watch::catalog::Catalog;
use crate::watch::manifest::ObjectName;

/// Where statuses are written, and what was written.
pub(super) struct Publisher {
    root: PathBuf,
    written: BTreeMap<(StreamKind, Uid), Written>,
}

struct Written {
    path: PathBuf,
    digest: [u8; 32],
}

impl Publisher {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, written: BTreeMap::new() }
    }

    /// Writes the object behind a stream with its status, if it differs from what was written last, and
    /// returns it.
    pub(super) fn publish(
        &mut self,
        state: &State,
        catalog: &Catalog,
        kind: StreamKind,
        uid: Uid,
    ) -> Option<Published> {
        let declared = |kind, key: &Key| catalog.get(&ObjectName::own(kind, key)).cloned();
        let Some(found) = published(state, kind, uid, declared) else {
            self.retract(kind, uid);
            return None;
        };
        let text = match document::yaml(&found.object) {
            Ok(text) => text,
            Err(failure) => {
                tracing::error!(message = failure.message, "a status was not written");
                return Some(found);
            }
        };
        let digest = *blake3::hash(text.as_bytes()).as_bytes();
        let path = self.path(found.kind, &found.key);
        let known = self.written.get(&(kind, uid));
        if known.is_some_and(|known| known.digest == digest && known.path == path) {
            return Some(found);
        }
        match write(&path, &text) {
            Ok(()) => {
                self.written.insert((kind, uid), Written { path, digest });
            }
            // The next change tries again; the log has it in any case.
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a status was not written")
            }
        }
        Some(found)
    }

    /// Removes what was written for an object.
    pub(super) fn retract(&mut self, kind: StreamKind, uid: Uid) {
        if let Some(written) = self.written.remove(&(kind, uid))
            && let Err(error) = std::fs::remove_file(&written.path)
        {
            tracing::warn!(path = %written.path.display(), %error, "the status of a removed object stays");
        }
    }

    /// Removes files of objects that are not known any more: what an earlier operator did not get to.
    pub(super) fn sweep(&self) {
        for folder in entries(&self.root).iter().flat_map(|namespace| entries(namespace)) {
            for file in entries(&folder) {
                if !self.written.values().any(|written| written.path == file) {
                    // A file that cannot be removed is only old news.
                    let _ = std::fs::remove_file(&file);
                }
            }
        }
    }

    fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.root
            .join(&key.namespace)
            .join(format!("{}.{}", kind.plural(), kind.group()))
            .join(format!("{}.yaml", key.name))
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(directory).into_iter().flatten();
    read.flatten().map(|entry| entry.path()).collect()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    replace_for_now(path, text.as_bytes(), OPEN)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease, storage};
    use holdfast_eventlog::{Ledger, Options};
    use serde_json::Value;

    use super::*;
    use crate::operator::dispatcher::tests::{STORAGE, declared};

    struct World {
        dir: tempfile::TempDir,
        ledger: Ledger,
    }

    impl World {
        /// A log with one storage.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(&dir.path().join("log"), Options::default()).unwrap();
            let mut world = Self { dir, ledger };
            world.submit(1, Command::Lease(lease::Command::Begin { holder: "me".into() }));
            world.submit(2, declared(1));
            world
        }

        fn submit(&mut self, id: u8, command: Command) {
            let id = CommandId([id; 16]);
            let (at, actor) = (Timestamp(1), Actor::Operator);
            self.ledger.submit(&[Envelope { id, at, actor, epoch: 1, command }]).unwrap();
        }

        fn publisher(&self) -> Publisher {
            Publisher::new(self.dir.path().join("status"))
        }

        fn publish(&self, publisher: &mut Publisher) -> bool {
            let (state, catalog) = (self.ledger.state(), Catalog::default());
            publisher.publish(state, &catalog, StreamKind::Storage, STORAGE).is_some()
        }

        fn file(&self) -> PathBuf {
            self.dir.path().join("status/demo/backupstorages.storage.kubestash.com/store.yaml")
        }
    }

    #[test]
    fn an_object_is_written_whole_and_only_when_it_differs() {
        let world = World::new();
        let mut publisher = world.publisher();
        assert!(world.publish(&mut publisher));
        let object: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(world.file()).unwrap()).unwrap();
        assert_eq!(object["kind"], "BackupStorage");
        assert_eq!(object["metadata"]["uid"], STORAGE.to_string());
        assert_eq!(object["status"]["phase"], "NotReady");
        let inode = std::fs::metadata(world.file()).unwrap().ino();
        // Held open, so that its number is not given to another file.
        let _open = std::fs::File::open(world.file()).unwrap();
        assert!(world.publish(&mut publisher));
        assert_eq!(std::fs::metadata(world.file()).unwrap().ino(), inode);
        // Another process knows nothing of it and writes again.
        assert!(world.publish(&mut world.publisher()));
        assert_ne!(std::fs::metadata(world.file()).unwrap().ino(), inode);
    }

    #[test]
    fn what_is_gone_is_not_shown_any_more() {
        let mut world = World::new();
        let mut publisher = world.publisher();
        world.publish(&mut publisher);
        world.submit(3, Command::Storage(storage::Command::Delete { uid: STORAGE }));
        assert!(!world.publish(&mut publisher));
        assert!(!world.file().exists());
        // Nor is there anything left to take away.
        publisher.retract(StreamKind::Storage, STORAGE);
    }

    #[test]
    fn what_an_earlier_operator_left_is_swept_away() {
        let world = World::new();
        let mut publisher = world.publisher();
        world.publish(&mut publisher);
        let old = world.file().with_file_name("old.yaml");
        std::fs::write(&old, "old").unwrap();
        let foreign = world.dir.path().join("status/demo/note.txt");
        std::fs::write(&foreign, "of somebody").unwrap();
        publisher.sweep();
        assert!(world.file().exists() && !old.exists() && foreign.exists());
    }
}
