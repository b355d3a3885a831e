//! Keeps below a number of bytes a second, each way on its own, so that a backup leaves room for what
//! it backs up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::retry::Sleep;
use super::{Habits, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError};

/// A store that is used slowly.
pub struct Throttle {
    inner: SharedStore,
    up: Option<Lane>,
    down: Option<Lane>,
    sleep: Sleep,
}

/// One direction: bytes are paid for after they went, by waiting before the next ones.
struct Lane {
    bytes_per_second: u64,
    start: Instant,
    /// Nanoseconds after `start` until which everything that went is paid for.
    paid_ns: Mutex<u64>,
}

impl Lane {
    fn new(bytes_per_second: u64) -> Option<Self> {
        let paid_ns = Mutex::new(0);
        (bytes_per_second > 0).then(|| Self { bytes_per_second, start: Instant::now(), paid_ns })
    }

    /// How long the caller has to wait for having moved `bytes`.
    fn pay(&self, bytes: u64) -> Duration {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut paid = self.paid_ns.lock().unwrap_or_else(PoisonError::into_inner);
        *paid = paid_until(*paid, now, bytes, self.bytes_per_second);
        Duration::from_nanos(*paid - now)
    }
}

/// Until when all is paid for once `bytes` have gone too. Time in which nothing went is not saved up.
fn paid_until(paid_ns: u64, now_ns: u64, bytes: u64, bytes_per_second: u64) -> u64 {
    let cost = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(bytes_per_second));
    now_ns.max(paid_ns).saturating_add(u64::try_from(cost).unwrap_or(u64::MAX))
}

impl Throttle {
    /// At most so many bytes a second up and down; 0 is no bound.
    #[must_use]
    pub fn new(inner: SharedStore, up_bytes_per_second: u64, down_bytes_per_second: u64) -> Self {
        let (up, down) = (Lane::new(up_bytes_per_second), Lane::new(down_bytes_per_second));
        Self { inner, up, down, sleep: Arc::new(std::thread::sleep) }
    }

    /// The same with another way to sleep.
    #[must_use]
    pub fn with_sleep(mut self, sleep: Sleep) -> Self {
        self.sleep = sleep;
        self
    }

    fn pay(&self, lane: Option<&Lane>, bytes: u64) {
        if let Some(lane) = lane {
            (self.sleep)(lane.pay(bytes));
        }
    }
}

impl Store for Throttle {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.pay(self.up.as_ref(), bytes.len() as u64);
        self.inner.put_new(key, bytes)
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.inner.stage()
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        self.pay(self.up.as_ref(), staged.len());
        self.inner.put_staged(key, staged)
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.get(key, limit)?;
        self.pay(self.down.as_ref(), bytes.len() as u64);
        Ok(bytes)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.get_range(key, offset, len)?;
        self.pay(self.down.as_ref(), bytes.len() as u64);
        Ok(bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner.list(prefix)
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.inner.stat(key)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key)
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
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
    use proptest::prelude::*;

    use super::*;
    use crate::store::MemoryStore;

    proptest! {
        /// By a clock of its own: whoever has waited as told has kept to the rate, from each moment on at which
        /// all was paid for, and has not waited longer than that takes.
        #[test]
        fn no_more_bytes_go_than_the_rate_allows_and_no_time_is_lost(
            rate in 1u64..1 << 40,
            steps in prop::collection::vec((0u64..10_000_000_000, 0u64..32 << 20), 1..60),
        ) {
            let (mut now, mut paid, mut began, mut sent) = (0, 0, 0, 0u128);
            for (number, (pause, bytes)) in (0u128..).zip(steps) {
                now += pause;
                if now > paid {
                    (began, sent) = (now, 0);
                }
                paid = paid_until(paid, now, bytes, rate);
                sent += u128::from(bytes);
                let took = u128::from(paid - began);
                prop_assert!(sent * 1_000_000_000 <= took * u128::from(rate));
                // Each cost is rounded up by less than a nanosecond.
                prop_assert!(took <= sent * 1_000_000_000 / u128::from(rate) + number + 1);
            }
        }
    }

    #[test]
    fn each_direction_pays_for_its_own_bytes() {
        let pauses = Arc::new(Mutex::new(Vec::new()));
        let noted = pauses.clone();
        let store = Throttle::new(Arc::new(MemoryStore::new()), 1_000, 0)
            .with_sleep(Arc::new(move |pause: Duration| noted.lock().unwrap().push(pause)));
        for key in ["packs/00/a", "packs/00/b"] {
            store.put_new(key, &[0; 1_000_000]).unwrap();
        }
        store.get("packs/00/a", 1_000_000).unwrap();
        let pauses = pauses.lock().unwrap();
        assert_eq!(pauses.len(), 2, "reading has no bound here");
        // The fake sleep takes no time, so the second caller owes both.
        assert!(pauses[0] <= Duration::from_secs(1000) && pauses[1] > Duration::from_secs(1000));
    }
}
