//! Large files and streams: one cutter, many sealers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::TrySendError;

use super::batch::{Item, Message, Spot};
use super::worker::{Worker, put};
use crate::error::Result;
use crate::source::{Extent, OpenedFile};
use crate::tree::{Node, NodeKind, Piece};

/// Bytes of a run: large enough that handing it over costs nothing, small enough that several fit the budget.
const RUN_BYTES: usize = 4 * 1024 * 1024;

/// Neighbouring chunks of one file, for whoever is free.
pub(super) struct Run {
    file: Arc<Large>,
    number: u64,
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

/// A file whose runs are under way.
struct Large {
    at: Spot,
    logical: Vec<u8>,
    /// The open file, to see at the end whether it changed; a stream has none.
    opened: Option<OpenedFile>,
    pieces: Mutex<BTreeMap<u64, Vec<Piece>>>,
    /// Runs that are not sealed yet, and one for the cutter.
    pending: AtomicUsize,
    node: Mutex<Option<Node>>,
    /// It could not be read to its end: what was sealed is garbage.
    failed: AtomicBool,
}

impl Large {
    fn new(item: &Item, node: Node, opened: Option<OpenedFile>, logical: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            at: item.at,
            logical,
            opened,
            pieces: Mutex::default(),
            pending: AtomicUsize::new(1),
            node: Mutex::new(Some(node)),
            failed: AtomicBool::new(false),
        })
    }

    fn set(&self, number: u64, pieces: Vec<Piece>) {
        lock(&self.pieces).insert(number, pieces);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cuts bytes that come one after the other into runs.
struct Cutter<'w, 'a> {
    worker: &'w mut Worker<'a>,
    file: Arc<Large>,
    number: u64,
}

impl Cutter<'_, '_> {
    /// Cuts everything that `read` gives until it gives nothing; the inner error is that of the reading.
    fn extent(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> std::io::Result<usize>,
    ) -> Result<std::io::Result<u64>> {
        let chunker = self.worker.shared.input.chunker.clone();
        let mut total = 0;
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let kept = rest.len();
            let mut bytes = rest;
            bytes.resize(RUN_BYTES + chunker.max_bytes(), 0);
            let mut filled = kept;
            let mut last = false;
            while filled < bytes.len() && !last {
                match read(&mut bytes[filled..]) {
                    Ok(0) => last = true,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
            total += (filled - kept) as u64;
            bytes.truncate(filled);
            let mut cuts = Vec::new();
            let mut at = 0;
            while let Some(len) = chunker.next(&bytes[at..], last) {
                at += len;
                cuts.push(len);
            }
            rest = bytes[at..].to_vec();
            bytes.truncate(at);
            if !cuts.is_empty() {
                self.send(bytes, cuts)?;
            }
            if last || self.worker.shared.stopped() {
                return Ok(Ok(total));
            }
        }
    }

    /// Gives a run away, or does it when nobody takes it.
    fn send(&mut self, bytes: Vec<u8>, cuts: Vec<usize>) -> Result<()> {
        self.file.pending.fetch_add(1, Ordering::AcqRel);
        let run = Run { file: self.file.clone(), number: self.number, bytes, cuts };
        self.number += 1;
        match self.worker.runs.try_send(run) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(run) | TrySendError::Disconnected(run)) => {
                seal(self.worker, run)
            }
        }
    }

    fn hole(&mut self, len: u64) {
        self.file.set(self.number, vec![Piece::Hole { len }]);
        self.number += 1;
    }
}

/// Cuts a large file; one whose size is not to be believed from its beginning to its end.
pub(super) fn file(
    worker: &mut Worker<'_>,
    item: &Item,
    node: Node,
    opened: OpenedFile,
    logical: Vec<u8>,
    believed: bool,
) -> Result<()> {
    let large = Large::new(item, node, Some(opened), logical);
    let mut cutter = Cutter { worker, file: large.clone(), number: 0 };
    let Some(opened) = &large.opened else { return Ok(()) };
    let read = match believed {
        true => cutter.sized(opened)?,
        false => cutter.from(opened, 0, u64::MAX)?.map(drop),
    };
    if let Err(error) = read {
        worker.shared.tally.unreadable(&large.logical, &error);
        large.failed.store(true, Ordering::Release);
    }
    settle(worker, &large)
}

impl Cutter<'_, '_> {
    /// Cuts what lies between two offsets of a file, or less where that ends before.
    fn from(&mut self, opened: &OpenedFile, from: u64, to: u64) -> Result<std::io::Result<u64>> {
        let mut at = from;
        self.extent(|buffer| {
            let len = (buffer.len() as u64).min(to - at) as usize;
            let got = opened.read_at(&mut buffer[..len], at)?;
            at += got as u64;
            Ok(got)
        })
    }

    /// Cuts a file by its extents, and what there is beyond its size.
    fn sized(&mut self, opened: &OpenedFile) -> Result<std::io::Result<()>> {
        for extent in opened.extents() {
            match extent {
                Extent::Hole(len) => self.hole(len),
                Extent::Data(from, to) => match self.from(opened, from, to)? {
                    Ok(got) if got < to - from => return Ok(Ok(())), // it shrank: what is there is kept
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                },
            }
        }
        match opened.understates() {
            Ok(false) => Ok(Ok(())),
            Ok(true) => Ok(self.from(opened, opened.size(), u64::MAX)?.map(drop)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Cuts what comes from a stream, and returns how much that was; the inner error is that of the reading.
pub(super) fn stream(
    worker: &mut Worker<'_>,
    item: &Item,
    logical: &[u8],
    read: impl FnMut(&mut [u8]) -> std::io::Result<usize>,
) -> Result<std::io::Result<u64>> {
    let kind = NodeKind::File { size: 0, content: crate::tree::Content::Pieces(Vec::new()) };
    let node = Node::bare(&item.name, kind, 0o600, worker.now());
    let large = Large::new(item, node, None, logical.to_vec());
    let outcome = Cutter { worker, file: large.clone(), number: 0 }.extent(read)?;
    worker.shared.tally.files_opened.add(1);
    if outcome.is_err() {
        large.failed.store(true, Ordering::Release);
    }
    settle(worker, &large)?;
    Ok(outcome)
}

/// Stores the chunks of a run.
pub(super) fn seal(worker: &mut Worker<'_>, run: Run) -> Result<()> {
    let mut pieces = Vec::with_capacity(run.cuts.len());
    let mut rest = &run.bytes[..];
    for len in run.cuts {
        let (chunk, after) = rest.split_at(len);
        pieces.push(put(worker.shared, &mut worker.writer, run.file.at.source, chunk)?);
        rest = after;
    }
    run.file.set(run.number, pieces);
    settle(worker, &run.file)
}

/// Whoever is last makes the entry.
fn settle(worker: &mut Worker<'_>, large: &Large) -> Result<()> {
    if large.pending.fetch_sub(1, Ordering::AcqRel) != 1 {
        return Ok(());
    }
    let Some(mut node) = lock(&large.node).take() else { return Ok(()) };
    if large.failed.load(Ordering::Acquire) {
        worker.outbox.send(Message::Lost { at: large.at, group: node.link_group });
        return Ok(());
    }
    let pieces: Vec<_> =
        std::mem::take(&mut *lock(&large.pieces)).into_values().flatten().collect();
    let size = pieces.iter().map(Piece::len).sum();
    match &large.opened {
        Some(opened) => {
            worker.finish_file(large.at, node, size, pieces, opened, || large.logical.clone())
        }
        None => {
            node.kind = NodeKind::File { size, content: worker.content(large.at.source, pieces)? };
            worker.entry(large.at, node);
            Ok(())
        }
    }
}
