//! What a run counts. Numbers are added by all threads and read at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::{Entries, Listed, Phase, ProgressUpdate};
use crate::source::SourceNumber;
use crate::tree::{Node, NodeKind};

/// One number.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one source of the job came to.
#[derive(Default)]
pub(crate) struct SourceTally {
    files: Counter,
    directories: Counter,
    symlinks: Counter,
    pub(crate) hard_links: Counter,
    special: Counter,
    pub(crate) bytes: Counter,
    /// Plaintext of blobs that were new and that this source brought first.
    pub(crate) bytes_new: Counter,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Tally {
    /// By number of the source; the last one takes what only leads to sources.
    sources: Vec<SourceTally>,
    pub(crate) files_found: Counter,
    pub(crate) bytes_found: Counter,
    pub(crate) files_new: Counter,
    pub(crate) files_changed: Counter,
    pub(crate) files_unmodified: Counter,
    pub(crate) files_opened: Counter,
    pub(crate) blobs_reused: Counter,
    pub(crate) data_blobs_new: Counter,
    pub(crate) attributes_unreadable: Counter,
    pub(crate) excluded: Counter,
    unreadable: Mutex<Listed>,
    changed: Mutex<Listed>,
}

impl SourceTally {
    /// Counts an entry of the snapshot.
    pub(crate) fn entry(&self, node: &Node) {
        match &node.kind {
            NodeKind::File { size, .. } => {
                self.files.add(1);
                self.bytes.add(*size);
            }
            NodeKind::Directory { .. } => self.directories.add(1),
            NodeKind::Symlink { .. } => self.symlinks.add(1),
            NodeKind::Passage { .. } => {}
            _ => self.special.add(1),
        }
    }

    pub(crate) fn entries(&self) -> Entries {
        Entries {
            files: self.files.get(),
            directories: self.directories.get(),
            symlinks: self.symlinks.get(),
            hard_links: self.hard_links.get(),
            special: self.special.get(),
        }
    }
}

impl Tally {
    /// A tally of a job with so many sources.
    pub(crate) fn new(sources: usize) -> Self {
        let sources = (0..=sources).map(|_| SourceTally::default()).collect();
        Self { sources, ..Self::default() }
    }

    /// What a source came to. Numbers come from the plan, which is made of the same sources.
    pub(crate) fn of(&self, source: SourceNumber) -> &SourceTally {
        &self.sources[source]
    }

    /// All sources, in the order of the job.
    pub(crate) fn sources(&self) -> &[SourceTally] {
        &self.sources[..self.nobody()]
    }

    /// Stands for what belongs to no source.
    pub(crate) fn nobody(&self) -> SourceNumber {
        self.sources.len() - 1
    }

    fn sum(&self, of: impl Fn(&SourceTally) -> &Counter) -> u64 {
        self.sources.iter().map(|source| of(source).get()).sum()
    }

    pub(crate) fn unreadable(&self, path: &[u8], error: &dyn std::fmt::Display) {
        lock(&self.unreadable).add(path, error.to_string());
    }

    pub(crate) fn changed(&self, path: &[u8], what: &str) {
        lock(&self.changed).add(path, what);
    }

    pub(crate) fn lists(&self) -> (Listed, Listed) {
        (lock(&self.unreadable).clone(), lock(&self.changed).clone())
    }

    pub(crate) fn entries(&self) -> Entries {
        self.sources.iter().fold(Entries::default(), |sum, source| sum.plus(source.entries()))
    }

    /// Sum of the sizes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(|source| &source.bytes)
    }

    /// Whether the sources hold anything but directories.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().holds_nothing()
    }

    pub(crate) fn update(&self, repository: &str, phase: Phase) -> ProgressUpdate {
        ProgressUpdate {
            repository: repository.to_owned(),
            phase,
            files: self.sum(|source| &source.files),
            files_total: self.files_found.get(),
            bytes: self.bytes(),
            bytes_total: self.bytes_found.get(),
            bytes_added: self.sum(|source| &source.bytes_new),
            errors: lock(&self.unreadable).count,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
