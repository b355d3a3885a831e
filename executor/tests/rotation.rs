//! Rotations that stop on the way: whoever could open the repository still can, nothing that was written is
//! out of reach for those who should reach it, and the next rotation completes what was begun.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod small;

use std::sync::Arc;

use gate::Gate;
use holdfast_executor::digest::Kind;
use holdfast_executor::error::{Error, Result};
use holdfast_executor::repo::{Committed, Open, Repo, Unlock};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::{Access, Fault, Faulty, MemoryStore, SharedStore, Store};
use small::*;

const STAYS: &[u8] = b"stays";
const LEAVES: &[u8] = b"leaves";

type Blobs = Vec<(Kind, Vec<u8>)>;

/// A repository with three passphrases, one of which is to go.
struct Bed {
    base: Arc<MemoryStore>,
    gate: Arc<Gate>,
    repo: Repo<Open>,
    leaves: holdfast_executor::digest::ObjectHash,
    first: Committed,
}

fn bed() -> Bed {
    let base = Arc::new(MemoryStore::new());
    let gate = Gate::to(base.clone());
    let shared: SharedStore = gate.clone();
    let repo = init(&shared);
    repo.add_slot(STAYS, "stays", 2_000, KdfCost::least()).unwrap();
    let leaves = repo.add_slot(LEAVES, "leaves", 3_000, KdfCost::least()).unwrap();
    let first = backup(&repo, "s-1", &small_blobs()).unwrap();
    Bed { base, gate, repo, leaves, first }
}

fn open_by(store: &Arc<MemoryStore>, passphrase: &[u8]) -> Result<Repo<Open>> {
    let shared: SharedStore = store.clone();
    Repo::at(shared).open(passphrase, Unlock { expected: None, write: true })
}

fn later() -> Blobs {
    vec![(Kind::Data, noise(70, 300)), (Kind::Tree, noise(71, 90)), (Kind::List, noise(72, 80))]
}

/// Reads exactly, or says that an epoch is out of reach.
fn reads(repo: &Repo<Open>, wanted: &Committed, blobs: &Blobs) -> bool {
    match restore(repo, wanted, blobs) {
        Ok(()) => true,
        Err(Error::NewerEpoch { epoch: 2, newest: 1, .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn c7_a_rotation_stopped_at_each_step_opens_by_every_passphrase_that_it_should() {
    let bed = bed();
    let mut halves = 0;
    for way in [Fault::Unavailable, Fault::AnswerLost] {
        for number in 0.. {
            let store = Arc::new(bed.base.fork());
            bed.gate.set(Arc::new(Faulty::dies_at(store.clone(), number, way)));
            let rotated = bed.repo.rotate(&[bed.leaves]).map(drop);
            bed.gate.set(store.clone());
            let what = format!("{way:?} at {number}");

            // Somebody writes on, under whatever the slot of the rotator has now.
            let writer = open_by(&store, PASSPHRASE).unwrap();
            let second = backup(&writer, "s-2", &later()).unwrap();
            halves += u64::from(rotated.is_err() && writer.keys().newest_epoch() == 2);
            for (passphrase, stays) in [(PASSPHRASE, true), (STAYS, true), (LEAVES, false)] {
                match open_by(&store, passphrase) {
                    Ok(repo) => {
                        assert!(reads(&repo, &bed.first, &small_blobs()), "{what}");
                        let reaches = reads(&repo, &second, &later());
                        assert!(reaches || passphrase != PASSPHRASE, "{what}");
                        assert!(stays || rotated.is_err(), "{what}: it was to go");
                        let new = writer.keys().newest_epoch() == 2;
                        assert!(
                            !(new && reaches && !stays),
                            "{what}: it must not reach the new epoch"
                        );
                    }
                    Err(Error::WrongPassphrase { .. }) if !stays => {}
                    Err(error) => panic!("{what}: {error}"),
                }
            }
            completes(&bed, &store, &second, &what);
            if rotated.is_ok() {
                assert!(number > 10, "{number}");
                break;
            }
        }
    }
    assert!(halves > 4, "a writer went on under a rotation that was not complete: {halves}");
}

/// The one whose slot the rotation has not reached cannot undo it; the rotator completes it.
fn completes(bed: &Bed, store: &Arc<MemoryStore>, second: &Committed, what: &str) {
    let other = open_by(store, STAYS).unwrap();
    match other.rotate(&[]) {
        // The rotation had not begun, or was there already.
        Ok(_) => {}
        Err(Error::RotationUnfinished { .. }) => {
            assert!(!reads(&other, second, &later()), "{what}");
            let added = other.add_slot(b"another", "", 4_000, KdfCost::least());
            assert!(matches!(added, Err(Error::RotationUnfinished { .. })), "{what}");
        }
        Err(error) => panic!("{what}: {error}"),
    }
    let rotator = open_by(store, PASSPHRASE).unwrap();
    let gone = rotator.slots().unwrap().into_iter().filter(|slot| slot.label == "leaves");
    let gone: Vec<_> = gone.map(|slot| slot.name).collect();
    rotator.rotate(&gone).unwrap();
    for passphrase in [PASSPHRASE, STAYS] {
        let repo = open_by(store, passphrase).unwrap();
        assert!(reads(&repo, &bed.first, &small_blobs()), "{what}");
        assert!(reads(&repo, second, &later()), "{what}");
        assert_eq!(repo.slots().unwrap().len(), 2, "{what}");
    }
    let denied = open_by(store, LEAVES).map(|_| ());
    assert!(matches!(denied, Err(Error::WrongPassphrase { slots: 2 })), "{what}: {denied:?}");
    assert!(check(&rotator).is_clean(), "{what}");
}

/// The newer of two objects of one slot has lost its first copy: the older one opens, and what was written
/// since is read by the secrets of the copy.
#[test]
fn c7_a_lost_copy_of_a_newer_slot_is_looked_for_before_anything_is_called_damaged() {
    let bed = bed();
    let mut tried = 0;
    for number in 0..14 {
        let store = Arc::new(bed.base.fork());
        bed.gate.set(Arc::new(Faulty::dies_at(store.clone(), number, Fault::Unavailable)));
        if bed.repo.rotate(&[]).is_ok() {
            break;
        }
        let before: Vec<_> =
            bed.base.list("keys/").unwrap().into_iter().map(|row| row.key).collect();
        let writer = open_by(&store, PASSPHRASE).unwrap();
        if writer.keys().newest_epoch() == 1 {
            continue; // the rotation has not reached this slot
        }
        let second = backup(&writer, "s-2", &later()).unwrap();
        let fresh = store.list("keys/").unwrap().into_iter().map(|row| row.key);
        let has_copy = |key: &String| store.stat(&format!("mirror/{key}")).is_ok();
        for key in fresh.filter(|key| !before.contains(key) && has_copy(key)) {
            let store = Arc::new(store.fork());
            store.tamper(&key, None);
            let repo = open_by(&store, PASSPHRASE).unwrap();
            let is_older = repo.keys().newest_epoch() == 1;
            restore(&repo, &bed.first, &small_blobs()).unwrap();
            restore(&repo, &second, &later()).unwrap();
            assert!(check(&repo).findings.is_empty());
            // Whoever rotates from here goes on from the newest epoch, and takes nothing away.
            let after = repo.rotate(&[]).unwrap();
            assert_eq!(after.keys().newest_epoch(), 3);
            restore(&after, &second, &later()).unwrap();
            restore(&open_by(&store, STAYS).unwrap(), &second, &later()).unwrap();
            tried += u64::from(is_older);
        }
    }
    assert!(tried > 0, "no older slot was opened");
}

/// The slot that alone knows the newest epoch stays until another one knows it.
#[test]
fn c7_the_only_slot_of_an_epoch_is_not_dropped() {
    let bed = bed();
    let mut seen = false;
    for number in 0.. {
        let store = Arc::new(bed.base.fork());
        bed.gate.set(Arc::new(Faulty::dies_at(store.clone(), number, Fault::Unavailable)));
        if bed.repo.rotate(&[]).is_ok() {
            break;
        }
        bed.gate.set(store.clone());
        for slot in bed.repo.slots().unwrap() {
            bed.gate.set(Arc::new(store.fork()));
            match bed.repo.drop_slot(&slot.name) {
                Ok(()) => {}
                Err(Error::RotationUnfinished { slot: named }) => {
                    assert_eq!(named, slot.name.to_string());
                    seen = true;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(seen, "no rotation was in between");
}

/// A passphrase, the secrets and what comes of them are in no error, no report and no object.
#[test]
fn c6_a_passphrase_is_in_nothing_that_is_said_or_stored() {
    use holdfast_executor::job::{Job, Passphrase, Repository, Resources, Restore, Target, Work};
    const MARK: &str = "Xq7-the-marked-passphrase-Zk9";
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().join("repo").display());
    let mut said = String::new();
    for (passphrase, snapshot) in [(MARK, "latest"), (MARK, "none"), ("another", "latest")] {
        let repository = Repository {
            name: "main".to_owned(),
            url: url.clone(),
            access: Default::default(),
            passphrase: Passphrase::new(passphrase.to_owned()),
            expected_id: None,
            create_if_missing: true,
        };
        let job = Job {
            attempt: "a".to_owned(),
            at: 0,
            work: Work::Restore(Restore {
                repository,
                snapshot: snapshot.to_owned(),
                component: None,
                targets: vec![Target { from: "/".to_owned(), to: dir.path().join("to") }],
                options: Default::default(),
            }),
            resources: Resources { workers: 1, memory_bytes: 0 },
        };
        said += &format!("{job:?}");
        let store = holdfast_executor::store::open_url(&url, &Access::default()).unwrap();
        let closed = Repo::at(store);
        let options = holdfast_executor::repo::InitOptions {
            label: "marked",
            now_ms: 1,
            cost: KdfCost::least(),
        };
        match closed.init(passphrase.as_bytes(), options) {
            Ok(repo) => drop(backup(&repo, "s", &small_blobs()).unwrap()),
            Err(error) => said += &format!("{error} {error:?}"),
        }
        match closed.open(passphrase.as_bytes(), Unlock::default()) {
            Ok(repo) => said += &format!("{:?} {:?}", repo.slots().unwrap(), check(&repo)),
            Err(error) => said += &format!("{error} {error:?}"),
        }
        let report = holdfast_executor::run(&job, &holdfast_executor::report::Quiet);
        said += &format!("{report:?}");
        said += &std::fs::read_to_string("/proc/self/cmdline").unwrap();
    }
    assert!(said.contains("attempt") && said.contains("slots"), "something was said");
    assert!(!said.contains(MARK));
    let store = holdfast_executor::store::open_url(&url, &Access::default()).unwrap();
    let rows = store.list("").unwrap();
    assert!(rows.len() > 8);
    for row in rows {
        let bytes = store.get(&row.key, u64::MAX).unwrap();
        let marked = bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
        assert!(!marked && !row.key.contains(MARK), "{}", row.key);
    }
}
