//! Counts requests by verb and folder: what a session costs at a store that charges for each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Habits, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError};

/// What was asked of one folder by one verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Bytes of objects that went over the wire.
    pub bytes: u64,
}

/// A store that counts.
pub struct Record {
    inner: SharedStore,
    tallies: Mutex<BTreeMap<(&'static str, String), Tally>>,
}

impl Record {
    /// Counts what `inner` is asked.
    #[must_use]
    pub fn new(inner: SharedStore) -> Self {
        Self { inner, tallies: Mutex::default() }
    }

    /// All counts so far, by verb (`put`, `get`, `list`, `stat`, `delete`) and first part of the key.
    #[must_use]
    pub fn tallies(&self) -> BTreeMap<(&'static str, String), Tally> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note<T>(
        &self,
        verb: &'static str,
        key: &str,
        answer: Result<T, StoreError>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, StoreError> {
        let folder = key.split('/').next().unwrap_or_default().to_owned();
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry((verb, folder)).or_default();
        tally.calls += 1;
        match &answer {
            Ok(value) => tally.bytes += bytes(value),
            Err(_) => tally.errors += 1,
        }
        answer
    }
}

impl Store for Record {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.note("put", key, self.inner.put_new(key, bytes), |_| bytes.len() as u64)
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.inner.stage()
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        let len = staged.len();
        self.note("put", key, self.inner.put_staged(key, staged), |_| len)
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.note("get", key, self.inner.get(key, limit), |bytes| bytes.len() as u64)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let answer = self.inner.get_range(key, offset, len);
        self.note("get", key, answer, |bytes| bytes.len() as u64)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.note("list", prefix, self.inner.list(prefix), |_| 0)
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.note("stat", key, self.inner.stat(key), |_| 0)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.note("delete", key, self.inner.delete(key), |()| 0)
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
    }

    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        self.note("list", prefix, self.inner.list_some(prefix, most), |_| 0)
    }

    fn notices(&self) -> Vec<String> {
        self.inner.notices()
    }

    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner.leftovers()
    }

    fn drop_cached(&self, key: &str) {
        self.inner.drop_cached(key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn requests_are_counted_where_they_went() {
        let store = Record::new(Arc::new(MemoryStore::new()));
        store.put_new("packs/00/a", b"12345").unwrap();
        store.get_range("packs/00/a", 1, 3).unwrap();
        store.get("config", 10).unwrap_err();
        let tallies = store.tallies();
        let of = |verb, folder: &str| tallies[&(verb, folder.to_owned())];
        assert_eq!(of("put", "packs"), Tally { calls: 1, errors: 0, bytes: 5 });
        assert_eq!(of("get", "packs"), Tally { calls: 1, errors: 0, bytes: 3 });
        assert_eq!(of("get", "config"), Tally { calls: 1, errors: 1, bytes: 0 });
        assert_eq!(tallies.len(), 3);
    }
}
