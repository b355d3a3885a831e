//! A machine that sleeps at the worst moment: between its last look at the collections and the put of
//! its snapshot. It wakes in a repository that a collector has been through.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod small;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use holdfast_executor::digest::{Kind, PackName};
use holdfast_executor::error::Error;
use holdfast_executor::pack::pack_key;
use holdfast_executor::repo::{Committed, Open, Repo};
use holdfast_executor::store::{
    Habits, MemoryStore, ObjectMeta, PutOutcome, SharedStore, Store, StoreError,
};
use small::{backup, check, init, noise, open, small_blobs};

type Asleep = Box<dyn FnOnce() + Send>;

/// A store before whose next put of a snapshot something else happens.
struct Sleeping {
    inner: Arc<MemoryStore>,
    asleep: Mutex<Option<Asleep>>,
}

impl Store for Sleeping {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        if key.starts_with("meta/snapshots/")
            && let Some(asleep) = self.asleep.lock().unwrap().take()
        {
            asleep();
        }
        self.inner.put_new(key, bytes)
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
    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key)
    }
    fn habits(&self) -> Habits {
        self.inner.habits()
    }
}

/// A repository with one snapshot.
fn begun() -> (Arc<MemoryStore>, Repo<Open>, Committed) {
    let memory = Arc::new(MemoryStore::new());
    let store: SharedStore = memory.clone();
    let repo = init(&store);
    let first = backup(&repo, "s-1", &small_blobs()).unwrap();
    (memory, repo, first)
}

fn stored(store: &MemoryStore) -> BTreeSet<PackName> {
    let rows = store.list("packs/").unwrap();
    rows.iter().filter_map(|row| PackName::from_hex(row.key.rsplit('/').next()?)).collect()
}

/// Condemns these packs and, with `sweep`, takes them away at once: the sleep was long enough.
fn collect(repo: &Repo<Open>, store: &MemoryStore, packs: &BTreeSet<PackName>, sweep: bool) {
    repo.condemn(1, packs).unwrap();
    if sweep {
        packs.iter().for_each(|pack| store.delete(&pack_key(pack)).unwrap());
    }
}

/// A second session that falls asleep; `collected` says what goes meanwhile, of what was there before
/// and what the session has added.
fn second(
    blobs: &[(Kind, Vec<u8>)],
    sweep: bool,
    collected: fn(&BTreeSet<PackName>, &BTreeSet<PackName>) -> BTreeSet<PackName>,
) -> (Arc<MemoryStore>, Committed, Result<Committed, Error>) {
    let (memory, repo, first) = begun();
    let before = stored(&memory);
    let inner = memory.clone();
    let asleep: Asleep = Box::new(move || {
        let added = stored(&inner).difference(&before).copied().collect();
        collect(&repo, &inner, &collected(&before, &added), sweep);
    });
    let store: SharedStore =
        Arc::new(Sleeping { inner: memory.clone(), asleep: Mutex::new(Some(asleep)) });
    let result = backup(&open(&store).unwrap(), "s-2", blobs);
    (memory, first, result)
}

fn more() -> Vec<(Kind, Vec<u8>)> {
    let mut blobs = small_blobs();
    blobs.push((Kind::Data, noise(7, 5_000)));
    blobs
}

#[test]
fn a_snapshot_whose_packs_were_taken_meanwhile_is_marked_and_never_used() {
    let what: [fn(&BTreeSet<_>, &BTreeSet<_>) -> BTreeSet<_>; 2] =
        [|reused, _| reused.clone(), |_, own| own.clone()];
    for collected in what {
        let (memory, first, result) = second(&more(), true, collected);
        assert!(matches!(result, Err(Error::PackCollected { .. })), "{result:?}");
        let store: SharedStore = memory;
        let names = open(&store).unwrap().snapshot_names().unwrap();
        assert_eq!(names, [first.name], "it is there, but it does not count");
        assert!(
            !open(&store).unwrap().overview().unwrap().snapshots.iter().any(|n| *n != first.name)
        );
    }
}

#[test]
fn a_collection_that_took_nothing_of_ours_does_no_harm() {
    let (memory, first, result) = second(&more(), false, |reused, _| reused.clone());
    let committed = result.unwrap();
    let store: SharedStore = memory;
    let repo = open(&store).unwrap();
    let mut names = vec![first.name, committed.name];
    names.sort_unstable();
    assert_eq!(repo.snapshot_names().unwrap(), names);
    assert!(check(&repo).is_clean());
}
