//! Every operation on the store of every verb as the moment at which a process dies: before the operation,
//! after it without an answer, and in the middle of it. Afterwards the check is clean, what was committed is
//! exact, the next backup sends what is missing and no more, and nobody has to lend a hand.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod shelf;
mod small;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use gate::{Gate, objects};
use holdfast_executor::digest::{BlobId, SnapshotName};
use holdfast_executor::error::{Error, Result};
use holdfast_executor::repo::{self, CheckOptions, Dump, Open, Query, Repo, Trees, Unlock, Writer};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{Fault, Faulty, FileStore, MemoryStore, Record, SharedStore, Store};
use shelf::{PASSPHRASE, Shelf, noise, now};
use support::facts;

const WAYS: [Fault; 3] = [Fault::Unavailable, Fault::AnswerLost, Fault::Torn];
const SECOND: &[u8] = b"a second passphrase";
const THIRD: &[u8] = b"a third passphrase";

/// A repository with two snapshots, and a directory that has changed since.
struct Bed {
    base: Arc<MemoryStore>,
    gate: Arc<Gate>,
    shelf: Shelf,
    /// What each snapshot holds, as an archive of it.
    held: Vec<blake3::Hash>,
    /// What the next one will hold.
    next: blake3::Hash,
    at: i64,
}

fn archive(repo: &Repo<Open>, snapshot: &Snapshot) -> Result<blake3::Hash> {
    let mut bytes = Vec::new();
    Dump::at(repo, snapshot, "/", true)?.write(&mut bytes)?;
    Ok(blake3::hash(&bytes))
}

fn ids(repo: &Repo<Open>) -> BTreeSet<BlobId> {
    repo.index_for_reading().unwrap().index().ids().iter().copied().collect()
}

impl Bed {
    fn new() -> Self {
        let base = Arc::new(MemoryStore::new());
        let gate = Gate::to(base.clone());
        let mut shelf = Shelf::on(gate.clone());
        shelf.repo.add_slot(SECOND, "second", 2_000, KdfCost::least()).unwrap();
        for number in 0..6 {
            shelf.file(&format!("d{}/f{number}", number % 2), &noise(3_000, number));
        }
        fs::hard_link(shelf.path("d0/f0"), shelf.path("d1/linked")).unwrap();
        shelf.backup();
        shelf.file("d0/f0", &noise(2_000, 10));
        shelf.backup();
        shelf.file("d1/more", &noise(700_000, 11));
        shelf.file("d0/f2", &noise(2_500, 12));
        let held = shelf.taken.iter().map(|(_, taken)| archive(&shelf.repo, taken).unwrap());
        let held = held.collect();
        support::settle();
        let at = now();
        // What an undisturbed run makes of it.
        gate.set(Arc::new(base.fork()));
        let third = shelf.try_backup("third", at).unwrap();
        let next = archive(&shelf.repo, &third.committed.snapshot).unwrap();
        gate.set(base.clone());
        Self { base, gate, shelf, held, next, at }
    }

    fn third(&self) -> Result<()> {
        self.shelf.try_backup("third", self.at).map(drop)
    }

    /// Runs a verb on stores that die at each of its operations and hands each to `after`, with the outcome.
    fn stop_everywhere(
        &self,
        least: u64,
        prepare: impl Fn(&MemoryStore),
        verb: impl Fn(&Self) -> Result<()>,
        after: impl Fn(&Self, &Arc<MemoryStore>, Result<()>, &str),
    ) {
        for way in WAYS {
            for number in 0.. {
                let store = Arc::new(self.base.fork());
                prepare(&store);
                self.gate.set(Arc::new(Faulty::dies_at(store.clone(), number, way)));
                let outcome = verb(self);
                self.gate.set(store.clone());
                let done = outcome.is_ok();
                if let Err(error) = &outcome {
                    assert!(
                        !error.permanent(),
                        "{way:?} at {number}: {error} would not be tried again"
                    );
                }
                after(self, &store, outcome, &format!("{way:?} at {number}"));
                if done {
                    assert!(number >= least, "{number} operations are fewer than {least}");
                    break;
                }
            }
        }
        self.gate.set(self.base.clone());
    }

    /// Nothing is damaged, everything that was committed is exact, and copies that are missing are put.
    fn is_sound(&self, gone: Option<&SnapshotName>, what: &str) {
        let repo = &self.shelf.repo;
        let check = || {
            let options = CheckOptions { read_data: true, now_ms: 0 };
            repo.check(options, Some(&Trees)).unwrap()
        };
        let report = check();
        assert!(report.is_clean(), "{what}: {report:?}");
        let single = report.single_copies.len() as u64;
        assert_eq!(repo.put_missing_copies(&report).unwrap(), single, "{what}");
        assert_eq!(check().single_copies, [""; 0], "{what}");
        for ((name, right), held) in self.shelf.taken.iter().zip(&self.held) {
            if gone != Some(name) {
                let found = repo.load_snapshot(name).unwrap();
                assert_eq!(found, *right, "{what}");
                assert_eq!(archive(repo, &found).unwrap(), *held, "{what}");
            }
        }
    }

    /// The next backup works, puts exactly the blobs that no index names, and is itself exact.
    fn goes_on(&self, store: &Arc<MemoryStore>, what: &str) {
        let repo = &self.shelf.repo;
        let before = ids(repo);
        let record = Arc::new(Record::new(store.clone()));
        self.gate.set(record.clone());
        let written = match self.shelf.try_backup("third", self.at) {
            Ok(done) => Some(done.committed.written),
            // The run that was stopped had committed already.
            Err(Error::Superseded { .. }) => None,
            Err(error) => panic!("{what}: {error}"),
        };
        self.gate.set(store.clone());
        let added = ids(repo).len() - before.len();
        let put: u64 = ["packs", "mirror"]
            .iter()
            .filter_map(|folder| record.tallies().get(&("put", (*folder).to_owned())).copied())
            .map(|tally| tally.bytes)
            .sum();
        match written {
            Some(written) => {
                assert_eq!(
                    written.blobs_added as usize, added,
                    "{what}: what is there is not sent again"
                );
                // Packs of trees and lists, and the snapshot, go there twice.
                assert!(put <= written.bytes_stored * 2 + 4_096, "{what}: {put} bytes");
            }
            None => assert_eq!((added, put), (0, 0), "{what}"),
        }
        let (_, third) = repo.find_snapshot("latest", None).unwrap();
        assert_eq!(archive(repo, &third).unwrap(), self.next, "{what}");
        self.is_sound(None, what);
    }
}

#[test]
fn r1_a_backup_stopped_anywhere() {
    let bed = Bed::new();
    bed.stop_everywhere(
        12,
        |_| {},
        Bed::third,
        |bed, store, _, what| {
            bed.is_sound(None, what);
            bed.goes_on(store, what);
        },
    );
}

#[test]
fn r1_a_backup_of_an_unchanged_tree_stopped_anywhere() {
    let bed = Bed::new();
    bed.third().unwrap();
    let again = |bed: &Bed| bed.shelf.try_backup("fourth", bed.at + 1_000_000).map(drop);
    bed.stop_everywhere(
        9,
        |_| {},
        again,
        |bed, store, _, what| {
            bed.is_sound(None, what);
            let before = ids(&bed.shelf.repo);
            match again(bed) {
                Ok(()) | Err(Error::Superseded { .. }) => {}
                Err(error) => panic!("{what}: {error}"),
            }
            assert_eq!(ids(&bed.shelf.repo), before, "{what}: nothing was missing");
            assert_eq!(bed.shelf.repo.snapshot_names().unwrap().len(), 4, "{what}");
            drop(store.list("").unwrap());
        },
    );
}

/// Verbs that only look: whatever happens, the store is as it was, and the next try succeeds.
#[test]
fn r1_verbs_that_only_look_stopped_anywhere() {
    type Verb = (&'static str, u64, fn(&Bed) -> Result<()>);
    let verbs: [Verb; 9] = [
        ("snapshots", 3, |bed| bed.shelf.repo.snapshots().map(drop)),
        ("ls", 3, |bed| {
            repo::ls(&bed.shelf.repo, &bed.shelf.taken[1].1, "/", |_, _| Ok(true)).map(drop)
        }),
        ("find", 3, |bed| {
            let query = Query { globs: vec!["f*".to_owned()], ..Query::default() };
            repo::find(&bed.shelf.repo, &bed.shelf.taken, &query, |_, _, _, _| Ok(true))
        }),
        ("diff", 3, |bed| {
            let [before, after] = [&bed.shelf.taken[0].1, &bed.shelf.taken[1].1];
            repo::diff(&bed.shelf.repo, (before, "/"), (after, "/"), |_, _, _| Ok(true)).map(drop)
        }),
        ("dump", 5, |bed| archive(&bed.shelf.repo, &bed.shelf.taken[0].1).map(drop)),
        ("stats", 3, |bed| {
            let all: BTreeSet<_> = bed.shelf.taken.iter().map(|(name, _)| *name).collect();
            repo::usage(&bed.shelf.repo, &bed.shelf.taken, &all).map(drop)
        }),
        ("check", 20, |bed| {
            let options = CheckOptions { read_data: true, now_ms: 0 };
            let report = bed.shelf.repo.check(options, Some(&Trees))?;
            assert!(report.is_clean(), "a store that dies says nothing about it: {report:?}");
            Ok(())
        }),
        ("restore", 4, |bed| {
            let dir = tempfile::tempdir().unwrap();
            let figures = bed.shelf.restore_from(
                &bed.shelf.repo,
                &bed.shelf.taken[1].1,
                &dir.path().join("to"),
            )?;
            match figures.failed.count {
                0 => Ok(()),
                _ => Err(Error::Interrupted), // some entries failed, and are listed
            }
        }),
        ("open", 3, |bed| {
            let shared: SharedStore = bed.gate.clone();
            Repo::at(shared).open(PASSPHRASE, Unlock::default()).map(drop)
        }),
    ];
    let bed = Bed::new();
    for (name, least, verb) in verbs {
        bed.stop_everywhere(
            least,
            |_| {},
            verb,
            |bed, store, _, what| {
                assert!(
                    objects(store) == objects(&bed.base),
                    "{name} {what} has changed the store"
                );
                verb(bed).unwrap_or_else(|error| panic!("{name} {what}: {error}"));
            },
        );
    }
}

/// A restore that was cut short is completed by the same restore.
#[test]
fn r1_a_restore_is_completed_by_the_next() {
    let bed = Bed::new();
    let wanted = tempfile::tempdir().unwrap();
    let snapshot = &bed.shelf.taken[1].1;
    bed.shelf.restore_from(&bed.shelf.repo, snapshot, &wanted.path().join("to")).unwrap();
    let right = facts(&wanted.path().join("to"));
    for number in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        bed.gate.set(Arc::new(Faulty::dies_at(bed.base.clone(), number, Fault::Torn)));
        let first = bed.shelf.restore_from(&bed.shelf.repo, snapshot, &to);
        bed.gate.set(bed.base.clone());
        let figures = bed.shelf.restore_from(&bed.shelf.repo, snapshot, &to).unwrap();
        assert_eq!(
            (figures.failed.count, facts(&to)),
            (0, right.clone()),
            "after a stop at {number}"
        );
        if first.is_ok_and(|figures| figures.failed.count == 0) {
            assert!(number >= 4);
            break;
        }
    }
}

#[test]
fn r1_a_forget_stopped_anywhere() {
    let bed = Bed::new();
    let (first, held) = (bed.shelf.taken[0].0, bed.held[0]);
    let forget = |bed: &Bed| bed.shelf.repo.forget(&first);
    bed.stop_everywhere(
        2,
        |_| {},
        forget,
        |bed, store, _, what| {
            if let Ok(found) = bed.shelf.repo.load_snapshot(&first) {
                assert_eq!(
                    archive(&bed.shelf.repo, &found).unwrap(),
                    held,
                    "{what}: whole or gone"
                );
            }
            forget(bed).unwrap();
            assert!(!bed.shelf.repo.snapshot_names().unwrap().contains(&first), "{what}");
            bed.is_sound(Some(&first), what);
            drop(store.list("").unwrap());
        },
    );
}

/// Of an index that lost an object: a repair that is stopped is completed by the next.
#[test]
fn r1_a_repair_of_the_index_stopped_anywhere() {
    let bed = Bed::new();
    let lose = |store: &MemoryStore| {
        let key = store.list("meta/index/").unwrap()[0].key.clone();
        store.tamper(&key, None);
    };
    let repair = |bed: &Bed| bed.shelf.repo.repair_index(Writer::default(), false).map(drop);
    bed.stop_everywhere(10, lose, repair, |bed, store, _, what| {
        repair(bed).unwrap();
        let again = bed.shelf.repo.repair_index(Writer::default(), true).unwrap();
        assert!(again.is_clean(), "{what}: {again:?}");
        bed.is_sound(None, what);
        bed.goes_on(store, what);
    });
}

/// Which of the passphrases open the repository in a store.
fn opening(store: &Arc<MemoryStore>) -> Vec<&'static [u8]> {
    let opens = |passphrase: &&[u8]| {
        let shared: SharedStore = store.clone();
        match Repo::at(shared).open(passphrase, Unlock::default()) {
            Ok(_) => true,
            Err(Error::WrongPassphrase { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    };
    [PASSPHRASE, SECOND, THIRD].into_iter().filter(opens).collect()
}

/// What key verbs do is done or not, and done by asking again; nobody is locked out on the way.
#[test]
fn r1_verbs_of_keys_stopped_anywhere() {
    type Verb = (&'static str, u64, fn(&Bed) -> Result<()>, &'static [&'static [u8]]);
    let verbs: [Verb; 4] = [
        (
            "add",
            4,
            |bed| bed.shelf.repo.add_slot(THIRD, "third", 3_000, KdfCost::least()).map(drop),
            &[PASSPHRASE, SECOND, THIRD],
        ),
        (
            "remove",
            5,
            |bed| match bed.shelf.repo.slot_of(SECOND)? {
                Some(slot) => bed.shelf.repo.drop_slot(&slot),
                None => Ok(()),
            },
            &[PASSPHRASE],
        ),
        (
            "change",
            10,
            |bed| {
                let Some(old) = bed.shelf.repo.slot_of(SECOND)? else { return Ok(()) };
                bed.shelf.repo.add_slot(THIRD, "third", 3_000, KdfCost::least())?;
                bed.shelf.repo.drop_slot(&old)
            },
            &[PASSPHRASE, THIRD],
        ),
        ("rotate", 10, |bed| bed.shelf.repo.rotate(&[]).map(drop), &[PASSPHRASE, SECOND]),
    ];
    let bed = Bed::new();
    for (name, least, verb, wanted) in verbs {
        bed.stop_everywhere(
            least,
            |_| {},
            verb,
            |bed, store, outcome, what| {
                let open = opening(store);
                assert!(open.contains(&PASSPHRASE), "{name} {what}: the first one is out");
                assert!(open.len() >= 2 || name == "remove", "{name} {what}: {} open", open.len());
                bed.is_sound(None, &format!("{name} {what}"));
                if outcome.is_err() {
                    verb(bed).unwrap_or_else(|error| panic!("{name} {what}: {error}"));
                }
                assert_eq!(opening(store), wanted, "{name} {what}");
            },
        );
        // Once for each verb, as it costs more than all of the above: backups go on after it.
        let store = Arc::new(bed.base.fork());
        bed.gate.set(store.clone());
        verb(&bed).unwrap();
        bed.goes_on(&store, name);
        bed.gate.set(bed.base.clone());
    }
}

#[test]
fn r1_an_initialisation_stopped_anywhere() {
    for way in WAYS {
        for number in 0.. {
            let memory = Arc::new(MemoryStore::new());
            let faulty: SharedStore = Arc::new(Faulty::dies_at(memory.clone(), number, way));
            let made = small::init_with(&faulty, small::Counting::running());
            let shared: SharedStore = memory.clone();
            let done = made.is_ok();
            let repo = match small::open(&shared) {
                Ok(repo) => repo,
                Err(Error::NoRepository) => small::init(&shared),
                Err(error) => panic!("{way:?} at {number}: {error}"),
            };
            let blobs = small::small_blobs();
            let committed = small::backup(&repo, "s-1", &blobs).unwrap();
            small::restore(&repo, &committed, &blobs).unwrap();
            assert!(small::check(&repo).is_clean(), "{way:?} at {number}");
            if done {
                assert!(number > 3);
                break;
            }
        }
    }
}

#[test]
fn r1_a_full_store_and_lost_rights_are_permanent_and_leave_no_damage() {
    for fault in [Fault::Full, Fault::Denied] {
        let bed = Bed::new();
        let mut permanent = 0;
        for number in 0.. {
            let store = Arc::new(bed.base.fork());
            bed.gate.set(Arc::new(Faulty::dies_at(store.clone(), number, fault)));
            let outcome = bed.third();
            bed.gate.set(store.clone());
            let Err(error) = outcome else { break };
            permanent += u64::from(error.permanent());
            let what = format!("{fault:?} at {number}: {error}");
            // Where two threads are at work the other one may hear first that nothing answers any more.
            assert!(error.permanent() || what.contains("on purpose"), "{what}");
            bed.is_sound(None, &what);
        }
        assert!(permanent > 8, "{permanent}");
    }
}

/// What a killed process leaves in a directory: halves of files, which are no objects.
#[test]
fn r1_a_backup_into_files_torn_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let file: SharedStore = Arc::new(FileStore::new(dir.path()).unwrap());
    let gate = Gate::to(file.clone());
    let mut shelf = Shelf::on(gate.clone());
    shelf.file("f", &noise(3_000, 1));
    let (_, first) = shelf.backup();
    let held = archive(&shelf.repo, &first).unwrap();
    // Each stop may leave an index object that the next run reads: there are always more operations.
    for number in 0..24 {
        shelf.file("f", &noise(3_000, 100 + number));
        gate.set(Arc::new(Faulty::dies_at(file.clone(), number, Fault::Torn)));
        shelf.try_backup(&format!("stopped-{number}"), now()).unwrap_err();
        gate.set(file.clone());
    }
    let report =
        shelf.repo.check(CheckOptions { read_data: true, now_ms: 0 }, Some(&Trees)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let left = report.reclaimable;
    assert!(left.temporary_files > 0 && left.unindexed_packs > 0, "{left:?}");
    assert_eq!(archive(&shelf.repo, &first).unwrap(), held);
    let last = shelf.try_backup("last", now()).unwrap();
    let to = dir.path().join("restored");
    shelf.restore_from(&shelf.repo, &last.committed.snapshot, &to).unwrap();
    assert_eq!(facts(&to), facts(&shelf.path("")));
}
