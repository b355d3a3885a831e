//! A store whose inside can be exchanged, so that keys are derived once and each trial has a store of its
//! own, and that tells lies where a test says so.
#![allow(clippy::unwrap_used, dead_code)] // helpers of tests are tests; not every test needs all

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use holdfast_executor::store::{
    Habits, MemoryStore, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError,
};

type ListLie = Box<dyn Fn(&str, Vec<ObjectMeta>) -> Vec<ObjectMeta> + Send + Sync>;
type ReadLie = Box<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// Something between a repository and its store.
pub struct Gate {
    inner: RwLock<SharedStore>,
    list: RwLock<Option<ListLie>>,
    read: RwLock<Option<ReadLie>>,
}

impl Gate {
    pub fn to(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner: RwLock::new(inner),
            list: RwLock::default(),
            read: RwLock::default(),
        })
    }

    /// From now on this is the store.
    pub fn set(&self, inner: SharedStore) {
        *self.inner.write().unwrap() = inner;
    }

    /// From now on this is what listings show.
    pub fn lie_about_lists(
        &self,
        lie: impl Fn(&str, Vec<ObjectMeta>) -> Vec<ObjectMeta> + Send + Sync + 'static,
    ) {
        *self.list.write().unwrap() = Some(Box::new(lie));
    }

    /// From now on this is what reads return.
    pub fn lie_about_reads(&self, lie: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) {
        *self.read.write().unwrap() = Some(Box::new(lie));
    }

    /// The truth again.
    pub fn be_honest(&self) {
        *self.list.write().unwrap() = None;
        *self.read.write().unwrap() = None;
    }

    fn inner(&self) -> SharedStore {
        self.inner.read().unwrap().clone()
    }

    fn read(&self, key: &str, bytes: Vec<u8>) -> Vec<u8> {
        match &*self.read.read().unwrap() {
            Some(lie) => lie(key, bytes),
            None => bytes,
        }
    }
}

impl Store for Gate {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.inner().put_new(key, bytes)
    }
    fn stage(&self) -> Result<Staged, StoreError> {
        self.inner().stage()
    }
    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        self.inner().put_staged(key, staged)
    }
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        Ok(self.read(key, self.inner().get(key, limit)?))
    }
    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        Ok(self.read(key, self.inner().get_range(key, offset, len)?))
    }
    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let rows = self.inner().list(prefix)?;
        Ok(match &*self.list.read().unwrap() {
            Some(lie) => lie(prefix, rows),
            None => rows,
        })
    }
    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.inner().stat(key)
    }
    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner().delete(key)
    }
    fn habits(&self) -> Habits {
        self.inner().habits()
    }
    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner().leftovers()
    }
    fn drop_cached(&self, key: &str) {
        self.inner().drop_cached(key);
    }
}

/// Everything that a store holds.
pub fn objects(store: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    let rows = store.list("").unwrap().into_iter();
    rows.map(|row| (row.key.clone(), store.get(&row.key, u64::MAX).unwrap())).collect()
}

/// So many, or `HOLDFAST_SOAK` times as many.
pub fn soak(count: u64) -> u64 {
    let times = std::env::var("HOLDFAST_SOAK").ok().and_then(|text| text.parse().ok());
    count * times.unwrap_or(1u64).max(1)
}

/// Numbers that look random and are the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % bound.max(1) as u64) as usize
    }

    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The same bytes with another value in one bit.
pub fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
