//! A store that is far away: what is read of it is asked for before it is needed, what lies side by side at once,
//! and nothing twice. What is damaged costs what it costs anywhere.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use holdfast_executor::error::Error;
use holdfast_executor::repo::{CheckOptions, Trees, usage};
use holdfast_executor::report::RestoreFigures;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{Habits, MemoryStore, ObjectMeta, PutOutcome, Store, StoreError};
use shelf::{Shelf, noise};

/// Reads that it likes to have in flight; a restore has so many workers.
const IN_FLIGHT: usize = 8;

/// How long the first read waits for others, until some have met.
const COMPANY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Far {
    inner: MemoryStore,
    join_bytes: AtomicU64,
    /// Reads of packs: key, offset, length.
    reads: Mutex<Vec<(String, u64, usize)>>,
    /// Whether a read or a deletion waits for others.
    waits: AtomicBool,
    /// Reads and deletions that are under way, and the most there were.
    together: Mutex<(usize, usize)>,
    met: Condvar,
    /// A byte of a pack that is read wrongly.
    wrong: Mutex<Option<(String, u64)>>,
    /// Reads of packs after which nothing is answered any more.
    last: AtomicUsize,
    is_silent: AtomicBool,
}

impl Far {
    fn new() -> Arc<Self> {
        Arc::new(Self { join_bytes: (4 << 20).into(), ..Self::default() })
    }

    /// What was read since the last time, each as often as it was asked for.
    fn take_reads(&self) -> Vec<(String, u64, usize)> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }

    /// The most reads that were under way at once.
    fn most_together(&self) -> usize {
        self.together.lock().unwrap().1
    }

    /// Waits for others to be asked as well, once.
    fn wait_for_company(&self) {
        let mut together = self.together.lock().unwrap();
        together.0 += 1;
        together.1 = together.1.max(together.0);
        self.met.notify_all();
        let alone = |together: &mut (usize, usize)| together.1 < IN_FLIGHT / 2;
        together = self.met.wait_timeout_while(together, COMPANY, alone).unwrap().0;
        together.0 -= 1;
    }
}

impl Store for Far {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.inner.put_new(key, bytes)
    }
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.inner.get(key, limit)
    }
    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let mut reads = self.reads.lock().unwrap();
        reads.push((key.to_owned(), offset, len));
        let number = reads.len();
        drop(reads);
        if self.is_silent.load(Ordering::Relaxed) && number > self.last.load(Ordering::Relaxed) {
            let (key, reason) = (key.to_owned(), "gone".to_owned());
            return Err(StoreError::Unavailable { verb: "get", key, reason });
        }
        if self.waits.load(Ordering::Relaxed) {
            self.wait_for_company();
        }
        let mut bytes = self.inner.get_range(key, offset, len)?;
        if let Some((wrong, at)) = &*self.wrong.lock().unwrap()
            && wrong == key
            && let Some(byte) = at.checked_sub(offset).and_then(|at| bytes.get_mut(at as usize))
        {
            *byte ^= 1;
        }
        Ok(bytes)
    }
    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        self.inner.list(prefix)
    }
    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.inner.stat(key)
    }
    fn delete(&self, key: &str) -> Result<(), StoreError> {
        if self.waits.load(Ordering::Relaxed) {
            self.wait_for_company();
        }
        self.inner.delete(key)
    }
    fn habits(&self) -> Habits {
        Habits {
            reads_in_flight: IN_FLIGHT,
            read_join_bytes: self.join_bytes.load(Ordering::Relaxed),
            ..self.inner.habits()
        }
    }
}

/// A snapshot, at a time at which no file is young any more.
fn backup(shelf: &Shelf, session: usize) -> Snapshot {
    let done = shelf.try_backup(&format!("session-{session}"), 4_000_000_000_000_000_000).unwrap();
    done.committed.snapshot
}

/// Directories of which each was backed up when there was no other of those that follow.
fn grown(far: &Arc<Far>, directories: usize) -> (Shelf, Snapshot) {
    let shelf = Shelf::on(far.clone());
    let mut last = None;
    for number in 0..directories {
        shelf.file(&format!("d{number:02}/file"), &noise(1_000, number as u64));
        // The newest snapshot is the parent of the next.
        far.inner.set_now_ms(number as i64 * 1_000);
        last = Some(backup(&shelf, number));
    }
    far.take_reads();
    (shelf, last.unwrap())
}

fn restore(shelf: &Shelf, snapshot: &Snapshot) -> (tempfile::TempDir, RestoreFigures) {
    let to = tempfile::tempdir().unwrap();
    let figures = shelf.restore_from(&shelf.repo, snapshot, to.path()).unwrap();
    (to, figures)
}

#[test]
fn pages_of_the_parent_are_asked_for_ahead_and_each_block_once() {
    let far = Far::new();
    let (shelf, _) = grown(&far, 20);
    far.waits.store(true, Ordering::Relaxed);
    backup(&shelf, 99);
    let reads = far.take_reads();
    // Every directory lies in a block of its own; what leads to them lies beside the last one.
    assert_eq!(reads.len(), 20, "{reads:?}");
    assert_eq!(reads.iter().collect::<BTreeSet<_>>().len(), 20, "{reads:?}");
    assert!(far.most_together() >= IN_FLIGHT / 2, "{} at once", far.most_together());
}

#[test]
fn a_restore_asks_for_each_block_once() {
    let far = Far::new();
    let (shelf, snapshot) = grown(&far, 20);
    let (to, figures) = restore(&shelf, &snapshot);
    assert_eq!((figures.failed.count, figures.entries.files), (0, 20));
    for number in 0..20 {
        let file = fs::read(to.path().join(format!("d{number:02}/file"))).unwrap();
        assert_eq!(file, noise(1_000, number));
    }
    let reads = far.take_reads();
    assert_eq!(reads.len(), 40, "20 blocks of pages and 20 of data: {reads:?}");
    assert_eq!(reads.iter().collect::<BTreeSet<_>>().len(), 40, "{reads:?}");
}

/// Files of 512 KiB that compress to half of it, in blocks of 2 MiB.
fn half_noise(shelf: &Shelf) -> Snapshot {
    for number in 0..96 {
        let bytes = noise(256 << 10, number);
        let text: Vec<u8> = bytes.iter().flat_map(|byte| [byte & 0xf, byte >> 4]).collect();
        shelf.file(&format!("{number:02}"), &text);
    }
    backup(shelf, 0)
}

#[test]
fn what_lies_side_by_side_is_asked_for_at_once() {
    let far = Far::new();
    let shelf = Shelf::on(far.clone());
    let snapshot = half_noise(&shelf);
    let reads_with = |join: u64| {
        far.join_bytes.store(join, Ordering::Relaxed);
        far.take_reads();
        let (to, figures) = restore(&shelf, &snapshot);
        assert_eq!(figures.failed.count, 0);
        for number in 0..96 {
            let name = format!("{number:02}");
            let restored = fs::read(to.path().join(&name)).unwrap();
            assert_eq!(restored, fs::read(shelf.path(&name)).unwrap());
        }
        far.take_reads().len()
    };
    let (alone, together) = (reads_with(0), reads_with(4 << 20));
    // Each worker has something to fetch, so that runs are a few blocks long here.
    assert!(together <= IN_FLIGHT * 2 && alone >= together * 2, "{alone} and {together}");
}

#[test]
fn a_damaged_block_costs_the_same_files_whatever_is_read_with_it() {
    let far = Far::new();
    let shelf = Shelf::on(far.clone());
    let snapshot = half_noise(&shelf);
    far.take_reads();
    far.join_bytes.store(0, Ordering::Relaxed);
    restore(&shelf, &snapshot);
    let mut blocks = far.take_reads();
    blocks.sort();
    blocks.retain(|(_, _, len)| *len > 512 << 10);
    let (key, offset, _) = &blocks[blocks.len() / 2];
    *far.wrong.lock().unwrap() = Some((key.clone(), offset + 1_000));
    let failed_with = |join: u64| {
        far.join_bytes.store(join, Ordering::Relaxed);
        let (to, figures) = restore(&shelf, &snapshot);
        let mut failed: Vec<_> =
            figures.failed.first.iter().map(|item| format!("{item:?}")).collect();
        failed.sort();
        (failed, fs::read_dir(to.path()).unwrap().count())
    };
    let (alone, together) = (failed_with(0), failed_with(4 << 20));
    assert_eq!(alone, together);
    assert!((1..8).contains(&alone.0.len()) && alone.0.len() + alone.1 == 96, "{alone:?}");
}

#[test]
fn a_check_reads_a_page_once_whatever_the_number_of_snapshots() {
    let far = Far::new();
    let (shelf, _) = grown(&far, 20);
    far.waits.store(true, Ordering::Relaxed);
    let report = shelf.repo.check(CheckOptions::default(), Some(&Trees)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let reads = far.take_reads();
    assert_eq!(reads.iter().collect::<BTreeSet<_>>().len(), reads.len(), "{reads:?}");
    assert!(far.most_together() >= IN_FLIGHT / 2, "{} at once", far.most_together());
}

#[test]
fn what_snapshots_take_is_counted_with_many_pages_at_once() {
    let far = Far::new();
    let (shelf, _) = grown(&far, 20);
    let all = shelf.repo.snapshots().unwrap().found;
    let chosen = BTreeSet::from([all[0].0]);
    let count = || usage(&shelf.repo, &all, &chosen);
    far.waits.store(true, Ordering::Relaxed);
    assert_eq!(count().unwrap().unreadable, 0);
    let mut times = BTreeMap::new();
    far.take_reads().into_iter().for_each(|read| *times.entry(read).or_insert(0) += 1);
    assert!(times.values().all(|times| *times <= 4), "{times:?}");
    assert!(far.most_together() >= IN_FLIGHT / 2, "{} at once", far.most_together());
    far.last.store(10, Ordering::Relaxed);
    far.is_silent.store(true, Ordering::Relaxed);
    let ended = count().unwrap_err();
    assert!(matches!(ended, Error::Store(StoreError::Unavailable { .. })), "{ended:?}");
}

#[test]
fn snapshots_are_forgotten_many_at_once() {
    let far = Far::new();
    let (shelf, last) = grown(&far, 20);
    let all = shelf.repo.snapshots().unwrap().found;
    let others = all.iter().filter(|(_, one)| *one != last);
    let names: Vec<_> = others.map(|(name, _)| *name).collect();
    assert_eq!(names.len(), 19);
    far.waits.store(true, Ordering::Relaxed);
    shelf.repo.forget_all(&names).unwrap();
    assert!(far.most_together() >= IN_FLIGHT / 2, "{} at once", far.most_together());
    let left = shelf.repo.snapshots().unwrap();
    assert_eq!(left.found.into_iter().map(|(_, one)| one).collect::<Vec<_>>(), [last]);
    assert!(left.damaged.is_empty());
}

/// A store that answers no more says nothing about what it holds: no file is called damaged for that.
#[test]
fn a_restore_ends_with_the_store() {
    let far = Far::new();
    let (shelf, snapshot) = grown(&far, 20);
    far.last.store(25, Ordering::Relaxed);
    far.is_silent.store(true, Ordering::Relaxed);
    let to = tempfile::tempdir().unwrap();
    let ended = shelf.restore_from(&shelf.repo, &snapshot, to.path()).unwrap_err();
    assert!(matches!(ended, Error::Store(StoreError::Unavailable { .. })), "{ended:?}");
}
