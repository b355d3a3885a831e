//! Statuses as files: `STATUS/<namespace>/<plural>.<group>/<name>.yaml` holds the whole object. A name with which the
//! file's would be too long is cut, and ends in a digest of the whole.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_engine::Failure;

use super::{document, trouble};
use crate::place::Trouble;
use crate::replace::{OPEN, replace_for_now};
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object::Published;

/// Where statuses are written. What is written is small and not synced: it is there at once, or not at all.
pub(super) struct Statuses(PathBuf);

impl Statuses {
    pub(super) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// Writes an object with its status.
    pub(super) fn publish(&self, object: &Published) -> Result<(), Trouble> {
        let text = document::yaml(&object.object)?;
        let path = self.path(&ObjectName::own(object.kind, &object.key))?;
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| replace_for_now(&path, text.as_bytes(), OPEN))
            .map_err(|error| unwritten(&path, &error))
    }

    /// Removes what was written for an object.
    pub(super) fn retract(&self, name: &ObjectName) -> Result<(), Trouble> {
        let path = self.path(name)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes files of objects that are not among these: what an earlier operator did not get to.
    pub(super) fn sweep(&self, known: &[ObjectName]) {
        let known: BTreeSet<PathBuf> =
            known.iter().filter_map(|name| self.path(name).ok()).collect();
        for folder in entries(&self.0).iter().flat_map(|namespace| entries(namespace)) {
            for file in entries(&folder).iter().filter(|file| !known.contains(*file)) {
                // A file that cannot be removed is only old news.
                let _ = std::fs::remove_file(file);
            }
        }
    }

    fn path(&self, name: &ObjectName) -> Result<PathBuf, Failure> {
        let kind = name.form().ok_or_else(|| Failure {
            reason: "Internal".into(),
            message: format!("{name} is no object that has a status"),
            permanent: true,
        })?;
        Ok(self
            .0
            .join(&name.namespace)
            .join(format!("{}.{}", kind.plural(), name.group))
            .join(file_name(&name.name)))
    }
}

/// Bytes of a file's name: what file systems of Linux take.
const FILE_NAME_BYTES: usize = 255;

fn file_name(name: &str) -> String {
    let whole = format!("{name}.yaml");
    if whole.len() <= FILE_NAME_BYTES {
        return whole;
    }
    let end = format!("-{}.yaml", &blake3::hash(name.as_bytes()).to_hex()[..16]);
    // Names of Kubernetes are ASCII; of others no character is cut in two.
    let room = (0..=FILE_NAME_BYTES - end.len()).rev().find(|room| name.is_char_boundary(*room));
    format!("{}{end}", &name[..room.unwrap_or_default()])
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(directory).into_iter().flatten();
    read.flatten().map(|entry| entry.path()).collect()
}

fn unwritten(path: &Path, error: &io::Error) -> Trouble {
    let failure = Failure {
        reason: "StatusUnwritten".into(),
        message: format!("cannot write {}: {error}", path.display()),
        permanent: false,
    };
    trouble::because(failure, error)
}

#[cfg(test)]
mod tests {
    use holdfast_api::Kind;
    use holdfast_engine::{Group, Key};
    use serde_json::json;

    use super::*;

    fn published(phase: &str) -> Published {
        let object = json!({"kind": "BackupStorage", "status": {"phase": phase}});
        let key = Key::new(Group::KubeStashStorage, "demo", "store");
        Published { kind: Kind::BackupStorage, key, object, reason: None }
    }

    #[test]
    fn an_object_is_written_whole_and_goes_when_it_is_retracted() {
        let dir = tempfile::tempdir().unwrap();
        let statuses = Statuses::new(dir.path().to_path_buf());
        let file = dir.path().join("demo/backupstorages.storage.kubestash.com/store.yaml");
        for phase in ["NotReady", "Ready"] {
            statuses.publish(&published(phase)).unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            let object: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(object, published(phase).object);
        }
        let name = ObjectName::own(
            Kind::BackupStorage,
            &Key::new(Group::KubeStashStorage, "demo", "store"),
        );
        statuses.retract(&name).unwrap();
        assert!(!file.exists());
        statuses.retract(&name).unwrap();
    }

    #[test]
    fn objects_of_one_name_in_two_groups_have_files_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let statuses = Statuses::new(dir.path().to_path_buf());
        let mut of_stash = published("NotReady");
        of_stash.kind = Kind::Repository;
        of_stash.key.group = Group::Stash;
        let ours = Published { kind: Kind::Repository, ..published("Ready") };
        for object in [&ours, &of_stash] {
            statuses.publish(object).unwrap();
        }
        let shown = |folder: &str| -> serde_json::Value {
            let file = dir.path().join("demo").join(folder).join("store.yaml");
            serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
        };
        let (here, there) =
            ("repositories.storage.kubestash.com", "repositories.stash.appscode.com");
        assert_eq!(shown(here)["status"]["phase"], "Ready");
        assert_eq!(shown(there)["status"]["phase"], "NotReady");
        statuses.retract(&ObjectName::own(of_stash.kind, &of_stash.key)).unwrap();
        assert_eq!(shown(here)["status"]["phase"], "Ready");
        assert!(!dir.path().join("demo/repositories.stash.appscode.com/store.yaml").exists());
    }

    #[test]
    fn names_as_long_as_kubernetes_allows_have_files_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let statuses = Statuses::new(dir.path().to_path_buf());
        let named = |end: &str| {
            let mut object = published(end);
            object.key.name = "a".repeat(253 - end.len()) + end;
            object
        };
        let both = [named("x"), named("y")];
        for object in &both {
            statuses.publish(object).unwrap();
            statuses.publish(object).unwrap();
        }
        let folder = dir.path().join("demo/backupstorages.storage.kubestash.com");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        let names = both.iter().map(|object| ObjectName::own(object.kind, &object.key));
        let names: Vec<ObjectName> = names.collect();
        statuses.sweep(&names[..1]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        statuses.retract(&names[0]).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_an_earlier_operator_left_is_swept_away() {
        let dir = tempfile::tempdir().unwrap();
        let statuses = Statuses::new(dir.path().to_path_buf());
        statuses.publish(&published("Ready")).unwrap();
        let file = dir.path().join("demo/backupstorages.storage.kubestash.com/store.yaml");
        let old = file.with_file_name("old.yaml");
        std::fs::write(&old, "old").unwrap();
        let foreign = dir.path().join("demo/note.txt");
        std::fs::write(&foreign, "of somebody").unwrap();
        statuses.sweep(&[ObjectName::own(
            Kind::BackupStorage,
            &Key::new(Group::KubeStashStorage, "demo", "store"),
        )]);
        assert!(file.exists() && !old.exists() && foreign.exists());
    }

    #[test]
    fn what_cannot_be_written_says_where() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("demo"), "a file").unwrap();
        let statuses = Statuses::new(dir.path().to_path_buf());
        let trouble = statuses.publish(&published("Ready")).unwrap_err();
        assert!(trouble.failure.message.contains("demo") && !trouble.transient, "{trouble}");
    }
}
