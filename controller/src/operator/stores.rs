//! Whose turn it is at a store.
//!
//! A store that does not answer must not keep the others waiting, and a namespace with a thousand repositories not the
//! one with a single one.
//!
//! | Rule | Number |
//! |---|---|
//! | calls at once | 8 |
//! | of them at one storage | 1 |
//! | of them at storages that let a call run into its limit, since their last answer | 4 |
//! | next of those that may begin | storages that answer first; then the namespace that was served longest ago; then who came first |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use holdfast_engine::Key;
use holdfast_engine::plan::Plan;
use tokio::sync::oneshot;

/// How long a call at a storage may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Calls at all stores at once.
pub const AT_ONCE: usize = 8;

/// Of them, calls at storages that did not answer the last time: the others never wait for all of these to give up.
const AT_SILENT_ONES: usize = 4;

/// Everybody who waits for a store.
#[derive(Clone, Default)]
pub struct Stores(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    /// Storages at which a call is under way.
    busy: BTreeSet<Key>,
    /// Storages that let their last call run into its limit.
    silent: BTreeSet<Key>,
    /// When a namespace was served last, by the number of the call.
    served: BTreeMap<String, u64>,
    next: u64,
}

struct Waiting {
    storage: Key,
    namespace: String,
    turn: oneshot::Sender<Pass>,
}

/// The storage at which a plan is a short call, and the namespace that asks for it.
#[must_use]
pub fn of(plan: &Plan) -> Option<(Key, String)> {
    let at = |storage: &Key, asks: &Key| Some((storage.clone(), asks.namespace.clone()));
    match plan {
        Plan::InitializeBackend(storage) => at(&storage.storage.key, &storage.storage.key),
        Plan::InitializeRepository(repository) => at(&repository.0.storage.key, &repository.0.key),
        Plan::UploadMetadata(metadata) => at(&metadata.place.storage.key, &metadata.place.key),
        Plan::RemoveSnapshot(Some(doomed)) => {
            at(&doomed.repository.storage.key, &doomed.repository.key)
        }
        Plan::RemoveSnapshot(None)
        | Plan::WipeBackend(_)
        | Plan::WipeRepository(_)
        | Plan::Survey(_)
        | Plan::RunHook(_)
        | Plan::StartBackup(_)
        | Plan::StartRestore(_)
        | Plan::StopWorker(_) => None,
    }
}

/// The right to one call at a storage. It ends with its scope.
pub struct Pass {
    stores: Stores,
    storage: Key,
    answered: bool,
}

impl Stores {
    /// Waits for the turn of a call at a storage that somebody in a namespace asks for. Whoever stops waiting has
    /// taken nobody's turn.
    pub async fn enter(&self, storage: Key, namespace: String) -> Pass {
        let (turn, comes) = oneshot::channel();
        {
            let mut desk = self.desk();
            let number = desk.next;
            desk.next += 1;
            desk.waiting.insert(number, Waiting { storage: storage.clone(), namespace, turn });
        }
        self.serve();
        match comes.await {
            Ok(pass) => pass,
            // Nobody drops a turn but `serve`, which hands over a pass with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Lets begin whoever may.
    fn serve(&self) {
        loop {
            let mut desk = self.desk();
            let Some(number) = desk.first() else { return };
            let Some(waiting) = desk.waiting.remove(&number) else { return };
            desk.busy.insert(waiting.storage.clone());
            let served = desk.next;
            desk.next += 1;
            desk.served.insert(waiting.namespace, served);
            drop(desk);
            // Whoever has stopped waiting drops the pass, and so frees its place.
            let pass = Pass { stores: self.clone(), storage: waiting.storage, answered: true };
            drop(waiting.turn.send(pass));
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// The one among those who wait that may begin now.
    fn first(&self) -> Option<u64> {
        if self.busy.len() >= AT_ONCE {
            return None;
        }
        let silent_busy = self.busy.iter().filter(|storage| self.silent.contains(*storage)).count();
        let candidates = self.waiting.iter().filter(|(_, waiting)| {
            let silent = self.silent.contains(&waiting.storage);
            let full = silent && silent_busy >= AT_SILENT_ONES;
            !full && !self.busy.contains(&waiting.storage)
        });
        let first = candidates.min_by_key(|(number, waiting)| {
            let served = self.served.get(&waiting.namespace).copied().unwrap_or(0);
            (self.silent.contains(&waiting.storage), served, **number)
        });
        first.map(|(number, _)| *number)
    }
}

impl Pass {
    /// The call ran into its limit: its storage goes behind all that answer.
    pub fn silent(&mut self) {
        self.answered = false;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        {
            let mut desk = self.stores.desk();
            desk.busy.remove(&self.storage);
            if self.answered {
                desk.silent.remove(&self.storage);
            } else {
                desk.silent.insert(self.storage.clone());
            }
        }
        self.stores.serve();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    fn key(namespace: &str, name: &str) -> Key {
        Key::new(holdfast_engine::Group::KubeStashStorage, namespace, name)
    }

    /// A call that takes so long, or runs into the limit.
    async fn call(stores: Stores, storage: Key, takes: Option<Duration>) -> (String, Instant) {
        let namespace = storage.namespace.clone();
        let mut pass = stores.enter(storage.clone(), namespace).await;
        let began = Instant::now();
        match takes {
            Some(takes) => sleep(takes).await,
            None => {
                sleep(LIMIT).await;
                pass.silent();
            }
        }
        (storage.to_string(), began)
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_that_hang_keep_four_that_answer_waiting_for_two_rounds_and_never_again() {
        let stores = Stores::default();
        let start = Instant::now();
        let mut calls = JoinSet::new();
        for number in 0..20 {
            let stores = stores.clone();
            calls.spawn(async move {
                loop {
                    call(stores.clone(), key("bad", &format!("{number}")), None).await;
                }
            });
        }
        tokio::task::yield_now().await;
        let mut first = JoinSet::new();
        for number in 0..4 {
            let storage = key("good", &format!("{number}"));
            first.spawn(call(stores.clone(), storage, Some(Duration::from_secs(1))));
        }
        while let Some(Ok((_, began))) = first.join_next().await {
            assert!(began - start <= LIMIT * 2, "{:?}", began - start);
        }
        // Until then some of the others have never been asked.
        sleep(LIMIT * 3 - (Instant::now() - start)).await;
        for round in 0..20 {
            sleep(Duration::from_secs(7 * (round % 5))).await;
            let asked = Instant::now();
            let storage = key("good", &format!("{}", round % 4));
            let (_, began) = call(stores.clone(), storage, Some(Duration::from_secs(1))).await;
            assert_eq!(began, asked, "half of the places are kept for those who answer");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_storage_has_one_call_at_a_time_in_order() {
        let stores = Stores::default();
        let mut calls = JoinSet::new();
        for number in 0..5_u64 {
            let stores = stores.clone();
            calls.spawn(async move {
                sleep(Duration::from_millis(number)).await;
                let second = Some(Duration::from_secs(1));
                (number, call(stores, key("a", "one"), second).await.1)
            });
        }
        let mut began: Vec<(u64, Instant)> = Vec::new();
        while let Some(Ok(next)) = calls.join_next().await {
            began.push(next);
        }
        for pair in began.windows(2) {
            assert!(pair[0].0 < pair[1].0);
            assert!(pair[1].1 - pair[0].1 >= Duration::from_secs(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_with_many_storages_does_not_starve_one_with_a_single_one() {
        let stores = Stores::default();
        let mut many = JoinSet::new();
        for number in 0..200 {
            let storage = key("many", &format!("{number}"));
            many.spawn(call(stores.clone(), storage, Some(Duration::from_secs(1))));
        }
        tokio::task::yield_now().await;
        let asked = Instant::now();
        let (_, began) =
            call(stores.clone(), key("few", "one"), Some(Duration::from_secs(1))).await;
        assert!(began - asked <= Duration::from_secs(1), "{:?}", began - asked);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_waiting_takes_nobodys_turn() {
        let stores = Stores::default();
        let held = stores.enter(key("a", "one"), "a".into()).await;
        let second = stores.enter(key("a", "one"), "a".into());
        assert!(timeout(Duration::from_secs(1), second).await.is_err());
        let third = stores.enter(key("a", "one"), "a".into());
        drop(held);
        assert!(timeout(Duration::from_secs(1), third).await.is_ok());
        assert!(stores.desk().busy.is_empty() && stores.desk().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_answers_again_is_as_good_as_any() {
        let stores = Stores::default();
        call(stores.clone(), key("a", "one"), None).await;
        assert!(!stores.desk().silent.is_empty());
        call(stores.clone(), key("a", "one"), Some(Duration::from_secs(1))).await;
        assert!(stores.desk().silent.is_empty());
    }
}
