//! Documents beside the log, named by the BLAKE3 of their bytes: whole objects, as JSON.
//!
//! A document is on disk before the call that stores it returns, so the frame that names it can
//! only come later (design 4.1 e).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::{
    Event, Hash, backup, configuration, dependency, hook, restore, retention, storage,
};

use crate::error::Error;
use crate::journal::directory::Directory;
use crate::journal::source::Source;
use crate::limits::ATTACHMENT_BYTES;

/// The name of a document.
#[must_use]
pub fn name(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}

/// Threads that store documents meet only where their names begin alike.
const SHELVES: usize = 16;

/// The documents of a log: a handle for any thread.
#[derive(Clone, Debug)]
pub struct Attachments {
    dir: Directory,
    /// Names that this process has seen on disk; one lock for all names that begin with the same digit.
    lasting: Arc<[Mutex<BTreeSet<Hash>>; SHELVES]>,
}

impl Attachments {
    pub(crate) fn new(dir: Directory) -> Self {
        Self { dir, lasting: Arc::default() }
    }

    /// Stores a document and returns its name; it is on disk when this returns. One that is there
    /// already is left as it is.
    ///
    /// # Errors
    /// [`Error::AttachmentTooLarge`], [`Error::NoSpace`], [`Error::Io`].
    pub fn store(&self, bytes: &[u8]) -> Result<Hash, Error> {
        if bytes.len() > ATTACHMENT_BYTES {
            return Err(Error::AttachmentTooLarge { bytes: bytes.len(), limit: ATTACHMENT_BYTES });
        }
        let hash = name(bytes);
        let path = self.dir.attachment_path(&hash);
        let [first, ..] = hash.0;
        let Some(shelf) = self.lasting.get(usize::from(first >> 4)) else { return Ok(hash) };
        let mut lasting = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let files = &self.dir.files;
        let there = files.read(&path)?.is_some_and(|stored| stored == bytes);
        if there && lasting.contains(&hash) {
            return Ok(hash);
        }
        let root = self.dir.attachments_path();
        let fan = path.parent().unwrap_or(&root);
        if there {
            // Its bytes were synced before it got its name; the names may be as young as the last process.
            for dir in [fan, &root, self.dir.root()] {
                files.sync_dir(dir)?;
            }
        } else {
            files.make(&root)?;
            files.make(fan)?;
            files.write_whole(&path, bytes)?;
        }
        lasting.insert(hash);
        Ok(hash)
    }

    /// A document by its name; `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it is not what its name says.
    pub fn load(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        load(&self.dir, hash)
    }
}

/// A document, if it is there and is what its name says.
pub(crate) fn load(source: &dyn Source, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
    match source.attachment(hash)? {
        Some(bytes) if name(&bytes) != *hash => Err(Error::Mismatch { name: hash.to_string() }),
        found => Ok(found),
    }
}

/// The documents that an event names. Secrets have none; their hash is zero.
#[must_use]
pub fn named_by(event: &Event) -> Vec<Hash> {
    let mut named = match event {
        Event::Storage(storage::Event::Declared { hash, .. })
        | Event::Retention(retention::Event::Declared { hash, .. })
        | Event::Hook(hook::Event::Declared { hash, .. })
        | Event::Configuration(configuration::Event::Declared { hash, .. })
        | Event::Restore(restore::Event::Declared { hash, .. })
        | Event::Dependency(dependency::Event::Observed { hash, .. }) => vec![*hash],
        Event::Backup(backup::Event::Started { frozen, .. })
        | Event::Restore(restore::Event::Started { frozen, .. }) => {
            let mut all = vec![frozen.invoker, frozen.addon];
            all.extend(frozen.functions.iter().map(|(_, hash)| *hash));
            all.extend(frozen.hooks.iter().map(|(_, hash)| *hash));
            all
        }
        _ => Vec::new(),
    };
    named.retain(|hash| *hash != Hash::default());
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Failure, Files, Memory};

    fn attachments(root: &std::path::Path) -> Attachments {
        Attachments::new(Directory::disk(root))
    }

    #[test]
    fn a_document_is_stored_once_and_a_damaged_one_is_not_served() {
        let root = tempfile::tempdir().unwrap();
        let documents = attachments(root.path());
        let hash = documents.store(b"{}").unwrap();
        assert_eq!(documents.store(b"{}").unwrap(), hash);
        assert_eq!(documents.load(&hash).unwrap().as_deref(), Some(&b"{}"[..]));
        assert_eq!(documents.load(&Hash([1; 32])).unwrap(), None);
        std::fs::write(documents.dir.attachment_path(&hash), b"[]").unwrap();
        assert!(matches!(documents.load(&hash), Err(Error::Mismatch { .. })));
        assert_eq!(documents.store(b"{}").unwrap(), hash, "storing again repairs it");
        assert_eq!(documents.load(&hash).unwrap().as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn threads_store_side_by_side_and_the_same_document_at_once() {
        let root = tempfile::tempdir().unwrap();
        let documents = attachments(root.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let documents = documents.clone();
                scope.spawn(move || {
                    for number in 0..32 {
                        let document = format!("{{\"n\":{number}}}");
                        let hash = documents.store(document.as_bytes()).unwrap();
                        let stored = documents.load(&hash).unwrap();
                        assert_eq!(stored.as_deref(), Some(document.as_bytes()));
                    }
                });
            }
        });
        assert_eq!(documents.dir.attachments().unwrap().len(), 32);
    }

    /// A process is killed before its document's name is on disk; the next one finds the document there.
    #[test]
    fn a_document_that_was_found_is_as_safe_as_one_that_was_written() {
        let steps = Memory::default();
        Attachments::new(Directory::new(Files::memory(&steps))).store(b"{}").unwrap();
        for call in 1..=steps.calls() {
            let memory = Memory::default();
            memory.fail_at(call, Failure::Stop);
            let store = |memory: &Memory| {
                Attachments::new(Directory::new(Files::memory(memory))).store(b"{}")
            };
            assert!(store(&memory).is_err(), "call {call}");
            let next = memory.killed();
            let hash = store(&next).unwrap();
            for seed in 0..16 {
                let left = Directory::new(Files::memory(&next.power_cut(seed)));
                let found = load(&left, &hash).unwrap();
                assert_eq!(found.as_deref(), Some(&b"{}"[..]), "call {call}, seed {seed}");
            }
        }
    }

    #[test]
    fn a_document_beyond_the_limit_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let stored = attachments(root.path()).store(&vec![0; ATTACHMENT_BYTES + 1]);
        assert!(matches!(stored, Err(Error::AttachmentTooLarge { .. })));
    }
}
