//! Walks the frames of a log and proves each of them; the only reader of the journal.

use std::sync::Arc;

use crate::bytes::to_usize;
use crate::chain::Chain;
use crate::error::{Damage, Error, Fault};
use crate::frame::{self, Frame};
use crate::index::FramePlace;
use crate::journal::head;
use crate::journal::position::{Position, Slot};
use crate::journal::segment::{HEADER_BYTES, Refused, SegmentHeader};
use crate::journal::source::Source;
use crate::record::Header;

/// A frame that belongs to the log.
pub(crate) struct Found<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) records: Vec<(Header, &'a [u8])>,
    /// Where it begins.
    pub(crate) start: Position,
}

/// The frames from one place on.
pub(crate) struct Scan<'s> {
    source: &'s dyn Source,
    chain: &'s Chain,
    head: Position,
    at: Position,
    segment: Option<Arc<Vec<u8>>>,
    beyond_head: bool,
}

/// Where the log begins: at its first event, or behind what was archived.
pub(crate) fn beginning(source: &dyn Source, chain: &Chain) -> Result<Position, Error> {
    match source.base()? {
        None => Ok(Position::genesis(chain)),
        Some(bytes) => match Position::decode(Slot::Base, chain, &bytes) {
            Some((_, base)) => Ok(base),
            None => Err(damage(0, 0, 0, Fault::Base)),
        },
    }
}

/// Generation of HEAD, and how far the log is acknowledged.
pub(crate) fn acknowledged(source: &dyn Source, chain: &Chain) -> Result<(u64, Position), Error> {
    let bytes = source.head()?.unwrap_or_default();
    match head::newest(&bytes, chain) {
        Some(found) => Ok(found),
        None => Err(no_head(source, chain)),
    }
}

/// A wrong key makes HEAD look damaged; the first segment tells the two apart.
fn no_head(source: &dyn Source, chain: &Chain) -> Error {
    let first = source.segments().ok().and_then(|all| all.first().copied());
    let bytes = first.and_then(|number| source.segment(number).ok().flatten());
    match bytes.map(|bytes| SegmentHeader::decode(&bytes, chain)) {
        Some(Err(Refused::Key { keyed })) => Error::Key { keyed },
        _ => damage(0, 0, 0, Fault::Head),
    }
}

fn damage(after: u64, segment: u32, offset: u64, what: Fault) -> Error {
    Error::Damaged(Damage { after, segment, offset, what })
}

impl<'s> Scan<'s> {
    /// Walks from `start`, which must be a place between two frames. Where the log ends is only known
    /// from HEAD: before it, what is not valid is damage; behind it, it is the end.
    pub(crate) fn new(
        source: &'s dyn Source,
        chain: &'s Chain,
        start: Position,
        head: Position,
    ) -> Result<Self, Error> {
        let mut scan = Self { source, chain, head, at: start, segment: None, beyond_head: false };
        if head.before(&start) {
            return Err(scan.damage(Fault::HeadMismatch));
        }
        scan.segment = scan.load(start.segment)?;
        if scan.segment.is_none() {
            return Err(scan.damage(Fault::SegmentMissing));
        }
        scan.pass_head()?;
        Ok(scan)
    }

    /// A frame at a place that the index names; its checksum is proven, its chain was at the start.
    pub(crate) fn frame_at<'b>(bytes: &'b [u8], place: FramePlace) -> Result<Frame<'b>, Error> {
        let rest = bytes.get(to_usize(place.offset)..).unwrap_or_default();
        Frame::decode(rest).ok_or_else(|| damage(0, place.segment, place.offset, Fault::Frame))
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        self.at
    }

    /// Whether everything that is acknowledged has been seen.
    pub(crate) fn beyond_head(&self) -> bool {
        self.beyond_head
    }

    /// The next frame; `None` at the end of what is valid.
    pub(crate) fn next(&mut self) -> Result<Option<Found<'_>>, Error> {
        while !self.at_magic() {
            if !self.enter_next_segment()? {
                return self.end(Fault::Frame).map(|()| None);
            }
        }
        let start = self.at;
        let parsed = match self.parse() {
            Ok(parsed) => parsed,
            Err(fault) => return self.end(fault).map(|()| None),
        };
        self.at = parsed;
        self.pass_head()?;
        let bytes = self.rest_from(start.offset);
        // Parsed once more instead of kept: the borrow would outlive the step to the next place.
        let found = Frame::decode(bytes).and_then(|frame| {
            let records = records_of(&frame)?;
            Some(Found { frame, records, start })
        });
        Ok(found)
    }

    /// Proves the frame that is next, and says where it ends.
    fn parse(&self) -> Result<Position, Fault> {
        let frame = Frame::decode(self.rest_from(self.at.offset)).ok_or(Fault::Frame)?;
        if !frame.continues(self.chain, &self.at.hash) {
            return Err(Fault::Chain);
        }
        if frame.first_seq != self.at.seq + 1 {
            return Err(Fault::Sequence);
        }
        if frame.epoch < self.at.epoch {
            return Err(Fault::Epoch);
        }
        records_of(&frame).ok_or(Fault::Record)?;
        Ok(Position {
            segment: self.at.segment,
            offset: self.at.offset + frame.len() as u64,
            seq: self.at.seq + u64::from(frame.count),
            epoch: frame.epoch,
            hash: frame.hash,
        })
    }

    fn rest_from(&self, offset: u64) -> &[u8] {
        let bytes = self.segment.as_ref().map_or(&[][..], |bytes| bytes.as_slice());
        bytes.get(to_usize(offset)..).unwrap_or(&[])
    }

    fn at_magic(&self) -> bool {
        self.rest_from(self.at.offset).starts_with(frame::MAGIC)
    }

    /// The end, or damage when HEAD lies further on.
    fn end(&self, fault: Fault) -> Result<(), Error> {
        if self.beyond_head { Ok(()) } else { Err(self.damage(fault)) }
    }

    fn damage(&self, fault: Fault) -> Error {
        damage(self.at.seq, self.at.segment, self.at.offset, fault)
    }

    /// Goes on in the next segment, if that continues this one.
    fn enter_next_segment(&mut self) -> Result<bool, Error> {
        let number = self.at.segment + 1;
        let needed = self.head.segment >= number;
        match self.load(number) {
            Ok(Some(bytes)) => {
                self.segment = Some(bytes);
                self.at.segment = number;
                self.at.offset = HEADER_BYTES;
                self.pass_head()?;
                Ok(true)
            }
            Ok(None) if needed => Err(self.damage(Fault::SegmentMissing)),
            Err(Error::Damaged(_)) if !needed => Ok(false),
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A segment that continues what was seen so far.
    fn load(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error> {
        let Some(bytes) = self.source.segment(number)? else { return Ok(None) };
        let at_header = |what| damage(self.at.seq, number, 0, what);
        let header = match SegmentHeader::decode(&bytes, self.chain) {
            Ok(header) => header,
            Err(Refused::Invalid) => return Err(at_header(Fault::SegmentHeader)),
            Err(Refused::Key { keyed }) => return Err(Error::Key { keyed }),
        };
        let resumed_inside = number == self.at.segment && self.at.offset != HEADER_BYTES;
        let continues = header.before == self.at.hash && header.first_seq == self.at.seq + 1;
        if header.number != number || !(continues || resumed_inside) {
            return Err(at_header(Fault::Link));
        }
        Ok(Some(bytes))
    }

    /// HEAD must be a place between two frames, with the chain value that stands there.
    fn pass_head(&mut self) -> Result<(), Error> {
        if self.beyond_head || self.at.before(&self.head) {
            return Ok(());
        }
        if self.at != self.head {
            return Err(self.damage(Fault::HeadMismatch));
        }
        self.beyond_head = true;
        Ok(())
    }
}

fn records_of<'a>(frame: &Frame<'a>) -> Option<Vec<(Header, &'a [u8])>> {
    match frame.kind {
        frame::Kind::Events => frame.records(),
        frame::Kind::Checkpoint => (frame.count == 0).then(Vec::new),
    }
}
