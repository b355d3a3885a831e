//! A session that stops at every one of its store operations, in three ways. Afterwards the check is
//! clean, what was committed restores, and the next session works.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod small;

use std::sync::Arc;
use std::time::Duration;

use holdfast_executor::error::Error;
use holdfast_executor::repo::Repo;
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::{
    Fault, Faulty, FileStore, MemoryStore, Record, Retry, RetryPolicy, SharedStore, Store,
    StoreError,
};
use small::*;

const WAYS: [Fault; 3] = [Fault::Unavailable, Fault::AnswerLost, Fault::Torn];

/// Opens the same repository through another store: the keys come from the store itself.
fn through(store: SharedStore) -> holdfast_executor::repo::Repo<holdfast_executor::repo::Open> {
    open(&store).unwrap()
}

#[test]
fn at_every_operation_of_a_backup() {
    let base = Arc::new(MemoryStore::new());
    let shared: SharedStore = base.clone();
    let first = backup(&init(&shared), "s-1", &small_blobs()).unwrap();
    let mut more = small_blobs();
    more.push((holdfast_executor::digest::Kind::Data, noise(7, 500)));
    let mut stops = 0;
    for way in WAYS {
        for number in 0.. {
            let memory = Arc::new(base.fork());
            // The operations of opening are those of reading; only what follows is stopped.
            let opening = Arc::new(Record::new(memory.clone()));
            through(opening.clone());
            let before: u64 = opening.tallies().values().map(|tally| tally.calls).sum();
            let faulty = Arc::new(Faulty::dies_at(memory.clone(), before + number, way));
            let outcome = backup(&through(faulty), "s-2", &more);
            let good = through(memory.clone());
            let report = check(&good);
            assert!(report.is_clean(), "{way:?} at {number}: {report:?}");
            restore(&good, &first, &small_blobs()).unwrap();
            let single = report.single_copies.len() as u64;
            assert_eq!(good.put_missing_copies(&report).unwrap(), single);
            assert_eq!(check(&good).single_copies, [""; 0], "{way:?} at {number}");
            if outcome.is_ok() {
                assert_eq!(single, 0, "a session that is done leaves no single copy");
                assert!(number > 10, "a backup has more operations than {number}");
                break;
            }
            match backup(&good, "s-2", &more) {
                Ok(second) => restore(&good, &second, &more).unwrap(),
                // The stopped run had committed already.
                Err(Error::Superseded { snapshot }) => {
                    assert!(good.snapshot_names().unwrap().contains(&snapshot));
                }
                Err(error) => panic!("{way:?} at {number}: {error}"),
            }
            assert!(check(&good).is_clean());
            stops += 1;
        }
    }
    assert!(stops > 30, "only {stops} stops were tried");
}

#[test]
fn at_every_operation_of_an_initialisation() {
    for way in WAYS {
        for number in 0.. {
            let memory = Arc::new(MemoryStore::new());
            let faulty: SharedStore = Arc::new(Faulty::dies_at(memory.clone(), number, way));
            let made = init_with(&faulty, Counting::running());
            let shared: SharedStore = memory.clone();
            if made.is_ok() {
                assert!(number > 3);
                break;
            }
            match open(&shared) {
                Ok(repo) => drop(backup(&repo, "s-1", &small_blobs()).unwrap()),
                Err(Error::NoRepository) => {
                    let repo = init(&shared);
                    backup(&repo, "s-1", &small_blobs()).unwrap();
                }
                Err(error) => panic!("{way:?} at {number}: {error}"),
            }
        }
    }
}

#[test]
fn at_every_operation_of_a_rotation() {
    let base = Arc::new(MemoryStore::new());
    let shared: SharedStore = base.clone();
    let repo = init(&shared);
    let first = backup(&repo, "s-1", &small_blobs()).unwrap();
    let cost = KdfCost::least();
    let leaked = repo.add_slot(b"leaked", "second", 2_000, cost).unwrap();
    for way in WAYS {
        for number in 0.. {
            let memory = Arc::new(base.fork());
            let opening = Arc::new(Record::new(memory.clone()));
            through(opening.clone());
            let before: u64 = opening.tallies().values().map(|tally| tally.calls).sum();
            let faulty = Arc::new(Faulty::dies_at(memory.clone(), before + number, way));
            let rotated = through(faulty).rotate(&[leaked]);
            let shared: SharedStore = memory.clone();
            let after = open(&shared).unwrap();
            restore(&after, &first, &small_blobs()).unwrap();
            if rotated.is_ok() {
                assert!(number > 3);
                assert_eq!(after.slots().unwrap().len(), 1);
                let at = Repo::at(shared);
                let denied = at.open(b"leaked", Default::default());
                assert!(matches!(denied, Err(Error::WrongPassphrase { .. })));
                let second = backup(&after, "s-2", &small_blobs()).unwrap();
                assert_eq!(second.written.blobs_added, 0, "ids outlive a rotation");
                break;
            }
            // The next rotation completes it, with whatever slots are left.
            let again = after.rotate(&[]).unwrap();
            restore(&again, &first, &small_blobs()).unwrap();
            assert!(open(&shared).unwrap().keys().newest_epoch() >= 2);
        }
    }
}

/// One call in ten fails; behind retries nobody notices, and nothing is stored twice.
#[test]
fn faults_behind_retries() {
    for seed in 0..20 {
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

#[test]
fn a_full_store_and_lost_rights_are_permanent_and_leave_no_damage() {
    for (fault, number) in [(Fault::Full, 8), (Fault::Denied, 8)] {
        let memory = Arc::new(MemoryStore::new());
        let shared: SharedStore = memory.clone();
        init(&shared);
        let faulty = Arc::new(Faulty::dies_at(memory.clone(), number, fault));
        let repo = through(faulty);
        let error = backup(&repo, "s-1", &small_blobs()).err().unwrap();
        assert!(error.permanent() || matches!(error, Error::Store(StoreError::Unavailable { .. })));
        assert!(check(&through(memory)).is_clean());
    }
}

#[test]
fn a_wrong_bit_that_comes_once_is_called_unstable() {
    use holdfast_executor::repo::{CheckOptions, Problem};
    let memory = Arc::new(MemoryStore::new());
    let shared: SharedStore = memory.clone();
    backup(&init(&shared), "s-1", &small_blobs()).unwrap();
    let mut unstable = 0;
    for number in 0..80 {
        let faulty: SharedStore = Arc::new(Faulty::at(memory.clone(), number, Fault::WrongBit));
        let Ok(repo) = open(&faulty) else { continue };
        let options = CheckOptions { read_data: true, now_ms: 0 };
        let report = repo.check(options, None).unwrap();
        let of = |f: &holdfast_executor::repo::Finding| {
            f.object.contains("packs/") && f.problem == Problem::Unstable
        };
        unstable += report.findings.iter().filter(|finding| of(finding)).count();
    }
    assert_eq!(unstable, 10, "three packs, two of them with a copy, each read in two runs");
}

/// What a killed process leaves in a directory.
#[test]
fn on_files() {
    let dir = tempfile::tempdir().unwrap();
    let file: SharedStore = Arc::new(FileStore::new(dir.path()).unwrap());
    let first = backup(&init(&file), "s-1", &small_blobs()).unwrap();
    let mut more = small_blobs();
    for number in 0..12 {
        more.push((holdfast_executor::digest::Kind::Data, noise(50 + number, 300)));
        let faulty = Arc::new(Faulty::dies_at(file.clone(), 4 + number, Fault::Torn));
        if let Ok(repo) = open(&{ faulty as SharedStore }) {
            let _ = backup(&repo, &format!("stopped-{number}"), &more);
        }
    }
    let repo = open(&file).unwrap();
    let report = check(&repo);
    assert!(report.is_clean(), "{report:?}");
    assert!(report.reclaimable.temporary_files + report.reclaimable.unindexed_packs > 0);
    restore(&repo, &first, &small_blobs()).unwrap();
    let last = backup(&repo, "s-2", &more).unwrap();
    restore(&repo, &last, &more).unwrap();
}
