//! A store that reads and writes nothing: a session over it goes through all that it would do, and nothing
//! comes of it.

use super::{Habits, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError};

/// A store whose puts and deletions are answered as if they had been done.
pub struct Discard {
    inner: SharedStore,
}

impl Discard {
    /// Reads from `inner`, which stays as it is.
    #[must_use]
    pub fn new(inner: SharedStore) -> Self {
        Self { inner }
    }
}

impl Store for Discard {
    fn put_new(&self, _key: &str, _bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        Ok(PutOutcome::Created)
    }

    // What is staged stays in memory: a temporary file would be a change, too.
    fn put_staged(&self, _key: &str, _staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        Ok(PutOutcome::Created)
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.inner.get(key, limit)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.inner.get_range(key, offset, len)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner.list(prefix)
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.inner.stat(key)
    }

    fn delete(&self, _key: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
    }

    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        self.inner.list_some(prefix, most)
    }

    fn notices(&self) -> Vec<String> {
        self.inner.notices()
    }

    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner.leftovers()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn the_store_below_stays_as_it_is() {
        let inner = Arc::new(MemoryStore::new());
        inner.put_new("config", b"old").unwrap();
        let store = Discard::new(inner.clone());
        assert_eq!(store.put_new("packs/00/a", b"new").unwrap(), PutOutcome::Created);
        let mut staged = store.stage().unwrap();
        staged.write(b"new").unwrap();
        assert_eq!(store.put_staged("packs/00/b", &mut staged).unwrap(), PutOutcome::Created);
        store.delete("config").unwrap();
        assert_eq!(store.get("config", 10).unwrap(), b"old");
        assert_eq!(inner.list("").unwrap().len(), 1);
    }
}
