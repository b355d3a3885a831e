//! Large files and streams: one cutter, many sealers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::TrySendError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Shared;
use super::batch::{Item, Message, Spot};
use super::worker::{Worker, put};
use crate::error::Result;
use crate::source::{Extent, OpenedFile};
use crate::tree::{Node, NodeKind, Piece};

/// Bytes of a run: large enough that handing it over costs nothing, small enough that several fit the budget.
const RUN_BYTES: usize = 4 * 1024 * 1024;

/// How often a silent pipe is left alone to see whether somebody asked to stop.
const LOOK_UP_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

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

/// Cuts a large file.
pub(super) fn file(
    worker: &mut Worker<'_>,
    item: &Item,
    node: Node,
    opened: OpenedFile,
    logical: Vec<u8>,
) -> Result<()> {
    let large = Large::new(item, node, Some(opened), logical);
    let mut cutter = Cutter { worker, file: large.clone(), number: 0 };
    let Some(opened) = &large.opened else { return Ok(()) };
    let mut failure = None;
    for extent in opened.extents() {
        let (from, to) = match extent {
            Ok(Extent::Data(from, to)) => (from, to),
            Ok(Extent::Hole(len)) => {
                cutter.hole(len);
                continue;
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        let mut at = from;
        let read = |buffer: &mut [u8]| {
            let len = (buffer.len() as u64).min(to - at) as usize;
            let got = opened.read_at(&mut buffer[..len], at)?;
            at += got as u64;
            Ok(got)
        };
        match cutter.extent(read)? {
            Ok(got) if got < to - from => break, // it shrank: what is there is kept
            Ok(_) => {}
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if let Some(error) = failure {
        worker.shared.tally.unreadable(&large.logical, &error);
        large.failed.store(true, Ordering::Release);
    }
    settle(worker, &large)
}

/// Cuts standard input.
pub(super) fn stream(worker: &mut Worker<'_>, item: &Item, logical: &[u8]) -> Result<()> {
    let kind = NodeKind::File { size: 0, content: crate::tree::Content::Pieces(Vec::new()) };
    let node = Node::bare(&item.name, kind, 0o600, worker.now());
    let large = Large::new(item, node, None, logical.to_vec());
    let shared = worker.shared;
    let mut cutter = Cutter { worker, file: large.clone(), number: 0 };
    let outcome = cutter.extent(|buffer| read_stdin(shared, buffer))?;
    worker.shared.tally.files_opened.add(1);
    if let Err(error) = outcome {
        worker.shared.tally.unreadable(&large.logical, &error);
        large.failed.store(true, Ordering::Release);
    }
    settle(worker, &large)
}

/// Reads what is there. A pipe may be silent for hours, and nobody who asks to stop shall wait for it.
fn read_stdin(shared: &Shared<'_>, buffer: &mut [u8]) -> std::io::Result<usize> {
    let stdin = std::io::stdin();
    loop {
        if shared.stopped() {
            return Ok(0);
        }
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&LOOK_UP_EVERY)) {
            Ok(0) | Err(Errno::INTR) => {}
            // Past the buffer of the standard library: what waits in there, no poll tells of.
            Ok(_) => return Ok(rustix::io::read(&stdin, &mut *buffer)?),
            Err(error) => return Err(error.into()),
        }
    }
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
        Some(opened) => worker.finish_file(large.at, node, size, pieces, opened, &large.logical),
        None => {
            node.kind = NodeKind::File { size, content: worker.content(large.at.source, pieces)? };
            worker.entry(large.at, node);
            Ok(())
        }
    }
}
