//! What a run counts. Numbers are added by all threads and read at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::{Entries, Listed, Phase, ProgressUpdate};
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

/// All of them.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) files: Counter,
    pub(crate) directories: Counter,
    pub(crate) symlinks: Counter,
    pub(crate) hard_links: Counter,
    pub(crate) special: Counter,
    pub(crate) bytes: Counter,
    pub(crate) files_found: Counter,
    pub(crate) bytes_found: Counter,
    pub(crate) files_new: Counter,
    pub(crate) files_changed: Counter,
    pub(crate) files_unmodified: Counter,
    pub(crate) files_opened: Counter,
    pub(crate) blobs_reused: Counter,
    pub(crate) data_blobs_new: Counter,
    pub(crate) bytes_new: Counter,
    pub(crate) attributes_unreadable: Counter,
    pub(crate) excluded: Counter,
    unreadable: Mutex<Listed>,
    changed: Mutex<Listed>,
}

impl Tally {
    pub(crate) fn unreadable(&self, path: &[u8], error: &dyn std::fmt::Display) {
        lock(&self.unreadable).add(path, error.to_string());
    }

    pub(crate) fn changed(&self, path: &[u8], what: &str) {
        lock(&self.changed).add(path, what);
    }

    pub(crate) fn lists(&self) -> (Listed, Listed) {
        (lock(&self.unreadable).clone(), lock(&self.changed).clone())
    }

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

    /// Whether the sources hold anything but directories.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.get() + self.symlinks.get() + self.special.get() == 0
    }

    pub(crate) fn update(&self, repository: &str, phase: Phase) -> ProgressUpdate {
        ProgressUpdate {
            repository: repository.to_owned(),
            phase,
            files: self.files.get(),
            files_total: self.files_found.get(),
            bytes: self.bytes.get(),
            bytes_total: self.bytes_found.get(),
            bytes_added: self.bytes_new.get(),
            errors: lock(&self.unreadable).count,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
