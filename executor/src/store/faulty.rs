//! A store that fails where a script or a seed says: how every stop of a session is tried.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Habits, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError};

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done.
    Unavailable,
    /// The store says that it cannot at the moment.
    Busy,
    /// It was done, and the answer was lost.
    AnswerLost,
    /// A put left something behind that is no object; a read ended early.
    Torn,
    /// The credentials do not allow it any more.
    Denied,
    /// No space is left.
    Full,
    /// A read returns one wrong bit, this once.
    WrongBit,
}

impl Fault {
    const RETRYABLE: [Self; 3] = [Self::Unavailable, Self::AnswerLost, Self::Torn];
}

enum Script {
    /// The operation with that number fails; with `dies`, all later ones as well.
    At { number: u64, fault: Fault, dies: bool },
    /// Every operation fails with this chance in a thousand, decided by seed and number.
    Seeded { seed: u64, per_mille: u64 },
}

/// What the script makes of one operation.
enum Step {
    Go,
    Refuse(StoreError),
    Lose(StoreError),
    Half(StoreError),
    Flip,
}

/// A store that fails on purpose.
pub struct Faulty {
    inner: SharedStore,
    script: Script,
    operations: AtomicU64,
}

impl Faulty {
    /// The operation with that number (from 0) fails, once.
    #[must_use]
    pub fn at(inner: SharedStore, number: u64, fault: Fault) -> Self {
        Self::new(inner, Script::At { number, fault, dies: false })
    }

    /// The operation with that number fails, and nothing works after it: the process has died, as far
    /// as the store can tell.
    #[must_use]
    pub fn dies_at(inner: SharedStore, number: u64, fault: Fault) -> Self {
        Self::new(inner, Script::At { number, fault, dies: true })
    }

    /// Nothing works.
    #[must_use]
    pub fn dead(inner: SharedStore) -> Self {
        Self::dies_at(inner, 0, Fault::Unavailable)
    }

    /// Operations fail at random, the same ones for the same seed, in ways that a retry heals.
    #[must_use]
    pub fn seeded(inner: SharedStore, seed: u64, per_mille: u64) -> Self {
        Self::new(inner, Script::Seeded { seed, per_mille })
    }

    fn new(inner: SharedStore, script: Script) -> Self {
        Self { inner, script, operations: AtomicU64::new(0) }
    }

    /// How many operations were asked so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Fault> {
        let now = self.operations.fetch_add(1, Ordering::Relaxed);
        match &self.script {
            Script::At { number, fault, .. } if now == *number => Some(*fault),
            Script::At { number, dies: true, .. } if now > *number => Some(Fault::Unavailable),
            Script::At { .. } => None,
            Script::Seeded { seed, per_mille } => {
                let dice = mix(seed ^ mix(now));
                let which = (dice >> 32) as usize % Fault::RETRYABLE.len();
                (dice % 1000 < *per_mille).then(|| Fault::RETRYABLE[which])
            }
        }
    }

    /// What becomes of the next operation.
    fn step(&self, verb: &'static str, key: &str) -> Step {
        let unavailable = |reason: &str| StoreError::Unavailable {
            verb,
            key: key.to_owned(),
            reason: reason.to_owned(),
        };
        match self.next() {
            None => Step::Go,
            Some(Fault::Unavailable) => Step::Refuse(unavailable("on purpose")),
            Some(Fault::Busy) => Step::Refuse(StoreError::Busy {
                verb,
                key: key.to_owned(),
                reason: "on purpose".to_owned(),
            }),
            Some(Fault::AnswerLost) => Step::Lose(unavailable("the answer was lost")),
            Some(Fault::Denied) => Step::Refuse(StoreError::Denied {
                verb,
                key: key.to_owned(),
                reason: "on purpose".to_owned(),
            }),
            Some(Fault::Full) => Step::Refuse(StoreError::Full { key: key.to_owned() }),
            Some(Fault::Torn) => Step::Half(unavailable("it ended half-way")),
            Some(Fault::WrongBit) => Step::Flip,
        }
    }

    /// An operation that moves no content.
    fn ask<T>(
        &self,
        verb: &'static str,
        key: &str,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.step(verb, key) {
            Step::Go | Step::Flip => call(),
            Step::Refuse(error) | Step::Half(error) => Err(error),
            Step::Lose(error) => call().and(Err(error)),
        }
    }

    fn read(
        &self,
        key: &str,
        offset: u64,
        call: impl FnOnce() -> Result<Vec<u8>, StoreError>,
    ) -> Result<Vec<u8>, StoreError> {
        match self.step("get", key) {
            Step::Go => call(),
            Step::Refuse(error) => Err(error),
            Step::Lose(error) => call().and(Err(error)),
            Step::Half(_) => {
                let wanted = call()?.len() as u64;
                let (key, got) = (key.to_owned(), wanted / 2);
                Err(StoreError::ShortRead { key, offset, wanted, got })
            }
            Step::Flip => {
                let mut bytes = call()?;
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
                Ok(bytes)
            }
        }
    }

    /// A put that dies half-way: the object does not appear, its temporary file stays.
    fn half_put(&self, bytes: &[u8]) {
        if let Ok(mut staged) = self.inner.stage() {
            let _ = staged.write(&bytes[..bytes.len() / 2]);
            staged.abandon();
        }
    }
}

/// The finalizer of SplitMix64: every input bit reaches every output bit.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Store for Faulty {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        match self.step("put", key) {
            Step::Go | Step::Flip => self.inner.put_new(key, bytes),
            Step::Refuse(error) => Err(error),
            Step::Lose(error) => self.inner.put_new(key, bytes).and(Err(error)),
            Step::Half(error) => {
                self.half_put(bytes);
                Err(error)
            }
        }
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.inner.stage()
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        self.ask("put", key, || self.inner.put_staged(key, staged))
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.read(key, 0, || self.inner.get(key, limit))
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.read(key, offset, || self.inner.get_range(key, offset, len))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.ask("list", prefix, || self.inner.list(prefix))
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.ask("stat", key, || self.inner.stat(key))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.ask("delete", key, || self.inner.delete(key))
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
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
    fn one_seed_fails_in_one_way() {
        let faults = |seed| {
            let store = Faulty::seeded(Arc::new(MemoryStore::new()), seed, 300);
            (0..200).map(|_| store.next()).collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
        let failed = faults(7).iter().flatten().count();
        assert!((20..120).contains(&failed), "{failed} of 200");
    }

    #[test]
    fn a_wrong_bit_comes_once() {
        let store = Faulty::at(Arc::new(MemoryStore::new()), 1, Fault::WrongBit);
        store.put_new("config", b"abc").unwrap();
        assert_ne!(store.get("config", 9).unwrap(), b"abc");
        assert_eq!(store.get("config", 9).unwrap(), b"abc");
    }

    #[test]
    fn after_its_death_nothing_answers() {
        let memory = Arc::new(MemoryStore::new());
        let store = Faulty::dies_at(memory.clone(), 0, Fault::AnswerLost);
        assert!(store.put_new("config", b"abc").is_err());
        assert!(store.get("config", 9).is_err());
        assert_eq!(memory.get("config", 9).unwrap(), b"abc");
    }
}
