//! Documents beside the log, named by the BLAKE3 of their bytes: whole objects, as JSON.
//!
//! A document is on disk before the call that stores it returns, so the frame that names it can
//! only come later (design 4.1 e).

use holdfast_engine::{
    Event, Hash, backup, configuration, dependency, hook, restore, retention, storage,
};

use crate::error::Error;
use crate::journal::directory::{self, Directory};
use crate::journal::source::Source;
use crate::limits::ATTACHMENT_BYTES;

/// The name of a document.
#[must_use]
pub fn name(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}

/// Stores a document; one that is there already is left as it is.
pub(crate) fn store(dir: &Directory, bytes: &[u8]) -> Result<Hash, Error> {
    if bytes.len() > ATTACHMENT_BYTES {
        return Err(Error::AttachmentTooLarge { bytes: bytes.len(), limit: ATTACHMENT_BYTES });
    }
    let hash = name(bytes);
    let path = dir.attachment_path(&hash);
    if directory::read(&path)?.is_some_and(|stored| stored == bytes) {
        return Ok(hash);
    }
    if let Some(fan) = path.parent() {
        directory::make(&dir.root.join("attachments"))?;
        directory::make(fan)?;
    }
    directory::write_whole(&path, bytes)?;
    Ok(hash)
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

    #[test]
    fn a_document_is_stored_once_and_a_damaged_one_is_not_served() {
        let root = tempfile::tempdir().unwrap();
        let dir = Directory::new(root.path());
        let hash = store(&dir, b"{}").unwrap();
        assert_eq!(store(&dir, b"{}").unwrap(), hash);
        assert_eq!(load(&dir, &hash).unwrap().as_deref(), Some(&b"{}"[..]));
        assert_eq!(load(&dir, &Hash([1; 32])).unwrap(), None);
        std::fs::write(dir.attachment_path(&hash), b"[]").unwrap();
        assert!(matches!(load(&dir, &hash), Err(Error::Mismatch { .. })));
        assert_eq!(store(&dir, b"{}").unwrap(), hash, "storing again repairs it");
        assert_eq!(load(&dir, &hash).unwrap().as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn a_document_beyond_the_limit_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let stored = store(&Directory::new(root.path()), &vec![0; ATTACHMENT_BYTES + 1]);
        assert!(matches!(stored, Err(Error::AttachmentTooLarge { .. })));
    }
}
