//! Keeps below a number of bytes a second, each way on its own, so that a backup leaves room for what
//! it backs up. Packs wait for all that went before them. What says where packs are (an index, an
//! intent, a snapshot) overtakes the packs that wait: behind four of them it would come minutes late on
//! a slow line, and a run that is killed meanwhile would send them again. What overtook them is made up
//! for by the packs that come next: for a moment more may go than the rate says, over a run it does not.

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

/// What waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Blocks and packs: behind everything.
    Bulk,
    /// Whole objects from memory: behind their like.
    Whole,
}

/// One direction.
struct Lane {
    bytes_per_second: u64,
    start: Instant,
    paid: Mutex<Paid>,
}

/// Nanoseconds after the start of a lane until which all that went is paid for.
#[derive(Clone, Copy, Debug, Default)]
struct Paid {
    all_ns: u64,
    whole_ns: u64,
}

impl Paid {
    /// Until when somebody waits for these bytes. Time in which nothing went is not saved up, and what
    /// overtook the bulk is paid for by the bulk that comes next.
    fn until(&mut self, class: Class, now_ns: u64, bytes: u64, bytes_per_second: u64) -> u64 {
        let cost = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(bytes_per_second));
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        self.all_ns = now_ns.max(self.all_ns).saturating_add(cost);
        if class == Class::Bulk {
            return self.all_ns;
        }
        self.whole_ns = now_ns.max(self.whole_ns).saturating_add(cost);
        self.whole_ns
    }
}

impl Lane {
    fn new(bytes_per_second: u64) -> Option<Self> {
        let paid = Mutex::default();
        (bytes_per_second > 0).then(|| Self { bytes_per_second, start: Instant::now(), paid })
    }

    /// How long the caller has to wait for moving `bytes`.
    fn pay(&self, class: Class, bytes: u64) -> Duration {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_nanos(paid.until(class, now, bytes, self.bytes_per_second) - now)
    }
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

    fn pay(&self, lane: Option<&Lane>, class: Class, bytes: u64) {
        if let Some(lane) = lane {
            (self.sleep)(lane.pay(class, bytes));
        }
    }
}

impl Store for Throttle {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.pay(self.up.as_ref(), Class::Whole, bytes.len() as u64);
        self.inner.put_new(key, bytes)
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.inner.stage()
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        self.pay(self.up.as_ref(), Class::Bulk, staged.len());
        self.inner.put_staged(key, staged)
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.get(key, limit)?;
        self.pay(self.down.as_ref(), Class::Whole, bytes.len() as u64);
        Ok(bytes)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.inner.get_range(key, offset, len)?;
        self.pay(self.down.as_ref(), Class::Bulk, bytes.len() as u64);
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

    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        self.inner.list_some(prefix, most)
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
    use proptest::prelude::*;

    use super::*;
    use crate::store::MemoryStore;

    fn class() -> impl Strategy<Value = Class> {
        prop_oneof![Just(Class::Bulk), Just(Class::Whole)]
    }

    /// Bytes of `total` and how long they took keep to a rate; each cost is rounded up by less than a
    /// nanosecond.
    fn keeps_to(rate: u64, total: u128, took: u64, costs: u128) -> bool {
        let ideal = total * 1_000_000_000;
        let took = u128::from(took);
        ideal <= took * u128::from(rate) && took <= ideal / u128::from(rate) + costs + 1
    }

    proptest! {
        /// By a clock of its own: when a pack may go, all that came before it has kept to the rate, from each
        /// moment on at which all was paid for, and no time is lost.
        #[test]
        fn no_more_bytes_go_than_the_rate_allows_and_no_time_is_lost(
            rate in 1u64..1 << 40,
            steps in prop::collection::vec((class(), 0u64..10_000_000_000, 0u64..32 << 20), 1..60),
        ) {
            let (mut now, mut paid, mut began, mut sent) = (0, Paid::default(), 0, 0u128);
            for (number, (class, pause, bytes)) in (0u128..).zip(steps) {
                now += pause;
                if now > paid.all_ns {
                    (began, sent) = (now, 0);
                }
                let until = paid.until(class, now, bytes, rate);
                sent += u128::from(bytes);
                prop_assert!(keeps_to(rate, sent, paid.all_ns - began, number));
                prop_assert!(until <= paid.all_ns);
                prop_assert!(class == Class::Whole || until == paid.all_ns);
            }
        }

        /// However many packs wait: what says where they are waits for its like alone.
        #[test]
        fn whole_objects_overtake_packs(
            rate in 1u64..1 << 40,
            steps in prop::collection::vec((class(), 0u64..10_000_000_000, 0u64..32 << 20), 1..60),
        ) {
            let (mut now, mut mixed, mut alone) = (0, Paid::default(), Paid::default());
            for (class, pause, bytes) in steps {
                now += pause;
                let until = mixed.until(class, now, bytes, rate);
                if class == Class::Whole {
                    prop_assert_eq!(until, alone.until(class, now, bytes, rate));
                }
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
