//! A store that answers wrongly now and then: what may heal is tried again, what differs is called unstable,
//! and nothing that was not shown is taken for absent.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod shelf;
mod small;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use gate::{Gate, flip, objects};
use holdfast_executor::error::Error;
use holdfast_executor::repo::{CheckOptions, Commit, Problem, Repo, Trees, Unlock, Writer};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{
    Fault, Faulty, MemoryStore, Retry, RetryPolicy, SharedStore, Store, StoreError,
};
use shelf::{PASSPHRASE, Shelf, noise};
use small::{backup, check, init, open, restore, small_blobs};

/// One call in ten fails; behind retries nobody notices, and nothing is stored twice.
#[test]
fn r6_faults_behind_retries_are_not_noticed() {
    for seed in 0..gate::soak(20) {
        let memory = Arc::new(MemoryStore::new());
        let faulty = Arc::new(Faulty::seeded(memory.clone(), seed, 100));
        let retry = Retry::new(faulty, RetryPolicy::default());
        let store: SharedStore = Arc::new(retry.with_sleep(Arc::new(|_: Duration| {})));
        let repo = init(&store);
        let committed = backup(&repo, "s-1", &small_blobs()).unwrap();
        restore(&repo, &committed, &small_blobs()).unwrap();
        assert_eq!(memory.list("packs/").unwrap().len(), 3, "data, trees, lists");
        assert!(check(&repo).is_clean());
    }
}

/// Every object in turn is read wrongly the first time: a check calls that unstable, or has read it again.
#[test]
fn r6_wrong_bytes_on_the_first_read_only_are_no_damage() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    backup(&repo, "s-1", &small_blobs()).unwrap();
    let packs = memory.list("").unwrap().into_iter().filter(|row| row.key.contains("packs/"));
    for key in packs.map(|row| row.key) {
        let (seen, wrong) = (Mutex::new(false), key.clone());
        gate.lie_about_reads(move |key, bytes| {
            let first = key == wrong && !std::mem::replace(&mut seen.lock().unwrap(), key == wrong);
            if first { flip(&bytes, 99) } else { bytes }
        });
        let report = check(&repo);
        let found: Vec<_> = report.findings.iter().map(|f| (&f.object, f.problem)).collect();
        assert_eq!(found, [(&key, Problem::Unstable)]);
        assert!(report.affected.is_empty(), "nothing is lost");
        gate.be_honest();
        assert!(check(&repo).is_clean());
    }
}

/// One wrong bit in any single operation of a check: never an error that ends it, never a wrong finding of
/// what is not concerned.
#[test]
fn r6_a_wrong_bit_in_any_single_read() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    backup(&repo, "s-1", &small_blobs()).unwrap();
    let mut unstable = 0;
    for number in 0.. {
        let faulty = Arc::new(Faulty::at(memory.clone(), number, Fault::WrongBit));
        gate.set(faulty.clone());
        let report = check(&repo);
        assert!(report.findings.len() <= 1, "{report:?}");
        unstable += report.findings.iter().filter(|f| f.problem == Problem::Unstable).count();
        if faulty.operations() <= number {
            break;
        }
    }
    assert_eq!(unstable, 10, "three packs, two of them with a copy, each read in two runs");
}

/// A read that returns less than was asked for, without an error: it is noticed, whoever reads.
#[test]
fn r6_short_reads_are_noticed() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    let committed = backup(&repo, "s-1", &small_blobs()).unwrap();
    gate.lie_about_reads(|key, mut bytes| {
        if key.contains("packs/") {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    });
    let options = CheckOptions { read_data: true, now_ms: 0 };
    let error = repo.check(options, None).unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::ShortRead { .. })), "{error}");
    assert!(!error.permanent(), "it is worth trying again");
    assert!(restore(&repo, &committed, &small_blobs()).is_err());
    gate.be_honest();
    restore(&repo, &committed, &small_blobs()).unwrap();
}

/// Listings that show nothing: a repository that is there is never initialised again, and verbs that change
/// something keep everything.
#[test]
fn r6_an_empty_listing_is_never_taken_for_an_empty_place() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    let id = repo.id();
    let committed = backup(&repo, "s-1", &small_blobs()).unwrap();
    let before = objects(&memory);
    gate.lie_about_lists(|_, _| Vec::new());
    let options =
        holdfast_executor::repo::InitOptions { cost: KdfCost::least(), ..Default::default() };
    let made = Repo::at(shared.clone()).init(PASSPHRASE, options);
    assert!(matches!(made, Err(Error::AlreadyInitialised { found }) if found == id));
    assert!(objects(&memory) == before, "nothing is left of the try");
    let opened = Repo::at(shared.clone()).open(PASSPHRASE, Unlock::default());
    assert!(
        matches!(opened, Err(Error::NoKeySlot)),
        "the config is there, so it is no empty place"
    );
    let slot = memory.list("keys/").unwrap()[0].key.clone();
    let name = holdfast_executor::digest::ObjectHash::from_hex(&slot["keys/".len()..]).unwrap();
    assert!(matches!(repo.drop_slot(&name), Err(Error::NoSuch { .. })));
    assert!(matches!(repo.rotate(&[]), Err(Error::LastKeySlot)));
    repo.repair_index(Writer::default(), false).unwrap();
    assert!(objects(&memory) == before, "nothing is taken away");
    gate.be_honest();
    restore(&open(&shared).unwrap(), &committed, &small_blobs()).unwrap();
}

/// A listing that misses one row, whichever: no verb takes away what it did not show.
#[test]
fn r6_a_listing_that_misses_a_row_loses_nothing() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    let first = backup(&repo, "s-1", &small_blobs()).unwrap();
    let rows = memory.list("").unwrap();
    for missing in rows.iter().map(|row| row.key.clone()) {
        let store = Arc::new(memory.fork());
        let before = objects(&store);
        gate.set(store.clone());
        let hidden = missing.clone();
        gate.lie_about_lists(move |_, rows| {
            rows.into_iter().filter(|row| row.key != hidden).collect()
        });
        let repaired = repo.repair_index(Writer::default(), false).unwrap();
        assert_eq!(repaired.packs_dropped, [], "{missing}");
        assert_eq!(repaired.objects_replaced, [], "{missing}");
        let report = check(&repo);
        assert!(report.affected.is_empty(), "{missing}: {report:?}");
        assert!(report.findings.is_empty(), "{missing}: {report:?}");
        backup(&repo, "s-2", &small_blobs()).unwrap();
        gate.be_honest();
        let after = objects(&store);
        assert!(before.iter().all(|(key, bytes)| after.get(key) == Some(bytes)), "{missing}");
        restore(&open(&shared).unwrap(), &first, &small_blobs()).unwrap();
    }
}

/// A session that has seen a collection does not believe a listing without it.
#[test]
fn r6_a_collection_that_a_listing_forgets_is_the_fault_of_the_store() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    repo.condemn(1, &std::collections::BTreeSet::new()).unwrap();
    let intent = repo.put_intent(Writer::default()).unwrap();
    let seen = repo.overview().unwrap();
    assert_eq!(seen.collection.generation, 1);
    let index = repo.index_for_writing(&seen).unwrap();
    let dedup = Arc::new(holdfast_executor::index::DedupIndex::new(index.index().clone()));
    gate.lie_about_lists(|prefix, rows| match prefix {
        "meta/gc/" => Vec::new(),
        _ => rows,
    });
    let written = Default::default();
    let snapshot = Snapshot { session: "s".into(), ..Snapshot::default() };
    let collection = seen.collection;
    let commit = repo.commit(Commit { intent, collection, dedup, written, snapshot });
    let error = commit.unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Unavailable { verb: "list", .. })), "{error}");
    assert!(repo.snapshot_names().unwrap().is_empty());
}

/// What is retried is the same request, and a listing that fails on its way is an error, never a short one.
#[test]
fn r6_a_listing_that_fails_is_an_error() {
    let memory = Arc::new(MemoryStore::new());
    let gate = Gate::to(memory.clone());
    let mut shelf = Shelf::on(gate.clone());
    shelf.file("f", &noise(1_000, 1));
    shelf.backup();
    let mut failed = HashSet::new();
    for number in 0..40 {
        gate.set(Arc::new(Faulty::at(memory.clone(), number, Fault::Unavailable)));
        match shelf.repo.check(CheckOptions { read_data: true, now_ms: 0 }, Some(&Trees)) {
            Ok(report) => assert!(report.is_clean(), "{report:?}"),
            Err(Error::Store(StoreError::Unavailable { verb, .. })) => drop(failed.insert(verb)),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failed.contains("list") && failed.contains("get"), "{failed:?}");
}
