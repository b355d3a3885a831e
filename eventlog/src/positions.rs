//! The index as the ledger sees it: never in the way. An index in doubt is replaced by one in memory,
//! made from the journal; the next start makes a new one on disk.

use holdfast_engine::{CommandId, Recorded};

use crate::chain::Chain;
use crate::error::Error;
use crate::index::memory::MemoryIndex;
use crate::index::{CommandPlace, Doubt, FramePlace, Index, sled};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::{Found, Scan, acknowledged, beginning};
use crate::journal::source::Source;
use crate::record::{Header, StreamKey};
use crate::recover::Witness;
use crate::replay::event_of;

/// The index of a ledger.
pub(crate) struct Positions {
    dir: Directory,
    chain: Chain,
    index: Box<dyn Index>,
    /// It has to be filled from the journal.
    stale: bool,
    on_disk: bool,
}

impl Positions {
    /// Takes the index of the last clean end, or begins a new one.
    pub(crate) fn open(dir: &Directory, chain: &Chain, head: &Position) -> Self {
        if !dir.files.on_disk() {
            let index = Box::new(MemoryIndex::default());
            let (dir, chain) = (dir.clone(), chain.clone());
            return Self { dir, chain, index, stale: true, on_disk: false };
        }
        let kept = sled::reopen(dir, head);
        let stale = kept.is_none();
        let made = kept.map_or_else(|| sled::create(dir), Ok);
        let on_disk = made.is_ok();
        let index = made.unwrap_or_else(|Doubt(_)| Box::new(MemoryIndex::default()));
        Self { dir: dir.clone(), chain: chain.clone(), index, stale, on_disk }
    }

    /// The journal has been read to its end: an index that failed on the way is replaced.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.stale = false;
        self.ask(|index| index.command(CommandId::default())).map(|_| ())
    }

    /// Takes the records of a frame that is acknowledged.
    pub(crate) fn note(&mut self, place: FramePlace, headers: &[Header]) -> Result<(), Error> {
        match self.index.note(place, headers) {
            Ok(()) => Ok(()),
            Err(doubt) => self.replace(&doubt),
        }
    }

    /// What a command led to.
    pub(crate) fn command(&mut self, id: CommandId) -> Result<Option<CommandPlace>, Error> {
        self.ask(|index| index.command(id))
    }

    /// The events of a stream.
    pub(crate) fn stream(&mut self, key: StreamKey) -> Result<Vec<Recorded>, Error> {
        let places = self.ask(|index| index.stream(key))?;
        let mut events = Vec::new();
        let mut segment: Option<(u32, std::sync::Arc<Vec<u8>>)> = None;
        for place in places {
            let number = place.segment;
            if segment.as_ref().is_none_or(|(held, _)| *held != number) {
                segment = self.dir.segment(number)?.map(|bytes| (number, bytes));
            }
            let Some((_, bytes)) = &segment else { continue };
            let frame = Scan::frame_at(bytes, place)?;
            for (header, payload) in frame.records().unwrap_or_default() {
                if header.stream == key {
                    let at = Position {
                        segment: number,
                        offset: place.offset,
                        seq: header.seq,
                        epoch: header.epoch,
                        hash: frame.hash,
                    };
                    events.extend(event_of(&header, payload, &at)?);
                }
            }
        }
        Ok(events)
    }

    pub(crate) fn projection(&self, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.index.projection(name, key).ok().flatten()
    }

    pub(crate) fn project(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> bool {
        self.index.project(name, key, value).is_ok()
    }

    /// Makes it last, if it is on disk and was never in doubt.
    pub(crate) fn close(self, head: &Position) -> Result<(), Error> {
        if !self.on_disk {
            return Ok(());
        }
        match self.index.close() {
            Ok(()) => sled::mark_clean(&self.dir, head),
            Err(Doubt(_)) => Ok(()),
        }
    }

    fn ask<T>(&mut self, question: impl Fn(&dyn Index) -> Result<T, Doubt>) -> Result<T, Error> {
        match question(self.index.as_ref()) {
            Ok(answer) => Ok(answer),
            Err(doubt) => {
                self.replace(&doubt)?;
                question(self.index.as_ref())
                    .map_err(|Doubt(reason)| Error::Encode { what: "an index in memory", reason })
            }
        }
    }

    /// Goes on in memory. Duplicate commands must be recognised, so this has to succeed.
    fn replace(&mut self, _: &Doubt) -> Result<(), Error> {
        let (_, head) = acknowledged(&self.dir, &self.chain)?;
        let mut scan = Scan::new(&self.dir, &self.chain, beginning(&self.dir, &self.chain)?, head)?;
        let mut index = MemoryIndex::default();
        while !scan.beyond_head() {
            let Some(found) = scan.next()? else { break };
            let headers: Vec<Header> = found.records.iter().map(|(header, _)| *header).collect();
            // Memory has no doubts.
            let _ = index.note(place_of(&found), &headers);
        }
        self.index = Box::new(index);
        self.on_disk = false;
        Ok(())
    }
}

fn place_of(found: &Found<'_>) -> FramePlace {
    FramePlace { segment: found.start.segment, offset: found.start.offset }
}

/// Fills an index that was begun anew, on the way through the journal.
impl Witness for Positions {
    /// On disk entries are overwritten with the same values; memory would hold them twice.
    fn restart(&mut self) {
        if self.stale && !self.on_disk {
            self.index = Box::new(MemoryIndex::default());
        }
    }

    fn frame(&mut self, found: &Found<'_>) {
        if !self.stale || found.records.is_empty() {
            return;
        }
        let headers: Vec<Header> = found.records.iter().map(|(header, _)| *header).collect();
        if self.index.note(place_of(found), &headers).is_err() {
            // Filled again from the beginning, once HEAD is known to be right.
            self.index = Box::new(sled::Broken);
            self.on_disk = false;
            self.stale = false;
        }
    }
}
