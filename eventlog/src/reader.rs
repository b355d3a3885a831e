//! Reading a log without owning it: beside a running operator, from a copy, or from an export.

use std::path::Path;

use holdfast_engine::{Hash, Recorded, State, StreamId};

use crate::attachment;
use crate::chain::{Chain, ChainKey};
use crate::checkpoint::mark::Mark;
use crate::error::{Damage, Error};
use crate::files::Files;
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::{Scan, acknowledged, beginning};
use crate::journal::segment::{HEADER_BYTES, SegmentHeader};
use crate::journal::source::{Behind, Source};
use crate::record::{Header, StreamKey};
use crate::recover::{Extent, recover};
use crate::replay::{Machine, Until, event_of, feed};

/// A log that is only read: no lock is taken and nothing is changed.
pub struct Reader {
    source: Box<dyn Source>,
    chain: Chain,
    start: Position,
    head: Position,
    head_lost: Option<Damage>,
}

impl Reader {
    /// Opens a log directory. It sees what was acknowledged by now; open again to see more.
    ///
    /// # Errors
    /// [`Error::Absent`] if there is no log, [`Error::Key`] if the key does not fit it.
    pub fn open(dir: &Path, key: Option<ChainKey>) -> Result<Self, Error> {
        Self::open_in(&Files::disk(dir), key)
    }

    /// Opens a log wherever its files are.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_in(files: &Files, key: Option<ChainKey>) -> Result<Self, Error> {
        let source = Directory::new(files.clone());
        if source.segments()?.is_empty() {
            return Err(Error::Absent { dir: files.root().to_path_buf() });
        }
        Self::over(Box::new(source), Chain::new(key))
    }

    pub(crate) fn over(source: Box<dyn Source>, chain: Chain) -> Result<Self, Error> {
        let start = beginning(source.as_ref(), &chain)?;
        let (head, head_lost) = match acknowledged(source.as_ref(), &chain) {
            Ok((_, head)) => (head, None),
            // Without HEAD nothing says how far it should go; what is there can still be read.
            Err(Error::Damaged(damage)) => (start, Some(damage)),
            Err(error) => return Err(error),
        };
        Ok(Self { source, chain, start, head, head_lost })
    }

    /// The same log, with archived segments, checkpoints and attachments read from an export of it.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn behind(self, export: Self) -> Result<Self, Error> {
        let source = Behind { front: self.source, export: export.source };
        Self::over(Box::new(source), self.chain)
    }

    /// How far the log is acknowledged.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// The damage of HEAD itself, if there is any; everything valid is then read.
    #[must_use]
    pub fn head_lost(&self) -> Option<Damage> {
        self.head_lost.clone()
    }

    /// First sequence number that can be read; larger than 1 when segments were archived.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.start.seq + 1
    }

    /// Feeds every record with its payload to a function, up to HEAD or until it says stop.
    pub(crate) fn each(
        &self,
        mut take: impl FnMut(&Header, &[u8], &Position) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut scan = self.scan()?;
        while !self.at_end(&scan) {
            let Some(found) = scan.next()? else { break };
            for (header, payload) in &found.records {
                if !take(header, payload, &found.start)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The events of one object, in order. Only headers of others are read.
    ///
    /// # Errors
    /// [`Error::Damaged`] if damage stands in the way.
    pub fn stream(&self, id: StreamId) -> Result<Vec<Recorded>, Error> {
        let key = StreamKey::from(id);
        let mut events = Vec::new();
        self.each(|header, payload, frame| {
            if header.stream == key {
                events.extend(event_of(header, payload, frame)?);
            }
            Ok(true)
        })?;
        Ok(events)
    }

    /// The events from one sequence number to another, both inclusive.
    ///
    /// # Errors
    /// [`Error::Damaged`] if damage stands in the way.
    pub fn range(&self, first: u64, last: u64) -> Result<Vec<Recorded>, Error> {
        let mut events = Vec::new();
        self.each(|header, payload, frame| {
            if header.seq >= first && header.seq <= last {
                events.extend(event_of(header, payload, frame)?);
            }
            Ok(header.seq < last)
        })?;
        Ok(events)
    }

    /// The state as it was.
    ///
    /// # Errors
    /// [`Error::Damaged`] if damage stands in the way, or the log's beginning is archived: then call
    /// [`Reader::behind`] with the export first.
    pub fn state_at(&self, until: Until) -> Result<State, Error> {
        let extent = if self.head_lost.is_some() { Extent::Valid } else { Extent::Acknowledged };
        let plan = (extent, until);
        recover(self.source(), &self.chain, self.head, plan).map(|(fold, _)| fold.state)
    }

    /// Replays everything into a machine.
    ///
    /// # Errors
    /// As [`drive`].
    pub fn replay(&self, machine: &mut dyn Machine) -> Result<u64, Error> {
        drive(self, machine, Until::End)
    }

    /// A document that an event names; `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it is not what its name says.
    pub fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        attachment::load(self.source.as_ref(), hash)
    }

    /// The chain value behind the frame that ends with this event; `None` if no frame does.
    ///
    /// # Errors
    /// [`Error::Damaged`] if damage stands in the way.
    pub fn hash_at(&self, seq: u64) -> Result<Option<Hash>, Error> {
        let mut scan = self.scan()?;
        while scan.position().seq < seq && !self.at_end(&scan) && scan.next()?.is_some() {}
        let at = scan.position();
        Ok((at.seq == seq).then_some(at.hash))
    }

    pub(crate) fn scan(&self) -> Result<Scan<'_>, Error> {
        Scan::new(self.source.as_ref(), &self.chain, self.start, self.head)
    }

    /// Walks from the beginning of the segment that holds an event, as far back as that is. What stands
    /// before it is not proven; a wrong beginning does not lead to HEAD.
    pub(crate) fn scan_near(&self, seq: u64) -> Result<Scan<'_>, Error> {
        let earlier = (self.start.segment + 1..=self.head.segment).rev();
        for number in earlier.filter(|_| self.head_lost.is_none()) {
            let Some(bytes) = self.source.segment(number)? else { break };
            let Ok(header) = SegmentHeader::decode(&bytes, &self.chain) else { break };
            if header.number == number && header.first_seq <= seq {
                let start = Position {
                    segment: number,
                    offset: HEADER_BYTES,
                    seq: header.first_seq - 1,
                    epoch: 0,
                    hash: header.before,
                };
                return Scan::new(self.source.as_ref(), &self.chain, start, self.head);
            }
        }
        self.scan()
    }

    /// Whether a scan has seen all that this reader shows.
    pub(crate) fn at_end(&self, scan: &Scan<'_>) -> bool {
        self.head_lost.is_none() && scan.beyond_head()
    }

    pub(crate) fn source(&self) -> &dyn Source {
        self.source.as_ref()
    }

    pub(crate) fn start(&self) -> Position {
        self.start
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
