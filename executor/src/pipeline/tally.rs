//! What a run counts. Numbers are added by all threads and read at any time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
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
    /// Would have counted as unmodified, did their file system keep times that can be believed.
    pub(crate) files_distrusted: Counter,
    pub(crate) excluded: Counter,
    unreadable: Mutex<Listed>,
    changed: Mutex<Listed>,
    attributes: Mutex<Listed>,
    /// Sources of which nothing could be read.
    failed: Mutex<BTreeMap<SourceNumber, Error>>,
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

    /// What is missing of the attributes of an entry.
    pub(crate) fn attributes_unreadable(&self, path: &[u8], reasons: &[String]) {
        lock(&self.attributes).add(path, reasons.join("; "));
    }

    /// Nothing of a source could be read. That ends no run as long as there are others.
    pub(crate) fn source_failed(&self, source: SourceNumber, path: &[u8], error: Error) {
        self.unreadable(path, &of_source(&error));
        lock(&self.failed).entry(source).or_insert(error);
    }

    pub(crate) fn has_failed(&self, source: SourceNumber) -> bool {
        lock(&self.failed).contains_key(&source)
    }

    /// Why nothing was read at all, if no source was left. One that was named twice is read once.
    pub(crate) fn failure_of_all(&self) -> Option<Error> {
        let mut failed = lock(&self.failed);
        let is_left = |(number, source): (usize, &SourceTally)| {
            !failed.contains_key(&number) && source.entries() != Entries::default()
        };
        match self.sources().iter().enumerate().any(is_left) {
            true => None,
            false => Error::of_sources(std::mem::take(&mut *failed).into_values()),
        }
    }

    /// Entries that could not be read, files that changed, entries with attributes that could not be read.
    pub(crate) fn lists(&self) -> (Listed, Listed, Listed) {
        let list = |list: &Mutex<Listed>| lock(list).clone();
        (list(&self.unreadable), list(&self.changed), list(&self.attributes))
    }

    pub(crate) fn entries(&self) -> Entries {
        self.sources.iter().fold(Entries::default(), |sum, source| sum.plus(source.entries()))
    }

    /// Sum of the sizes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(|source| &source.bytes)
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

/// What is said about a source beside its path.
fn of_source(error: &Error) -> String {
    match error {
        Error::SourceMissing { .. } => "this source does not exist".to_owned(),
        Error::SourceUnreadable { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
