//! Documents beside repositories: small texts for people and for other operators, replaced whole as they change.
//! No repository relies on them, and no repository's object is written this way.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use super::object::ObjectStore;
use super::{Store as _, StoreError};

/// Objects that are removed between two listings of a folder.
const REMOVED_AT_ONCE: usize = 1000;

/// Deletions on their way at once.
const REMOVERS: usize = 8;

/// Where documents lie: a directory, or what lies below a prefix of a bucket.
pub struct Documents(Below);

pub(super) enum Below {
    Directory(PathBuf),
    Objects(ObjectStore),
}

impl Documents {
    pub(super) fn below(below: Below) -> Self {
        Self(below)
    }

    /// Gives `key` this content, whatever it had before: a reader sees the old or the new one, never a part.
    ///
    /// # Errors
    /// As those of a put.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match &self.0 {
            Below::Directory(root) => {
                let path = within(root, key)?;
                replace(&path, bytes).map_err(|error| failed("put", key, error))
            }
            Below::Objects(store) => store.replace(key, bytes),
        }
    }

    /// Removes a document. One that is absent is no error.
    ///
    /// # Errors
    /// As those of a deletion.
    pub fn remove(&self, key: &str) -> Result<(), StoreError> {
        match &self.0 {
            Below::Directory(root) => match fs::remove_file(within(root, key)?) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("delete", key, error))
                }
                _ => Ok(()),
            },
            Below::Objects(store) => store.delete(key),
        }
    }

    /// Removes everything below a folder. What somebody else removes meanwhile is no error.
    ///
    /// # Errors
    /// As those of listings and deletions. A part may be gone by then.
    pub fn clear(&self, folder: &str) -> Result<(), StoreError> {
        match &self.0 {
            Below::Directory(root) => match fs::remove_dir_all(within(root, folder)?) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("delete", folder, error))
                }
                _ => Ok(()),
            },
            Below::Objects(store) => loop {
                let (rows, more) = store.everything_below(folder, REMOVED_AT_ONCE)?;
                remove_all(store, &rows)?;
                if !more {
                    return Ok(());
                }
            },
        }
    }

    /// Removes the folders of a path that hold nothing, the innermost first. Buckets have none.
    pub fn remove_empty(&self, folder: &str) {
        let Below::Directory(root) = &self.0 else { return };
        let Ok(mut path) = within(root, folder) else { return };
        // One that is not empty, or not ours to remove, stays, and so does what it lies in.
        while path != *root && fs::remove_dir(&path).is_ok() && path.pop() {}
    }
}

/// Removes objects, several at once: most of the time is the way to the server.
fn remove_all(store: &ObjectStore, keys: &[String]) -> Result<(), StoreError> {
    let share = keys.len().div_ceil(REMOVERS).max(1);
    std::thread::scope(|scope| {
        let removers: Vec<_> = keys
            .chunks(share)
            .map(|keys| scope.spawn(move || keys.iter().try_for_each(|key| store.remove(key))))
            .collect();
        removers.into_iter().try_for_each(|remover| match remover.join() {
            Ok(removed) => removed,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// A path beneath `root`.
fn within(root: &Path, key: &str) -> Result<PathBuf, StoreError> {
    let fine = |part| matches!(part, Component::Normal(_));
    match Path::new(key).components().all(fine) {
        true => Ok(root.join(key)),
        false => {
            Err(StoreError::Invalid { key: key.to_owned(), reason: "leads out of its storage" })
        }
    }
}

/// Sorts an error of the file system. A directory cannot be made where a file stands.
fn failed(verb: &'static str, key: &str, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            StoreError::io(verb, key, io::ErrorKind::NotADirectory.into())
        }
        _ => StoreError::io(verb, key, error),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    fs::create_dir_all(parent)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = parent.join(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        crate::closing::synced(file.sync_all())?;
        fs::rename(&temporary, path)?;
        crate::closing::synced(File::open(parent)?.sync_all()).map(drop)
    });
    if written.is_err() {
        // A leftover is noise; the error that matters is the one above.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Access, open_documents, url_of_directory};

    fn documents() -> (tempfile::TempDir, Documents) {
        let dir = tempfile::tempdir().unwrap();
        let url = url_of_directory(&dir.path().join("a storage"));
        let documents = open_documents(&url, &Access::default()).unwrap();
        (dir, documents)
    }

    #[test]
    fn a_document_has_its_last_content_and_leaves_nothing_beside_it() {
        let (dir, documents) = documents();
        documents.put("demo/app/repository.yaml", b"one").unwrap();
        documents.put("demo/app/repository.yaml", b"two").unwrap();
        let folder = dir.path().join("a storage/demo/app");
        assert_eq!(fs::read(folder.join("repository.yaml")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_absent_is_removed_already() {
        let (_dir, documents) = documents();
        documents.remove("nothing.yaml").unwrap();
        documents.clear("nowhere").unwrap();
        documents.remove_empty("nowhere/at/all");
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it_and_its_parents_only_when_empty() {
        let (dir, documents) = documents();
        documents.put("demo/app/holdfast/v1/packs/p", b"x").unwrap();
        documents.put("demo/other.yaml", b"x").unwrap();
        documents.clear("demo/app/holdfast").unwrap();
        documents.remove_empty("demo/app");
        let root = dir.path().join("a storage");
        assert!(!root.join("demo/app").exists() && root.join("demo/other.yaml").exists());
        documents.remove("demo/other.yaml").unwrap();
        documents.remove_empty("demo");
        assert!(!root.join("demo").exists() && root.exists());
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_nothing_that_passes() {
        let (dir, documents) = documents();
        fs::write(dir.path().join("a storage"), b"a file").unwrap();
        for key in ["metadata.yaml", "demo/app/repository.yaml"] {
            let error = documents.put(key, b"x").unwrap_err();
            assert!(error.permanent(), "{error:?}");
            assert!(
                error.to_string().contains("a file lies where a directory should be"),
                "{error}"
            );
        }
    }

    #[test]
    fn no_document_lies_outside_its_storage() {
        let (_dir, documents) = documents();
        for key in ["../x", "/x", "a/../../x", "."] {
            for refused in [documents.put(key, b""), documents.remove(key), documents.clear(key)] {
                assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{key}");
            }
        }
    }
}
