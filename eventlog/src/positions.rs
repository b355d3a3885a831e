//! The index as the ledger sees it: never in the way. What a checkpoint covers is looked for in its runs; what
//! the start found behind it, in memory, because a start waits for no database; what was noted since, in an
//! index. What is in doubt is replaced by an index in memory, made from the journal; the next
//! checkpoint makes new runs, the next start a new index on disk.

use holdfast_engine::{CommandId, Recorded};

use crate::chain::Chain;
use crate::checkpoint::make::Covered;
use crate::error::Error;
use crate::index::memory::MemoryIndex;
use crate::index::run::Run;
use crate::index::{CommandPlace, Doubt, FramePlace, Index, StreamPlace, sled};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::scan::{Found, Scan, acknowledged, beginning};
use crate::journal::source::Source;
use crate::record::{Header, StreamKey};
use crate::recover::Witness;
use crate::replay::event_of;

/// The places of a log: runs up to a checkpoint, what the start found behind it, and an index of what is new.
pub(crate) struct Positions {
    dir: Directory,
    chain: Chain,
    runs: Vec<Run>,
    /// At most what lies between two checkpoints.
    tail: MemoryIndex,
    index: Box<dyn Index>,
    /// Where the tail begins.
    from: Position,
    next: Covered,
    on_disk: bool,
}

impl Positions {
    /// Takes the read models of the last clean end, or begins without any. What lies behind `covered` has to be
    /// shown then; where it begins is [`Positions::from`], further back if the runs are in doubt.
    pub(crate) fn open(
        dir: &Directory,
        chain: &Chain,
        head: &Position,
        covered: &Covered,
    ) -> Result<Self, Error> {
        let (mut from, mut runs) = (covered.at, Vec::new());
        let opened: Result<Vec<Run>, Doubt> =
            covered.runs.iter().map(|name| Run::open(dir, *name)).collect();
        match opened {
            Ok(opened) => runs = opened,
            Err(Doubt(reason)) => {
                tracing::warn!(reason, "positions are made again from the journal");
                from = beginning(dir, chain)?;
            }
        }
        let made = if dir.files.on_disk() {
            sled::reopen(dir, head).or_else(|| sled::create(dir).ok())
        } else {
            None
        };
        let on_disk = made.is_some();
        let index = made.unwrap_or_else(|| Box::new(MemoryIndex::default()));
        let next = Covered { at: from, runs: runs.iter().map(|run| run.name).collect() };
        let (dir, chain, tail) = (dir.clone(), chain.clone(), MemoryIndex::default());
        Ok(Self { dir, chain, runs, tail, index, from, next, on_disk })
    }

    /// Where the tail begins.
    pub(crate) fn from(&self) -> Position {
        self.from
    }

    /// What the next checkpoint begins with.
    pub(crate) fn next(&self) -> &Covered {
        &self.next
    }

    /// A checkpoint has all places up to here; the index keeps what it has until the next start.
    pub(crate) fn cover(&mut self, covered: Covered) {
        self.next = covered;
    }

    /// Takes what the journal has from the beginning of the tail to a place.
    pub(crate) fn fill(&mut self, until: Position) -> Result<(), Error> {
        let (dir, chain) = (self.dir.clone(), self.chain.clone());
        let mut scan = Scan::new(&dir, &chain, self.from, until)?;
        while !scan.beyond_head() {
            let Some(found) = scan.next()? else { break };
            self.frame(&found);
        }
        Ok(())
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
        let new = self.ask(|index| index.command(id))?;
        if let Some(place) = new.or(self.tail.command(id).unwrap_or_default()) {
            return Ok(Some(place));
        }
        let found = self.runs.iter().rev().find_map(|run| run.command(id).transpose()).transpose();
        match found {
            Ok(found) => Ok(found),
            Err(doubt) => {
                self.distrust(&doubt)?;
                Ok(self.tail.command(id).unwrap_or_default())
            }
        }
    }

    /// Version of the last event of a stream.
    pub(crate) fn version(&mut self, key: StreamKey) -> Result<Option<u32>, Error> {
        let new = self.ask(|index| index.version(key))?;
        if let Some(version) = new.or(self.tail.version(key).unwrap_or_default()) {
            return Ok(Some(version));
        }
        let last = |run: &Run| Ok(run.stream(key)?.last().map(|place| place.last));
        let found = self.runs.iter().rev().find_map(|run| last(run).transpose()).transpose();
        match found {
            Ok(found) => Ok(found),
            Err(doubt) => {
                self.distrust(&doubt)?;
                Ok(self.tail.version(key).unwrap_or_default())
            }
        }
    }

    /// The frames that hold events of a stream, in order.
    fn places(&mut self, key: StreamKey) -> Result<Vec<FramePlace>, Error> {
        let runs: Result<Vec<Vec<StreamPlace>>, Doubt> =
            self.runs.iter().map(|run| run.stream(key)).collect();
        let mut places: Vec<FramePlace> = match runs {
            Ok(runs) => runs.into_iter().flatten().map(|place| place.frame).collect(),
            Err(doubt) => {
                self.distrust(&doubt)?;
                Vec::new()
            }
        };
        // It may turn out to be in doubt, and is part of the tail then.
        let new = self.ask(|index| index.stream(key))?;
        places.extend(self.tail.stream(key).unwrap_or_default());
        places.extend(new);
        Ok(places)
    }

    /// The events of a stream.
    pub(crate) fn stream(&mut self, key: StreamKey) -> Result<Vec<Recorded>, Error> {
        let places = self.places(key)?;
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

    /// Makes it last, if it is on disk and was never in doubt. A checkpoint has all places by now.
    pub(crate) fn close(mut self, head: &Position) -> Result<(), Error> {
        if !self.on_disk {
            return Ok(());
        }
        match self.index.forget().and_then(|()| self.index.close()) {
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
    fn replace(&mut self, Doubt(reason): &Doubt) -> Result<(), Error> {
        tracing::warn!(reason, "the index is made again from the journal, in memory");
        (self.tail, self.index) = (MemoryIndex::default(), Box::new(MemoryIndex::default()));
        self.on_disk = false;
        let (_, head) = acknowledged(&self.dir, &self.chain)?;
        self.fill(head)
    }

    /// A run is not what it was: all places come from the journal, and the next checkpoint makes new runs.
    fn distrust(&mut self, doubt: &Doubt) -> Result<(), Error> {
        self.runs.clear();
        self.from = beginning(&self.dir, &self.chain)?;
        self.next = Covered { at: self.from, runs: Vec::new() };
        self.replace(doubt)
    }
}

impl Witness for Positions {
    fn frame(&mut self, found: &Found<'_>) {
        if found.records.is_empty() {
            return;
        }
        let place = FramePlace { segment: found.start.segment, offset: found.start.offset };
        let headers: Vec<Header> = found.records.iter().map(|(header, _)| *header).collect();
        // In memory nothing fails.
        let _ = self.tail.note(place, &headers);
    }
}
