//! A repository in memory and a directory that is backed up into it again and again.
#![allow(clippy::unwrap_used, dead_code)] // helpers of tests are tests; not every test needs all

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_executor::digest::SnapshotName;
use holdfast_executor::error::Result;
use holdfast_executor::job::{Backup, RestoreOptions, Selection, Source, Target};
use holdfast_executor::repo::{self, Backed, Environment, InitOptions, Open, Repo};
use holdfast_executor::report::{Quiet, RestoreFigures};
use holdfast_executor::slot::KdfCost;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::store::{MemoryStore, SharedStore};
use holdfast_executor::tree::Node;

pub struct Shelf {
    dir: tempfile::TempDir,
    pub repo: Repo<Open>,
    pub selection: Selection,
    pub host: String,
    pub tags: Vec<String>,
    pub taken: Vec<(SnapshotName, Snapshot)>,
}

pub const PASSPHRASE: &[u8] = b"correct horse battery staple";

impl Shelf {
    pub fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    pub fn on(store: SharedStore) -> Self {
        let options = InitOptions { label: "first", now_ms: 1_000, cost: KdfCost::least() };
        let repo = Repo::at(store).init(PASSPHRASE, options).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (selection, taken, tags) = Default::default();
        Self { dir, repo, selection, host: "host".to_owned(), tags, taken }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes a file and whatever leads to it.
    pub fn file(&self, relative: &str, content: &[u8]) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Takes a snapshot of everything as `/data`.
    pub fn backup(&mut self) -> (SnapshotName, Snapshot) {
        let number = self.taken.len();
        let at = now() + number as i64 * 1_000_000;
        let done = self.try_backup(&format!("session-{number}"), at).unwrap();
        let taken = (done.committed.name, done.committed.snapshot);
        self.taken.push(taken.clone());
        taken
    }

    /// The same under a session of its own, which may fail.
    pub fn try_backup(&self, session: &str, at: i64) -> Result<Backed> {
        let backup = Backup {
            repositories: Vec::new(),
            sources: vec![Source::Directory {
                path: self.dir.path().to_owned(),
                stored_as: "/data".to_owned(),
            }],
            selection: self.selection.clone(),
            tags: self.tags.iter().cloned().collect(),
            host: self.host.clone(),
            session: session.to_owned(),
            component: "dump".to_owned(),
            attempt_number: 0,
            parent: None,
            allow_partial: false,
            had_files_before: Some(false),
            labels: Default::default(),
            reading: Default::default(),
        };
        repo::backup(&self.repo, &backup, &Environment { at, ..environment() })
    }

    /// Restores `/data` of a snapshot into a directory.
    pub fn restore_from(
        &self,
        repo: &Repo<Open>,
        snapshot: &Snapshot,
        to: &Path,
    ) -> Result<RestoreFigures> {
        let target = [Target { from: "/data".to_owned(), to: to.to_owned() }];
        repo::restore(repo, snapshot, &target, &RestoreOptions::default(), &environment())
    }

    /// Everything that a snapshot holds, by logical path.
    pub fn entries(&self, snapshot: &Snapshot) -> BTreeMap<Vec<u8>, Node> {
        let mut all = BTreeMap::new();
        repo::ls(&self.repo, snapshot, "/", |path, node| {
            all.insert(path.to_vec(), node.clone());
            Ok(true)
        })
        .unwrap();
        all
    }
}

/// Two workers and nobody who watches.
pub fn environment() -> Environment<'static> {
    Environment { at: 0, workers: 2, memory_bytes: 0, progress: &Quiet, repository: "main" }
}

/// Now, by the clock of the file system: no other may be asked.
pub fn now() -> i64 {
    let meta = tempfile::tempfile().unwrap().metadata().unwrap();
    meta.ctime() * 1_000_000_000 + meta.ctime_nsec()
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// One step in the life of a directory: a few names, few contents, so that steps meet.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub dir: u8,
    pub name: u8,
    pub content: u8,
}

impl Step {
    pub fn apply(self, shelf: &Shelf) {
        let Self { dir, name, content } = self;
        let path =
            format!("d{dir}/s{}/{}{name}", name % 2, ["a", "B", "c.txt"][usize::from(name % 3)]);
        match content {
            0 => drop(fs::remove_file(shelf.path(&path))),
            1 => drop(fs::remove_dir_all(shelf.path(&format!("d{dir}/s{}", name % 2)))),
            2 => {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::Permissions::from_mode(0o600 + u32::from(name));
                drop(fs::set_permissions(shelf.path(&path), mode));
            }
            content => {
                let len = [10, 3_000, 700_000][usize::from(content % 3)];
                shelf.file(&path, &noise(len, u64::from(content)));
            }
        }
    }
}

/// Steps between snapshots.
pub fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Vec<Step>>> {
    use proptest::prelude::*;
    let step = (0..3u8, 0..6u8, 0..9u8);
    let step = step.prop_map(|(dir, name, content)| Step { dir, name, content });
    proptest::collection::vec(proptest::collection::vec(step, 0..8), 1..5)
}
