//! From sources to blobs and one root tree.
//!
//! ```text
//!  walk (own thread)                workers (rayon pool)                    builder (own thread)
//!  lists directories in order  ──►  take a batch and do all of it:   ──►    collects the entries of each
//!  compares with the parent         open, read, cut, hash, claim,           directory, encodes a page
//!  groups hard links                compress, seal, verify, append          when its last one has come
//!        │   batches of 1 MiB             │   ▲                                   ▲        │
//!        │   or 1,024 entries             └───┘ runs of 4 MiB of large files      │        └─► root tree
//!        └──────────────── unchanged entries, directories, links ─────────────────┘
//! ```
//!
//! Workers share the claims of the session and nothing else. A file above 8 MiB is read and cut by the worker
//! that took it, so that cut points depend on the file alone; the runs between cuts go to whoever is free, and
//! when nobody is, the cutter does them itself: no thread of the pool ever waits for another one.
//!
//! After a failure every thread drains its queue, so that none is left waiting.

mod batch;
mod before;
mod build;
mod growing;
mod large;
mod sources;
mod stream;
mod tally;
mod walk;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::chunk::Chunker;
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::job::Reading;
use crate::keys::Keys;
use crate::repo::{BlobReader, WriteSession};
use crate::report::{Phase, Progress, ProgressUpdate};
use crate::source::{Excludes, Marker, Planned, Trust};
use crate::threads;
use crate::tree::Time;

pub(crate) use sources::unreadable as unreadable_source;
pub(crate) use tally::{SourceTally, Tally};

use batch::{Batch, Message};

/// Batches that wait for workers: enough that the walk is never what they wait for.
const BATCHES_WAITING: usize = 64;

/// Groups of messages that wait for the builder.
const MESSAGES_WAITING: usize = 256;

/// How often somebody hears about progress, and how soon a cancellation is noticed.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A file whose ctime is so young when it is read may change again without its times showing it: two ticks
/// of the kernel's coarse clock.
const RACY_NANOS: i128 = 20_000_000;

/// The same where times are a server's, or in whole seconds.
const RACY_COARSE_NANOS: i128 = 2_000_000_000;

/// What goes through the pipeline.
pub(crate) struct Input<'a> {
    pub(crate) plan: Planned,
    pub(crate) exclude: Excludes,
    pub(crate) markers: Vec<Marker>,
    /// Larger files are left out.
    pub(crate) largest: u64,
    pub(crate) one_file_system: bool,
    /// All times are those of another machine.
    pub(crate) network: bool,
    pub(crate) reading: Reading,
    /// When the job began, nanoseconds since 1970.
    pub(crate) started: i64,
    /// Root tree of the parent, and what reads it.
    pub(crate) previous: Option<(BlobId, BlobReader)>,
    pub(crate) session: &'a WriteSession,
    pub(crate) keys: Arc<Keys>,
    pub(crate) chunker: Chunker,
    pub(crate) workers: usize,
    pub(crate) progress: &'a dyn Progress,
    /// The repository, as progress names it.
    pub(crate) repository: &'a str,
}

/// What all threads of one run see.
struct Shared<'a> {
    input: &'a Input<'a>,
    tally: &'a Tally,
    clock: Clock,
    stop: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Workers that may still begin a large file.
    producers: AtomicUsize,
}

impl Shared<'_> {
    /// Ends the run with the first error that is given.
    fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop.store(true, Ordering::Release);
    }

    /// Whether a file may change once more without its times showing it, given when its reading began.
    fn is_racy(&self, read_start: i128, ctime: Time, trust: Trust) -> bool {
        let coarse = self.input.network || trust.server || ctime.nanos == 0;
        let window = if coarse { RACY_COARSE_NANOS } else { RACY_NANOS };
        read_start - ctime.as_nanos() < window
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// The time, as the job's start and what has gone by since.
struct Clock {
    started: i64,
    since: std::time::Instant,
}

impl Clock {
    fn now_nanos(&self) -> i128 {
        i128::from(self.started) + self.since.elapsed().as_nanos() as i128
    }
}

/// Sends everything through and returns the id of the root tree.
///
/// # Errors
/// Any that ends the session. Entries that cannot be read are no errors: they are in the tally.
pub(crate) fn run(input: &Input<'_>, tally: &Tally) -> Result<BlobId> {
    let workers = input.workers.max(1);
    let pool = threads::pool("worker", workers)?;
    let shared = Shared {
        input,
        tally,
        clock: Clock { started: input.started, since: std::time::Instant::now() },
        stop: AtomicBool::new(false),
        failure: Mutex::new(None),
        producers: AtomicUsize::new(workers),
    };
    let (batches_in, batches) = bounded::<Batch>(BATCHES_WAITING);
    let (messages_in, messages) = bounded::<Vec<Message>>(MESSAGES_WAITING);
    let (runs_in, runs) = bounded(workers);
    let (ended, end) = bounded::<()>(0);
    let root = std::thread::scope(|scope| {
        let shared = &shared;
        // It ends when this block does, in whatever way.
        let ended = ended;
        threads::scoped(scope, "progress", move || shared.tell(&end))?;
        let builder = threads::scoped(scope, "builder", move || build::run(shared, &messages))?;
        let to_builder = messages_in.clone();
        threads::scoped(scope, "walk", move || walk::run(shared, batches_in, to_builder))?;
        pool.broadcast(|_| {
            worker::run(shared, &batches, &runs_in, &runs, messages_in.clone());
        });
        drop(messages_in);
        let root = builder.join();
        drop(ended);
        Ok::<_, Error>(root)
    })?;
    if let Some(error) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    root.ok().flatten().ok_or(Error::Defect("the root tree was never completed"))
}

impl Shared<'_> {
    /// Tells how far things are until the run has ended, and notices a cancellation.
    fn tell(&self, end: &crossbeam_channel::Receiver<()>) {
        use crossbeam_channel::RecvTimeoutError;
        let progress = self.input.progress;
        while end.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
            progress.update(&self.update());
            if progress.cancelled() {
                self.fail(Error::Interrupted);
            }
        }
        progress.update(&self.update());
    }

    fn update(&self) -> ProgressUpdate {
        self.tally.update(self.input.repository, Phase::Moving)
    }
}

/// Collects messages for the builder, so that the queue is touched once for many.
struct Outbox {
    messages: Vec<Message>,
    to: Sender<Vec<Message>>,
}

/// Messages that are sent together.
const MESSAGES_TOGETHER: usize = 256;

impl Outbox {
    fn new(to: Sender<Vec<Message>>) -> Self {
        Self { messages: Vec::new(), to }
    }

    fn send(&mut self, message: Message) {
        self.messages.push(message);
        if self.messages.len() >= MESSAGES_TOGETHER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.messages.is_empty() {
            // The builder hears everything until all senders are gone.
            let _ = self.to.send(std::mem::take(&mut self.messages));
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.flush();
    }
}
