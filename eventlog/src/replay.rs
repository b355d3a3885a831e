//! Replay: feeds the records of a log to a machine. The state, read models, audit and time travel
//! are machines.

use holdfast_engine::{Illegal, Recorded, Timestamp};

use crate::checkpoint::mark::Mark;
use crate::error::{Damage, Error, Fault};
use crate::journal::Position;
use crate::record::Header;
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

    /// Takes the mark of a checkpoint. It stands somewhere behind the last event that is in the checkpoint.
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
