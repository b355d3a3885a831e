//! What a restore counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::{Phase, ProgressUpdate, RestoreFigures};
use crate::tree::{Node, NodeKind};

/// Figures that several threads add to.
#[derive(Default)]
pub(super) struct Tally {
    figures: Mutex<RestoreFigures>,
    bytes: AtomicU64,
    files: AtomicU64,
    /// Something of the snapshot did not arrive: what is still in the target may be the only copy of it.
    lost: AtomicBool,
    /// Files and bytes that are to come, where that is known.
    expected: (u64, u64),
}

impl Tally {
    pub(super) fn add(&self, change: impl FnOnce(&mut RestoreFigures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says how much is to come.
    pub(super) fn expect(&mut self, files: u64, bytes: u64) {
        self.expected = (files, bytes);
    }

    /// Something of the snapshot did not arrive. Listing it is what marks it, so that nobody can forget to.
    pub(super) fn failed(&self, logical: &[u8], why: &dyn std::fmt::Display) {
        self.lost();
        self.listed(logical, why);
    }

    /// Lists what failed although everything of the snapshot is there: a removal, a mode.
    pub(super) fn listed(&self, logical: &[u8], why: &dyn std::fmt::Display) {
        let why = why.to_string();
        self.add(|figures| figures.failed.add(logical, why));
    }

    /// Something did not arrive whose error tells of it.
    pub(super) fn lost(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// An entry is there, and lacks something.
    pub(super) fn unset(&self, logical: &[u8], what: &dyn std::fmt::Display) {
        let what = what.to_string();
        self.add(|figures| figures.unset.add(logical, what));
    }

    pub(super) fn written(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts an entry that is in place.
    pub(super) fn done(&self, node: &Node) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.add(|figures| match node.kind {
            NodeKind::File { .. } => figures.entries.files += 1,
            NodeKind::Directory { .. } => figures.entries.directories += 1,
            NodeKind::Symlink { .. } => figures.entries.symlinks += 1,
            NodeKind::Passage { .. } => {}
            _ => figures.entries.special += 1,
        });
    }

    pub(super) fn figures(self) -> RestoreFigures {
        let mut figures = self.figures.into_inner().unwrap_or_else(PoisonError::into_inner);
        figures.bytes_written = self.bytes.into_inner();
        figures
    }

    pub(super) fn update(&self, repository: &str) -> ProgressUpdate {
        ProgressUpdate {
            repository: repository.to_owned(),
            phase: Phase::Moving,
            files: self.files.load(Ordering::Relaxed),
            files_total: self.expected.0,
            bytes_total: self.expected.1,
            bytes: self.bytes.load(Ordering::Relaxed),
            ..Default::default()
        }
    }
}
