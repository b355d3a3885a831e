//! A whole backup or restore that somebody stops: it ends, it leaves no damage, and the next one works.

#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_executor::error::{Error, Result};
use holdfast_executor::job::{Backup, RestoreOptions, Selection, Source, Target};
use holdfast_executor::repo::{
    Backed, Environment, InitOptions, Open, Repo, Trees, Unlock, backup, restore,
};
use holdfast_executor::report::{Progress, ProgressUpdate, Quiet};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::store::{MemoryStore, SharedStore};
use support::{Bench, facts, settle};

fn job(bench: &Bench, session: &str) -> Backup {
    Backup {
        repositories: Vec::new(),
        sources: vec![Source::Directory { path: bench.source(), stored_as: "/data".to_owned() }],
        selection: Selection::default(),
        tags: Default::default(),
        host: String::new(),
        session: session.to_owned(),
        component: "dump".to_owned(),
        attempt_number: 0,
        parent: None,
        allow_partial: false,
        had_files_before: None,
        labels: Default::default(),
        reading: Default::default(),
    }
}

fn run(bench: &Bench, repo: &Repo<Open>, session: &str, progress: &dyn Progress) -> Result<Backed> {
    let at = support::now();
    let environment = Environment { at, workers: 3, memory_bytes: 0, progress, repository: "r" };
    backup(repo, &job(bench, session), &environment)
}

fn open(store: SharedStore) -> Result<Repo<Open>> {
    Repo::at(store).open(b"p", Unlock { expected: None, write: true })
}

fn filled() -> (Bench, Arc<MemoryStore>) {
    let bench = Bench::new();
    fs::write(bench.source().join("large"), support::noise(12 * 1024 * 1024, 1)).unwrap();
    for i in 0..60 {
        fs::write(bench.source().join(format!("f{i}")), support::noise(9_000, i)).unwrap();
    }
    settle();
    let store = Arc::new(MemoryStore::new());
    let options = InitOptions { cost: KdfCost::least(), ..Default::default() };
    Repo::at(store.clone()).init(b"p", options).unwrap();
    (bench, store)
}

fn is_whole(bench: &Bench, repo: &Repo<Open>, to: &str) {
    let (_, snapshot) = repo.find_snapshot("latest", None).unwrap();
    let target = [Target { from: "/data".to_owned(), to: bench.dir(to) }];
    let environment =
        Environment { at: 0, workers: 2, memory_bytes: 0, progress: &Quiet, repository: "r" };
    let options = RestoreOptions { privileged: true, ..Default::default() };
    restore(repo, &snapshot, &target, &options, &environment).unwrap();
    assert_eq!(facts(&bench.dir(to)), facts(&bench.source()));
    let report = repo.check(Default::default(), Some(&Trees)).unwrap();
    assert!(report.findings.is_empty() && report.affected.is_empty(), "{report:?}");
}

/// Stops after some questions.
struct Impatient(AtomicU32);

impl Progress for Impatient {
    fn update(&self, _: &ProgressUpdate) {}
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) <= 1
    }
}

#[test]
fn what_was_sent_before_a_stop_is_not_sent_again() {
    let (bench, store) = filled();
    let repo = open(store.clone()).unwrap();
    for patience in 1..40 {
        let stopped = run(&bench, &repo, "s", &Impatient(AtomicU32::new(patience)));
        let left = repo.check(Default::default(), Some(&Trees)).unwrap().reclaimable;
        assert_eq!(left.unindexed_packs, 0, "after {patience} questions");
        if stopped.is_ok() {
            return;
        }
    }
}

#[test]
fn whoever_asks_to_stop_is_heard() {
    let (bench, store) = filled();
    let repo = open(store.clone()).unwrap();
    let impatient = Impatient(AtomicU32::new(1));
    let error = run(&bench, &repo, "s", &impatient).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert!(repo.snapshot_names().unwrap().is_empty());
    assert!(repo.intents().unwrap().is_empty(), "the intent was taken back");
    run(&bench, &repo, "s", &Quiet).unwrap();
    is_whole(&bench, &repo, "restored");
    let (_, snapshot) = repo.find_snapshot("latest", None).unwrap();
    let target = [Target { from: "/data".to_owned(), to: bench.dir("never") }];
    let progress = Impatient(AtomicU32::new(1));
    let environment =
        Environment { at: 0, workers: 2, memory_bytes: 0, progress: &progress, repository: "r" };
    let options = RestoreOptions::default();
    let error = restore(&repo, &snapshot, &target, &options, &environment).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
}
