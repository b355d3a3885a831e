//! Replay: feeds the records of a log to a machine. The state, read models, audit and time travel
//! are machines.

use std::collections::BTreeMap;

use holdfast_engine::{Illegal, Recorded, State, Timestamp, apply};

use crate::checkpoint::Mark;
use crate::error::{Damage, Error, Fault};
use crate::journal::Position;
use crate::reader::Reader;
use crate::record::{Header, StreamKey};
use crate::shapes;

/// Something that is made of a log.
pub trait Machine {
    /// Takes the next event.
    ///
    /// # Errors
    /// [`Illegal`] when the event cannot follow; it ends the replay.
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal>;

    /// Takes what stands before every payload, before the payload.
    fn header(&mut self, header: &Header) {
        let _ = header;
    }

    /// Takes an event of a type or schema that this release does not know.
    fn unknown(&mut self, header: &Header) {
        let _ = header;
    }

    /// Takes a checkpoint: the machine has now seen all that is in it.
    fn checkpoint(&mut self, mark: &Mark) {
        let _ = mark;
    }
}

/// How far to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everything that is acknowledged.
    End,
    /// Up to this sequence number, inclusive.
    Seq(u64),
    /// Everything up to this instant, inclusive.
    Time(Timestamp),
}

impl Until {
    pub(crate) fn includes(self, header: &Header) -> bool {
        match self {
            Self::End => true,
            Self::Seq(seq) => header.seq <= seq,
            Self::Time(at) => header.at <= at,
        }
    }
}

/// Feeds a machine from the beginning of the log; returns the last sequence number it took.
///
/// # Errors
/// [`Error::Damaged`] at the first damage, after the machine has taken everything before it;
/// [`Error::Illegal`] when the machine refuses.
pub fn drive(reader: &Reader, machine: &mut dyn Machine, until: Until) -> Result<u64, Error> {
    let mut last = 0;
    let mut scan = reader.scan()?;
    while !reader.at_end(&scan) {
        let Some(found) = scan.next()? else { break };
        if let Some(mark) = Mark::of(&found) {
            machine.checkpoint(&mark);
        }
        for (header, payload) in &found.records {
            if !until.includes(header) {
                return Ok(last);
            }
            feed(machine, header, payload, &found.start)?;
            last = header.seq;
        }
    }
    Ok(last)
}

/// Gives one record to a machine.
pub(crate) fn feed(
    machine: &mut dyn Machine,
    header: &Header,
    payload: &[u8],
    frame: &Position,
) -> Result<(), Error> {
    machine.header(header);
    match event_of(header, payload, frame)? {
        Some(recorded) => machine.record(&recorded)?,
        None => machine.unknown(header),
    }
    Ok(())
}

/// The event of a record; `None` if this release does not know its shape.
pub(crate) fn event_of(
    header: &Header,
    payload: &[u8],
    frame: &Position,
) -> Result<Option<Recorded>, Error> {
    if !header.known() {
        return Ok(None);
    }
    match shapes::decode(header.event_type, header.schema, payload) {
        Ok(None) => Ok(None),
        Ok(Some(event)) => Ok(Some(Recorded {
            seq: header.seq,
            at: header.at,
            cause: header.cause,
            epoch: header.epoch,
            event,
        })),
        Err(_) => Err(Error::Damaged(Damage {
            after: header.seq - 1,
            segment: frame.segment,
            offset: frame.offset,
            what: Fault::Payload,
        })),
    }
}

/// What a stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamEnd {
    /// Events in it.
    pub(crate) version: u32,
    /// It holds an event that this release does not know.
    pub(crate) read_only: bool,
}

/// The state of the engine, and where each stream ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    /// The fold of all events so far.
    pub state: State,
    pub(crate) streams: BTreeMap<StreamKey, StreamEnd>,
}

impl Machine for Fold {
    /// What follows an unknown event in its stream may rest on it, so it is passed over as well.
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        let stream = StreamKey::from(recorded.event.stream());
        if self.streams.get(&stream).is_some_and(|end| end.read_only) {
            self.state.seq = recorded.seq;
            self.state.last_at = recorded.at;
            return Ok(());
        }
        apply(&mut self.state, recorded)
    }

    fn header(&mut self, header: &Header) {
        self.streams.entry(header.stream).or_default().version = header.version;
    }

    /// The event happened, so the log goes on; its stream cannot be decided about any more.
    fn unknown(&mut self, header: &Header) {
        self.streams.entry(header.stream).or_default().read_only = true;
        self.state.seq = header.seq;
        self.state.last_at = header.at;
    }
}
