//! The owner of the log: decide, append, apply, in this order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use holdfast_engine::{
    CommandId, Envelope, Event, Hash, Illegal, Recorded, Rejection, State, StreamId, apply, decide,
};

use crate::archive::{self, Archivable};
use crate::attachment::Attachments;
use crate::chain::Chain;
use crate::checkpoint::{self, Mark};
use crate::error::Error;
use crate::files::Files;
use crate::frame::{Intro, Kind};
use crate::index::{CommandPlace, FramePlace};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::source::Source;
use crate::journal::writer::Writer;
use crate::limits::{CHECKPOINTS_KEPT, RECORD_BYTES, SUBSCRIBER_BATCHES};
use crate::lock::Lock;
use crate::open::{self, Opened, Options};
use crate::positions::Positions;
use crate::reader::Reader;
use crate::record::{HEADER_BYTES, Header, Place, StreamKey};
use crate::replay::{Fold, Machine};
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
    last_mark: u64,
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
    /// Opens the log in a directory, or makes one. Every frame is proven on the way.
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
        let Opened { dir, writer, fold, positions, mark, lock } = opened;
        Ok(Self {
            attachments: Attachments::new(dir.clone()),
            dir,
            options,
            writer,
            fold,
            positions,
            subscribers: Vec::new(),
            last_mark: mark.map_or(0, |mark| mark.seq),
            poisoned: false,
            _lock: lock,
        })
    }

    /// Decides commands, records what follows, and says what became of them. Answers, events and the new
    /// state exist only once the events are on disk.
    ///
    /// # Errors
    /// Only errors after which the process has to end; whatever befalls a single command is its answer.
    pub fn submit(&mut self, batch: &[Envelope]) -> Result<Submitted, Error> {
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
                Ok(events) => self.draft(envelope, events),
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
            if let Err(illegal) = apply(&mut self.fold.state, recorded) {
                self.roll_back(pending)?;
                pending.answers.push(Answer::Refused(illegal.into()));
                return Ok(());
            }
            self.fold.header(header);
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
        let start = self.writer.append(intro, &pending.content)?;
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
    fn draft(&self, envelope: &Envelope, events: Vec<Event>) -> Result<Draft, Refusal> {
        let mut draft = Draft { recorded: Vec::new(), headers: Vec::new(), content: Vec::new() };
        let mut versions: BTreeMap<StreamKey, u32> = BTreeMap::new();
        let state = &self.fold.state;
        if envelope.epoch < state.epoch {
            let (given, current) = (envelope.epoch, state.epoch);
            return Err(Rejection::StaleEpoch { given, current }.into());
        }
        for (seq, event) in (state.seq + 1..).zip(events) {
            let id = event.stream();
            let stream = StreamKey::from(id);
            let end = self.fold.streams.get(&stream).copied().unwrap_or_default();
            if end.read_only {
                return Err(Refusal::ReadOnlyStream(id));
            }
            let version = versions.entry(stream).or_insert(end.version);
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
            self.fold.record(recorded)?;
            self.fold.header(header);
        }
        Ok(())
    }

    /// What has to be possible before anything is decided: room for a frame, and a checkpoint if one
    /// is due.
    fn prepare(&mut self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        self.writer.make_room()?;
        if self.fold.state.seq < self.last_mark + self.options.checkpoint_every_events {
            return Ok(());
        }
        match self.checkpoint() {
            // A checkpoint only saves time, and the next commands have room.
            Ok(_) | Err(Error::NoSpace { .. }) => self.writer.make_room(),
            Err(error) => Err(error),
        }
    }

    /// Writes a checkpoint of the state as it is, and names it in the chain.
    ///
    /// # Errors
    /// [`Error::NoSpace`] leaves everything as it was.
    pub fn checkpoint(&mut self) -> Result<Mark, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let (bytes, mark) = checkpoint::encode(&self.fold)?;
        self.writer.make_room()?;
        self.dir.files.make(&self.dir.checkpoints_path())?;
        self.dir.files.write_whole(&self.dir.checkpoint_path(mark.seq), &bytes)?;
        let at = self.writer.position();
        let intro =
            Intro { kind: Kind::Checkpoint, count: 0, first_seq: at.seq + 1, epoch: at.epoch };
        self.writer.append(intro, &mark.encode()).map_err(|error| self.poison(error))?;
        self.last_mark = mark.seq;
        let all = self.dir.checkpoints()?;
        for old in all.iter().rev().skip(CHECKPOINTS_KEPT) {
            self.dir.files.remove(&self.dir.checkpoint_path(*old))?;
        }
        Ok(mark)
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
        let chain = Chain::new(self.options.key.clone());
        archive::drop_segments(&self.dir, &chain, self.writer.position(), archivable)
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
        self.positions.close(&self.writer.position())
    }
}

fn within(bytes: usize, limit: usize, what: impl Fn() -> String) -> Result<(), Refusal> {
    if bytes <= limit { Ok(()) } else { Err(Refusal::TooLarge { what: what(), bytes, limit }) }
}
