//! The owner of the log: decide, append, apply, in this order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use holdfast_engine::{
    CommandId, Envelope, Event, Hash, Illegal, Recorded, Rejection, State, StreamId, decide,
};

use crate::archive::{self, Archivable};
use crate::attachment::Attachments;
use crate::chain::Chain;
use crate::checkpoint::Mark;
use crate::checkpoint::make::{Job, Made, Making};
use crate::error::Error;
use crate::files::Files;
use crate::fold::Fold;
use crate::frame::{Intro, Kind};
use crate::index::{CommandPlace, FramePlace};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::writer::Writer;
use crate::limits::{RECORD_BYTES, SUBSCRIBER_BATCHES};
use crate::lock::Lock;
use crate::open::{self, Opened, Options};
use crate::positions::Positions;
use crate::proof::{Proof, Proven};
use crate::reader::Reader;
use crate::record::{HEADER_BYTES, Header, Place, StreamKey};
use crate::replay::Machine;
use crate::shapes;

/// The log of one operator. There is one in a process, and one process for a directory.
pub struct Ledger {
    dir: Directory,
    options: Options,
    writer: Writer,
    fold: Fold,
    positions: Positions,
    attachments: Attachments,
    subscribers: Vec<SyncSender<Arc<[Recorded]>>>,
    /// Last event in the newest checkpoint that has a mark.
    last_mark: u64,
    /// Last event when a checkpoint was begun last, whatever became of it.
    last_try: u64,
    making: Option<Making>,
    /// A checkpoint that is on disk; the next frame brings its mark.
    unmarked: Option<Made>,
    proof: Proof,
    poisoned: bool,
    // Dropped last: while it is held, nobody else writes.
    _lock: Lock,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Submitted {
    /// One answer for each command, in their order.
    pub answers: Vec<Answer>,
    /// The events that were recorded, in order.
    pub recorded: Vec<Recorded>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its events are in the log, from one sequence number to another, both inclusive.
    Recorded {
        /// First event.
        first: u64,
        /// Last event.
        last: u64,
    },
    /// It was carried out earlier; these are its events. They are not carried out again.
    Repeated {
        /// First event.
        first: u64,
        /// Last event.
        last: u64,
    },
    /// Nothing changes.
    Nothing,
    /// It led to nothing.
    Refused(Refusal),
}

/// Why a command led to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The engine says no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An event is larger than a record may be, or all of them than a frame.
    #[error("{what} has {bytes} bytes; at most {limit} are recorded")]
    TooLarge {
        /// Which event, or the command.
        what: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A newer release has written to this object's stream what this one does not understand.
    #[error("{kind:?} {uid} was changed by a newer release; use that one", kind = .0.kind, uid = .0.uid)]
    ReadOnlyStream(StreamId),
    /// The engine decided what it then would not apply; a mistake in the engine.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// An event cannot be encoded; a mistake in its shape.
    #[error("{what} cannot be encoded: {reason}")]
    Unencodable {
        /// Which event.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// The disk is full. Nothing was lost; the next command tries again.
    #[error("no space for {0}")]
    NoSpace(String),
}

/// What stands between decided and appended: nothing of it has left the ledger.
#[derive(Default)]
struct Pending {
    answers: Vec<Answer>,
    recorded: Vec<Recorded>,
    headers: Vec<Header>,
    content: Vec<u8>,
    commands: BTreeMap<CommandId, CommandPlace>,
}

/// A command's events, encoded.
struct Draft {
    recorded: Vec<Recorded>,
    headers: Vec<Header>,
    content: Vec<u8>,
}

impl Ledger {
    /// Opens the log in a directory, or makes one. Every frame behind the newest checkpoint is proven on the
    /// way, what lies before it meanwhile ([`Ledger::proven`]).
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it, [`Error::Damaged`] if anything acknowledged is not as
    /// it was written (then read it with [`Reader::open`]), [`Error::BehindAnchor`] and
    /// [`Error::Forked`] if it is not the log that the anchor in the options has seen.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        Self::open_in(&Files::disk(dir), options)
    }

    /// Opens the log wherever its files are, or makes one there.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_in(files: &Files, options: Options) -> Result<Self, Error> {
        let opened = open::open(files.clone(), &options)?;
        let Opened { dir, writer, fold, positions, mark, proof, lock } = opened;
        Ok(Self {
            attachments: Attachments::new(dir.clone()),
            dir,
            options,
            writer,
            fold,
            positions,
            subscribers: Vec::new(),
            last_mark: mark,
            last_try: mark,
            making: None,
            unmarked: None,
            proof,
            poisoned: false,
            _lock: lock,
        })
    }

    /// Decides commands, records what follows, and says what became of them. Answers, events and the new
    /// state exist only once the events are on disk.
    ///
    /// # Errors
    /// [`Error::Damaged`] once the log turns out to be; it can still be read. Otherwise only errors after
    /// which the process has to end: whatever befalls a single command is its answer.
    pub fn submit(&mut self, batch: &[Envelope]) -> Result<Submitted, Error> {
        if let Proven::Damaged(damage) = self.proof.so_far() {
            return Err(damage.into());
        }
        let mut submitted = Submitted::default();
        while submitted.answers.len() < batch.len() {
            let rest = batch.get(submitted.answers.len()..).unwrap_or_default();
            match self.prepare() {
                Ok(()) => {}
                Err(Error::NoSpace { path }) => {
                    let refused = Answer::Refused(Refusal::NoSpace(path.display().to_string()));
                    submitted.answers.resize(batch.len(), refused);
                    break;
                }
                Err(error) => return Err(self.poison(error)),
            }
            let pending = self.decide(rest).map_err(|error| self.poison(error))?;
            self.append(&pending).map_err(|error| self.poison(error))?;
            self.publish(pending, &mut submitted);
        }
        Ok(submitted)
    }

    /// Decides as many commands as one frame holds, each against the events of those before it.
    fn decide(&mut self, batch: &[Envelope]) -> Result<Pending, Error> {
        let mut pending = Pending::default();
        for envelope in batch {
            if let Some(place) = self.earlier(envelope.id, &pending)? {
                let CommandPlace { first, last } = place;
                pending.answers.push(Answer::Repeated { first, last });
                continue;
            }
            let draft = match decide(&self.fold.state, envelope) {
                Err(rejection) => Err(rejection.into()),
                Ok(events) => self.draft(envelope, events, &pending)?,
            };
            match draft {
                Err(refusal) => pending.answers.push(Answer::Refused(refusal)),
                Ok(draft) if draft.headers.is_empty() => pending.answers.push(Answer::Nothing),
                Ok(draft) => {
                    if pending.content.len() + draft.content.len() > self.writer.content_limit() {
                        break;
                    }
                    self.apply(envelope, draft, &mut pending)?;
                }
            }
        }
        Ok(pending)
    }

    /// Applies a command's events, so that the next command of the batch sees them.
    fn apply(
        &mut self,
        envelope: &Envelope,
        draft: Draft,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        for (recorded, header) in draft.recorded.iter().zip(&draft.headers) {
            self.fold.header(header);
            if let Err(illegal) = self.fold.record(recorded) {
                self.roll_back(pending)?;
                pending.answers.push(Answer::Refused(illegal.into()));
                return Ok(());
            }
        }
        if let (Some(first), Some(last)) = (draft.headers.first(), draft.headers.last()) {
            let place = CommandPlace { first: first.seq, last: last.seq };
            pending.commands.insert(envelope.id, place);
            pending.answers.push(Answer::Recorded { first: first.seq, last: last.seq });
        }
        pending.recorded.extend(draft.recorded);
        pending.headers.extend(draft.headers);
        pending.content.extend(draft.content);
        Ok(())
    }

    /// Writes one frame; returns once it is acknowledged.
    fn append(&mut self, pending: &Pending) -> Result<(), Error> {
        let (Some(first), Some(last)) = (pending.headers.first(), pending.headers.last()) else {
            return Ok(());
        };
        let count = u32::try_from(pending.headers.len()).unwrap_or(u32::MAX);
        let intro = Intro { kind: Kind::Events, count, first_seq: first.seq, epoch: last.epoch };
        let mark = self.unmarked.as_ref().map(|made| made.mark.encode());
        let start = match &mark {
            None => self.writer.append(intro, &pending.content)?,
            Some(mark) => {
                let at = self.writer.position();
                self.writer.append_both((checkpoint_intro(at), mark), (intro, &pending.content))?
            }
        };
        self.marked();
        let place = FramePlace { segment: start.segment, offset: start.offset };
        self.positions.note(place, &pending.headers)
    }

    /// Hands out what is now in the log.
    fn publish(&mut self, pending: Pending, submitted: &mut Submitted) {
        submitted.answers.extend(pending.answers);
        if pending.recorded.is_empty() {
            return;
        }
        if !self.subscribers.is_empty() {
            let news: Arc<[Recorded]> = pending.recorded.clone().into();
            self.subscribers.retain(|subscriber| match subscriber.try_send(Arc::clone(&news)) {
                Ok(()) => true,
                // One that does not keep up is let go; it sees the end, and reads the journal.
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            });
        }
        submitted.recorded.extend(pending.recorded);
    }

    /// What an id led to earlier, in the log or in this batch.
    fn earlier(&mut self, id: CommandId, pending: &Pending) -> Result<Option<CommandPlace>, Error> {
        match pending.commands.get(&id) {
            Some(place) => Ok(Some(*place)),
            None => self.positions.command(id),
        }
    }

    /// Encodes a command's events for the places that are next.
    fn draft(
        &mut self,
        envelope: &Envelope,
        events: Vec<Event>,
        pending: &Pending,
    ) -> Result<Result<Draft, Refusal>, Error> {
        let mut versions: BTreeMap<StreamKey, u32> = BTreeMap::new();
        for stream in events.iter().map(|event| StreamKey::from(event.stream())) {
            if let Entry::Vacant(unknown) = versions.entry(stream) {
                unknown.insert(self.version(stream, pending)?);
            }
        }
        Ok(self.encode(envelope, events, versions))
    }

    /// Version of the last event of a stream. The fold knows the streams that have not ended; one that has,
    /// and is written again, goes on from where the log left it.
    fn version(&mut self, stream: StreamKey, pending: &Pending) -> Result<u32, Error> {
        if let Some(end) = self.fold.streams.get(&stream) {
            return Ok(end.version);
        }
        let same = |header: &&Header| header.stream == stream;
        match pending.headers.iter().rev().find(same) {
            Some(header) => Ok(header.version),
            None => Ok(self.positions.version(stream)?.unwrap_or_default()),
        }
    }

    fn encode(
        &self,
        envelope: &Envelope,
        events: Vec<Event>,
        mut versions: BTreeMap<StreamKey, u32>,
    ) -> Result<Draft, Refusal> {
        let mut draft = Draft { recorded: Vec::new(), headers: Vec::new(), content: Vec::new() };
        let state = &self.fold.state;
        if envelope.epoch < state.epoch {
            let (given, current) = (envelope.epoch, state.epoch);
            return Err(Rejection::StaleEpoch { given, current }.into());
        }
        for (seq, event) in (state.seq + 1..).zip(events) {
            let id = event.stream();
            let stream = StreamKey::from(id);
            if self.fold.streams.get(&stream).is_some_and(|end| end.read_only) {
                return Err(Refusal::ReadOnlyStream(id));
            }
            let version = versions.entry(stream).or_default();
            *version += 1;
            let (at, cause, epoch) = (envelope.at.max(state.last_at), envelope.id, envelope.epoch);
            let place = Place { seq, epoch, at, cause, stream, version: *version };
            let payload = shapes::encode(&event).map_err(|error| Refusal::Unencodable {
                what: shapes::name(&event),
                reason: error.to_string(),
            })?;
            within(HEADER_BYTES + payload.bytes.len(), RECORD_BYTES, || {
                format!("event {}", shapes::name(&event))
            })?;
            let header = Header::new(place, &payload);
            header.encode(&mut draft.content);
            draft.content.extend(payload.bytes);
            draft.headers.push(header);
            draft.recorded.push(Recorded { seq, at, cause, epoch, event });
        }
        within(draft.content.len(), self.writer.content_limit(), || "command".into())?;
        Ok(draft)
    }

    /// Takes back a command that could not be applied whole: only the journal knows the state before.
    fn roll_back(&mut self, pending: &Pending) -> Result<(), Error> {
        self.fold = open::reload(&self.dir, &self.options)?;
        for (recorded, header) in pending.recorded.iter().zip(&pending.headers) {
            self.fold.header(header);
            self.fold.record(recorded)?;
        }
        Ok(())
    }

    /// What has to be possible before anything is decided: room for a frame and a mark. Begins a checkpoint
    /// if one is due.
    fn prepare(&mut self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        self.writer.make_room()?;
        if self.making.as_ref().is_some_and(Making::has_ended) {
            self.take_made();
        }
        let due = self.fold.state.seq >= self.last_try + self.options.checkpoint_every_events;
        if due && self.making.is_none() && self.unmarked.is_none() {
            let job = self.job();
            self.making = Some(Making::begin(job));
            if self.making.as_ref().is_some_and(Making::has_ended) {
                self.take_made();
            }
        }
        Ok(())
    }

    /// A checkpoint of the state as it is. The copy is all that an answer waits for.
    fn job(&mut self) -> Job {
        self.last_try = self.fold.state.seq;
        // What follows from the state is no part of a checkpoint, and costs more to copy than all of it.
        let index = mem::take(&mut self.fold.state.index);
        let fold = self.fold.clone();
        self.fold.state.index = index;
        Job {
            dir: self.dir.clone(),
            chain: Chain::new(self.options.key.clone()),
            fold,
            at: self.writer.position(),
            before: self.positions.next().clone(),
            vouched: self.last_mark,
        }
    }

    /// Takes what became of the checkpoint on its way; waits for it. One that failed only costs time at the
    /// next start, and is tried again at the next interval.
    fn take_made(&mut self) {
        match self.making.take().map(Making::outcome) {
            Some(Ok(made)) => self.unmarked = Some(made),
            Some(Err(error)) => {
                tracing::warn!(%error, seq = self.last_try, "no checkpoint could be written");
            }
            None => {}
        }
    }

    /// The mark is in the chain.
    fn marked(&mut self) -> Option<Mark> {
        let Made { mark, covered } = self.unmarked.take()?;
        self.last_mark = mark.seq;
        self.positions.cover(covered);
        Some(mark)
    }

    /// Writes a checkpoint of the state as it is, and names it in the chain.
    ///
    /// # Errors
    /// [`Error::NoSpace`] leaves everything as it was.
    pub fn checkpoint(&mut self) -> Result<Mark, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        self.take_made();
        self.writer.make_room()?;
        if self.unmarked.as_ref().is_none_or(|made| made.mark.seq != self.fold.state.seq) {
            self.mark()?;
            self.unmarked = Some(self.job().make()?);
        }
        let marked = self.mark()?;
        marked.ok_or(Error::Poisoned)
    }

    /// Names the checkpoint that is on disk, if there is one, in a frame of its own.
    fn mark(&mut self) -> Result<Option<Mark>, Error> {
        let Some(made) = &self.unmarked else { return Ok(None) };
        let (intro, content) = (checkpoint_intro(self.writer.position()), made.mark.encode());
        self.writer.make_room()?;
        self.writer.append(intro, &content).map_err(|error| self.poison(error))?;
        Ok(self.marked())
    }

    /// After an error of the disk nothing more is written, and nothing of what was not acknowledged is
    /// shown. A full disk at a time when room was made already is an error like any other.
    fn poison(&mut self, error: Error) -> Error {
        if !self.poisoned {
            self.poisoned = true;
            self.fold = open::reload(&self.dir, &self.options).unwrap_or_default();
        }
        match error {
            Error::NoSpace { path } => {
                Error::Io { doing: "write", path, source: std::io::ErrorKind::StorageFull.into() }
            }
            other => other,
        }
    }

    /// The fold of everything acknowledged.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.fold.state
    }

    /// How far the log is proven. What lies behind the checkpoint that the start went on from is.
    #[must_use]
    pub fn proven(&self) -> Proven {
        self.proof.so_far()
    }

    /// Waits until all of the log is proven, or found damaged.
    pub fn prove(&mut self) -> Proven {
        self.proof.wait()
    }

    /// How far the log goes; all of it is acknowledged.
    #[must_use]
    pub fn head(&self) -> Position {
        self.writer.position()
    }

    /// Everything recorded from now on, a batch at a time. A subscriber that lags too far behind is let
    /// go: its channel ends.
    pub fn subscribe(&mut self) -> Receiver<Arc<[Recorded]>> {
        let (sender, receiver) = sync_channel(SUBSCRIBER_BATCHES);
        self.subscribers.push(sender);
        receiver
    }

    /// The events of one object, in order, found by the index. Archived ones are left out; a [`Reader`] with
    /// the export behind it has them.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`] if they cannot be read.
    pub fn stream(&mut self, id: StreamId) -> Result<Vec<Recorded>, Error> {
        self.positions.stream(id.into())
    }

    /// A value of a read model. Read models may vanish at any start; they are then made again from a
    /// replay.
    #[must_use]
    pub fn projection(&self, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.positions.projection(name, key)
    }

    /// Stores a value of a read model; none removes it. False: it could not be stored.
    pub fn project(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> bool {
        self.positions.project(name, key, value)
    }

    /// The documents beside the log, for any thread.
    #[must_use]
    pub fn attachments(&self) -> Attachments {
        self.attachments.clone()
    }

    /// Stores a document and returns its name; it is on disk when this returns. Do this before the command
    /// that names it.
    ///
    /// # Errors
    /// [`Error::AttachmentTooLarge`], [`Error::NoSpace`].
    pub fn attach(&self, document: &[u8]) -> Result<Hash, Error> {
        self.attachments.store(document)
    }

    /// A document by its name; `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it is not what its name says.
    pub fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        self.attachments.load(hash)
    }

    /// A reader of what is acknowledged now.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn reader(&self) -> Result<Reader, Error> {
        Reader::open_in(&self.dir.files, self.options.key.clone())
    }

    /// Drops closed segments that are exported, old, and behind the checkpoints that are kept; returns the
    /// first sequence number that stays. With the export behind it a [`Reader`] still sees all.
    ///
    /// # Errors
    /// [`Error::Io`]; the process has to end then.
    pub fn archive(&mut self, archivable: Archivable) -> Result<u64, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        if let Proven::Damaged(damage) = self.prove() {
            return Err(damage.into());
        }
        let chain = Chain::new(self.options.key.clone());
        let ends = (self.last_mark, self.writer.position());
        archive::drop_segments(&self.dir, &chain, ends, archivable)
    }

    /// Ends in order: a checkpoint, and an index that the next start can take as it is.
    ///
    /// # Errors
    /// What kept it from ending in order; everything acknowledged is safe nevertheless.
    pub fn close(mut self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        if self.fold.state.seq > self.last_mark {
            self.checkpoint()?;
        }
        let Self { positions, writer, _lock, .. } = self;
        positions.close(&writer.position())
    }
}

/// The frame of a mark has no record of its own.
fn checkpoint_intro(at: Position) -> Intro {
    Intro { kind: Kind::Checkpoint, count: 0, first_seq: at.seq + 1, epoch: at.epoch }
}

fn within(bytes: usize, limit: usize, what: impl Fn() -> String) -> Result<(), Refusal> {
    if bytes <= limit { Ok(()) } else { Err(Refusal::TooLarge { what: what(), bytes, limit }) }
}
