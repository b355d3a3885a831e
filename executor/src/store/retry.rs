//! Tries again what may succeed without a change from outside, with growing pauses, until a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Habits, ObjectMeta, PutOutcome, SharedStore, Staged, Store, StoreError};

/// Sleeps; replaced by tests.
pub type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// When to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all.
    pub tries: u32,
    /// The first pause at most; each later one may be twice as long. Half of each is left to chance, so that those who
    /// failed together do not come back together.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// No try begins later than this after the first, nor after a store got stuck: then one try is all.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// Ten minutes without a network are survived.
    fn default() -> Self {
        Self {
            tries: 40,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(30),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}

impl RetryPolicy {
    /// A file system that fails five times has not just stumbled.
    #[must_use]
    pub fn of_a_file_system() -> Self {
        Self { tries: 5, deadline: Duration::from_secs(60), ..Self::default() }
    }

    /// Before anything was ever answered: a wrong address should be told within a quarter of a minute.
    fn of_a_first_request(self) -> Self {
        Self {
            tries: self.tries.min(6),
            deadline: self.deadline.min(Duration::from_secs(15)),
            ..self
        }
    }
}

/// A time in which no call has come to an end: from its first failure to its last.
#[derive(Clone, Copy)]
struct Stuck {
    since: Instant,
    last: Instant,
}

/// A store that is asked again.
pub struct Retry {
    inner: SharedStore,
    policy: RetryPolicy,
    /// Whether the store has ever answered.
    answered: AtomicBool,
    /// Who asks after others have given up waits no second time.
    stuck: Mutex<Option<Stuck>>,
    sleep: Sleep,
    /// Whether somebody asked to stop: then nobody waits any more.
    stop: Option<Arc<AtomicBool>>,
}

/// How long a pause goes on at most after somebody asked to stop.
const SLICE: Duration = Duration::from_millis(100);

impl Retry {
    /// Retries what `inner` answers with errors that are not permanent.
    #[must_use]
    pub fn new(inner: SharedStore, policy: RetryPolicy) -> Self {
        let sleep = Arc::new(std::thread::sleep);
        Self { inner, policy, answered: false.into(), stuck: Mutex::default(), sleep, stop: None }
    }

    /// The same, as patient as `inner` likes it.
    #[must_use]
    pub fn patient(inner: SharedStore) -> Self {
        let policy = inner.habits().patience;
        Self::new(inner, policy)
    }

    /// The same with another way to sleep.
    #[must_use]
    pub fn with_sleep(mut self, sleep: Sleep) -> Self {
        self.sleep = sleep;
        self
    }

    /// The same, but that nothing is tried again once the flag is set.
    #[must_use]
    pub fn until(mut self, stop: Option<Arc<AtomicBool>>) -> Self {
        self.stop = stop;
        self
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Sleeps, unless somebody asked to stop.
    fn pause(&self, mut left: Duration) {
        if self.stop.is_none() {
            return (self.sleep)(left);
        }
        while !self.is_stopped() && !left.is_zero() {
            let slice = left.min(SLICE);
            (self.sleep)(slice);
            left -= slice;
        }
    }

    /// `call` gets the number of earlier tries.
    fn again<T>(
        &self,
        mut call: impl FnMut(u32) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let mut pause = self.policy.first_pause;
        for earlier in 0.. {
            let answer = call(earlier);
            if answer.as_ref().err().is_none_or(StoreError::is_answer) {
                self.answered.store(true, Ordering::Relaxed);
            }
            if answer.as_ref().err().is_none_or(StoreError::permanent) {
                *self.stuck() = None;
                return answer;
            }
            let waited = self.stuck_since().min(start).elapsed();
            let policy = match self.answered.load(Ordering::Relaxed) {
                true => self.policy,
                false => self.policy.of_a_first_request(),
            };
            if earlier + 1 >= policy.tries || waited + pause > policy.deadline || self.is_stopped()
            {
                return answer;
            }
            self.pause(jittered(pause));
            if self.is_stopped() {
                return answer;
            }
            pause = (pause * 2).min(policy.longest_pause);
        }
        Err(StoreError::Invalid { key: String::new(), reason: "was tried 2^32 times" })
    }

    /// Notes a failure; since when there have been nothing but failures.
    fn stuck_since(&self) -> Instant {
        let mut stuck = self.stuck();
        let last = Instant::now();
        // What failed long ago says nothing of a store that nobody has asked since.
        let before = stuck.filter(|stuck| last - stuck.last <= self.policy.deadline);
        let since = before.map_or(last, |stuck| stuck.since);
        *stuck = Some(Stuck { since, last });
        since
    }

    fn stuck(&self) -> MutexGuard<'_, Option<Stuck>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pause of half its length at least.
fn jittered(pause: Duration) -> Duration {
    // Without dice everybody waits as long as anybody may.
    let share = getrandom::u32().map_or(1.0, |dice| f64::from(dice) / f64::from(u32::MAX));
    pause.mul_f64(0.5 + share / 2.0)
}

/// A put whose answer was lost finds its own object at the next try: that is a success.
fn settle(
    inner: &dyn Store,
    key: &str,
    bytes: &[u8],
    earlier: u32,
    outcome: PutOutcome,
) -> Result<PutOutcome, StoreError> {
    if outcome == PutOutcome::Exists && earlier > 0 {
        return match inner.get(key, bytes.len() as u64) {
            Ok(found) if found == bytes => Ok(PutOutcome::Created),
            Ok(_) | Err(StoreError::TooLarge { .. }) => Ok(PutOutcome::Exists),
            Err(error) => Err(error),
        };
    }
    Ok(outcome)
}

impl Store for Retry {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.again(|earlier| {
            let outcome = self.inner.put_new(key, bytes)?;
            settle(&*self.inner, key, bytes, earlier, outcome)
        })
    }

    fn stage(&self) -> Result<Staged, StoreError> {
        self.again(|_| self.inner.stage())
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        let len = staged.len();
        self.again(|earlier| match self.inner.put_staged(key, staged)? {
            // What is staged has a name that stands for its content, so its size is enough.
            PutOutcome::Exists if earlier > 0 && self.inner.stat(key)?.size == len => {
                Ok(PutOutcome::Created)
            }
            outcome => Ok(outcome),
        })
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.again(|_| self.inner.get(key, limit))
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.again(|_| self.inner.get_range(key, offset, len))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.again(|_| self.inner.list(prefix))
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.again(|_| self.inner.stat(key))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.again(|_| self.inner.delete(key))
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
    }

    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        self.again(|_| self.inner.list_some(prefix, most))
    }

    fn notices(&self) -> Vec<String> {
        self.inner.notices()
    }

    fn leftovers(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        self.again(|_| self.inner.leftovers())
    }

    fn drop_cached(&self, key: &str) {
        self.inner.drop_cached(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fault, Faulty, MemoryStore};

    fn retry(inner: SharedStore, tries: u32) -> (Retry, Arc<Mutex<Vec<Duration>>>) {
        let pauses = Arc::new(Mutex::new(Vec::new()));
        let noted = pauses.clone();
        let policy = RetryPolicy { tries, ..RetryPolicy::default() };
        let sleep: Sleep = Arc::new(move |pause| noted.lock().unwrap().push(pause));
        (Retry::new(inner, policy).with_sleep(sleep), pauses)
    }

    #[test]
    fn a_lost_answer_does_not_turn_a_put_into_exists() {
        let memory = Arc::new(MemoryStore::new());
        let faulty = Arc::new(Faulty::at(memory.clone(), 0, Fault::AnswerLost));
        let (store, pauses) = retry(faulty, 3);
        assert_eq!(store.put_new("config", b"ours").unwrap(), PutOutcome::Created);
        assert_eq!(pauses.lock().unwrap().len(), 1);
        assert_eq!(memory.get("config", 100).unwrap(), b"ours");
    }

    #[test]
    fn an_object_of_someone_else_stays_exists_after_a_retry() {
        let memory = Arc::new(MemoryStore::new());
        memory.put_new("config", b"theirs").unwrap();
        let faulty = Arc::new(Faulty::at(memory, 0, Fault::Unavailable));
        assert_eq!(retry(faulty, 3).0.put_new("config", b"ours").unwrap(), PutOutcome::Exists);
    }

    #[test]
    fn pauses_grow_to_their_bound_and_tries_end() {
        let faulty = Arc::new(Faulty::dead(Arc::new(MemoryStore::new())));
        let (store, pauses) = retry(faulty.clone(), 12);
        store.answered.store(true, Ordering::Relaxed);
        assert!(matches!(store.list(""), Err(StoreError::Unavailable { .. })));
        let pauses = pauses.lock().unwrap();
        assert_eq!((pauses.len(), faulty.operations()), (11, 12));
        for (number, pause) in pauses.iter().enumerate() {
            let most = Duration::from_millis(200 << number).min(Duration::from_secs(30));
            assert!((most / 2..=most).contains(pause), "pause {number}: {pause:?}");
        }
        let again = retry(faulty, 12);
        again.0.answered.store(true, Ordering::Relaxed);
        assert!(again.0.list("").is_err());
        assert_ne!(*pauses, *again.1.lock().unwrap(), "two that fail together wait alike");
    }

    #[test]
    fn a_store_that_has_never_answered_is_given_up_soon() {
        let faulty = Arc::new(Faulty::dead(Arc::new(MemoryStore::new())));
        let (store, pauses) = retry(faulty, 12);
        assert!(store.list("").is_err());
        assert_eq!(pauses.lock().unwrap().len(), 5);
    }

    #[test]
    fn patience_is_lost_once_and_comes_back_with_the_store() {
        let memory = Arc::new(MemoryStore::new());
        let faulty = Arc::new(Faulty::at(memory, 0, Fault::Unavailable));
        let policy = RetryPolicy { deadline: Duration::ZERO, ..RetryPolicy::default() };
        let store = Retry::new(faulty.clone(), policy).with_sleep(Arc::new(|_| {}));
        assert!(store.list("").is_err());
        assert!(store.stuck().is_some());
        assert!(store.list("").is_ok());
        assert!(store.stuck().is_none());
    }

    #[test]
    fn a_store_that_is_stuck_is_tried_once_and_one_that_was_is_tried_anew() {
        let pauses_after = |failed_for: Duration, idle: Duration| {
            let (store, pauses) = retry(Arc::new(Faulty::dead(Arc::new(MemoryStore::new()))), 4);
            let last = Instant::now().checked_sub(idle)?;
            *store.stuck() = Some(Stuck { since: last.checked_sub(failed_for)?, last });
            assert!(store.list("").is_err());
            let pauses = pauses.lock().unwrap().len();
            Some(pauses)
        };
        let patience = RetryPolicy::default().deadline;
        // A machine that was started just now has no such times.
        assert!(matches!(pauses_after(patience, Duration::ZERO), Some(0) | None));
        assert!(matches!(pauses_after(patience, patience * 2), Some(3) | None));
        assert_eq!(pauses_after(Duration::ZERO, Duration::ZERO), Some(3));
    }

    #[test]
    fn a_store_that_says_it_is_busy_is_there_and_worth_waiting_for() {
        let faulty = Faulty::dies_at(Arc::new(MemoryStore::new()), 0, Fault::Busy);
        let (store, pauses) = retry(Arc::new(faulty), 12);
        assert!(store.list("").is_err());
        assert_eq!(pauses.lock().unwrap().len(), 11);
    }

    #[test]
    fn nobody_waits_after_somebody_asked_to_stop() {
        let stop = Arc::new(AtomicBool::new(false));
        let faulty = Arc::new(Faulty::dead(Arc::new(MemoryStore::new())));
        let (store, _) = retry(faulty.clone(), 12);
        let (asked, slept) = (stop.clone(), Arc::new(Mutex::new(0)));
        let counted = slept.clone();
        let store = store.until(Some(stop)).with_sleep(Arc::new(move |_| {
            *counted.lock().unwrap() += 1;
            asked.store(true, Ordering::Relaxed);
        }));
        assert!(store.list("").is_err() && store.list("").is_err());
        assert_eq!((*slept.lock().unwrap(), faulty.operations()), (1, 2));
    }

    #[test]
    fn what_is_permanent_is_asked_once() {
        let faulty = Arc::new(Faulty::at(Arc::new(MemoryStore::new()), 99, Fault::Unavailable));
        let (store, pauses) = retry(faulty, 12);
        assert!(store.get("config", 1).is_err_and(|error| error.is_not_found()));
        assert!(pauses.lock().unwrap().is_empty());
    }
}
