//! A store in memory: for tests, for simulation, and as the reference of the conformance suite.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Habits, ObjectMeta, PutOutcome, RetryPolicy, Store, StoreError, check_key, check_range,
};
use crate::limits;

struct Object {
    bytes: Vec<u8>,
    modified_ms: i64,
}

/// Objects in a map. Its clock stands still until it is set.
#[derive(Default)]
pub struct MemoryStore {
    objects: Mutex<State>,
}

#[derive(Default)]
struct State {
    map: BTreeMap<String, Object>,
    now_ms: i64,
}

impl MemoryStore {
    /// An empty store whose clock shows 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the store's own clock, in milliseconds since 1970.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.lock().now_ms = now_ms;
    }

    /// Changes, makes or (with `None`) removes an object behind everyone's back: how tests do damage.
    pub fn tamper(&self, key: &str, bytes: Option<Vec<u8>>) {
        let mut state = self.lock();
        let modified_ms = state.map.get(key).map_or(state.now_ms, |o| o.modified_ms);
        match bytes {
            Some(bytes) => drop(state.map.insert(key.to_owned(), Object { bytes, modified_ms })),
            None => drop(state.map.remove(key)),
        }
    }

    /// A second store with the same objects.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.lock();
        let map = state
            .map
            .iter()
            .map(|(key, o)| {
                (key.clone(), Object { bytes: o.bytes.clone(), modified_ms: o.modified_ms })
            })
            .collect();
        Self { objects: Mutex::new(State { map, now_ms: state.now_ms }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        key: &str,
        take: impl FnOnce(&Object) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.lock();
        let object = state.map.get(key);
        take(object.ok_or_else(|| StoreError::NotFound { key: key.to_owned() })?)
    }
}

impl Store for MemoryStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        check_key(key)?;
        let mut state = self.lock();
        if state.map.contains_key(key) {
            return Ok(PutOutcome::Exists);
        }
        let object = Object { bytes: bytes.to_vec(), modified_ms: state.now_ms };
        state.map.insert(key.to_owned(), object);
        Ok(PutOutcome::Created)
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.with(key, |object| {
            let size = object.bytes.len() as u64;
            if size > limit {
                return Err(StoreError::TooLarge { key: key.to_owned(), size, limit });
            }
            Ok(object.bytes.clone())
        })
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.with(key, |object| {
            check_range(key, object.bytes.len() as u64, offset, len)?;
            let start = offset as usize;
            Ok(object.bytes[start..start + len].to_vec())
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let state = self.lock();
        let from = state.map.range(prefix.to_owned()..);
        let rows = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(rows.map(|(key, object)| meta(key, object)).collect())
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.with(key, |object| Ok(meta(key, object)))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.lock().map.remove(key);
        Ok(())
    }

    fn habits(&self) -> Habits {
        Habits {
            pack_target_bytes: limits::PACK_OBJECT_TARGET_BYTES,
            reads_in_flight: 1,
            read_join_bytes: 0,
            puts_in_flight: 1,
            patience: RetryPolicy::of_a_file_system(),
        }
    }
}

fn meta(key: &str, object: &Object) -> ObjectMeta {
    ObjectMeta {
        key: key.to_owned(),
        size: object.bytes.len() as u64,
        modified_ms: object.modified_ms,
    }
}
