//! Appends frames. Returns only when the journal and a slot of HEAD are on disk, in this order.

use std::path::Path;

use crate::bytes::{len_u64, to_usize};
use crate::chain::Chain;
use crate::error::{Context, Error};
use crate::files::File;
use crate::frame::{self, Intro, OVERHEAD_BYTES};
use crate::journal::directory::Directory;
use crate::journal::head::Head;
use crate::journal::position::Position;
use crate::journal::segment::{HEADER_BYTES, SegmentHeader};
use crate::journal::source::Source;
use crate::limits::FRAME_CONTENT_BYTES;

/// Room for the mark of a checkpoint beside the frame that brings it.
const MARK_FRAME_BYTES: usize = 512;

/// The writer's hold on the journal.
pub(crate) struct Writer {
    dir: Directory,
    chain: Chain,
    segment_bytes: u32,
    file: Box<dyn File>,
    size: u64,
    at: Position,
    head: Head,
    next_is_ready: bool,
}

impl Writer {
    /// Makes a log without events.
    pub(crate) fn create(dir: Directory, chain: Chain, segment_bytes: u32) -> Result<Self, Error> {
        dir.files.make(&dir.journal())?;
        let at = Position::genesis(&chain);
        dir.files.preallocate(&dir.next_path(), u64::from(segment_bytes))?;
        let file = adopt_next(&dir, &chain, &at, segment_bytes)?;
        // HEAD comes last: a journal without it has no event yet, and is made again.
        let head = Head::create(&dir, &chain, &at)?;
        let size = u64::from(segment_bytes);
        Ok(Self { dir, chain, segment_bytes, file, size, at, head, next_is_ready: false })
    }

    /// Goes on behind the last valid frame: what lies between HEAD and there is kept, what lies
    /// behind is cut.
    pub(crate) fn resume(
        dir: Directory,
        chain: Chain,
        segment_bytes: u32,
        (generation, acknowledged): (u64, Position),
        end: Position,
    ) -> Result<Self, Error> {
        dir.files.remove(&dir.next_path())?;
        for number in dir.segments()?.into_iter().filter(|number| *number > end.segment) {
            dir.files.remove(&dir.segment_path(number))?;
        }
        dir.files.sync_dir(&dir.journal())?;
        rewrite_kept(&dir, &acknowledged, &end)?;
        let path = dir.segment_path(end.segment);
        let size = cut(&dir, &path, end.offset)?;
        let file = dir.files.open(&path)?;
        let mut head = Head::open(&dir, generation)?;
        if end != acknowledged {
            head.advance(&chain, &end)?;
        }
        let next_is_ready = false;
        Ok(Self { dir, chain, segment_bytes, file, size, at: end, head, next_is_ready })
    }

    /// Where the log ends.
    pub(crate) fn position(&self) -> Position {
        self.at
    }

    /// Largest content that a frame of this log may have.
    pub(crate) fn content_limit(&self) -> usize {
        let segment = to_usize(u64::from(self.segment_bytes) - HEADER_BYTES);
        // A segment that was just begun has room for a mark and the frame that brings it.
        FRAME_CONTENT_BYTES.min(segment - OVERHEAD_BYTES - MARK_FRAME_BYTES)
    }

    /// Makes sure that a frame of any allowed size, and a mark before it, can be written without asking the
    /// disk for space.
    ///
    /// # Errors
    /// [`Error::NoSpace`] when the next segment cannot be made; nothing has changed then.
    pub(crate) fn make_room(&mut self) -> Result<(), Error> {
        if self.next_is_ready || self.fits(MARK_FRAME_BYTES + self.content_limit()) {
            return Ok(());
        }
        self.dir.files.preallocate(&self.dir.next_path(), u64::from(self.segment_bytes))?;
        self.next_is_ready = true;
        Ok(())
    }

    /// Appends one frame and acknowledges it. After an error the writer must not be used again.
    pub(crate) fn append(&mut self, intro: Intro, content: &[u8]) -> Result<Position, Error> {
        let start = self.write(&[(intro, content)])?;
        self.head.advance(&self.chain, &self.at)?;
        Ok(start)
    }

    /// Appends two frames and acknowledges both with the same two syncs; answers where the second begins.
    pub(crate) fn append_both(
        &mut self,
        first: (Intro, &[u8]),
        second: (Intro, &[u8]),
    ) -> Result<Position, Error> {
        let start = if self.fits(first.1.len() + OVERHEAD_BYTES + second.1.len()) {
            self.write(&[first, second])?
        } else {
            self.write(&[first])?;
            self.write(&[second])?
        };
        self.head.advance(&self.chain, &self.at)?;
        Ok(start)
    }

    /// Whether a frame of this content goes into the segment.
    fn fits(&self, content: usize) -> bool {
        len_u64(content + OVERHEAD_BYTES) <= self.size - self.at.offset
    }

    /// Writes frames into one segment and syncs them; answers where the last begins.
    fn write(&mut self, frames: &[(Intro, &[u8])]) -> Result<Position, Error> {
        let contents: usize = frames.iter().map(|(_, content)| content.len()).sum();
        if !self.fits(contents + OVERHEAD_BYTES * (frames.len() - 1)) {
            self.roll_over()?;
        }
        let (mut bytes, mut last, mut at) = (Vec::new(), self.at, self.at);
        for (intro, content) in frames {
            let (frame, hash) = frame::encode(&self.chain, &at.hash, *intro, content);
            last = at;
            at.offset += len_u64(frame.len());
            at.seq += u64::from(intro.count);
            at.epoch = intro.epoch;
            at.hash = hash;
            bytes.extend(frame);
        }
        let path = || self.dir.segment_path(self.at.segment);
        self.file.write_at(&bytes, self.at.offset).context("write", &path())?;
        self.file.sync_data().context("sync", &path())?;
        self.at = at;
        Ok(last)
    }

    fn roll_over(&mut self) -> Result<(), Error> {
        if !self.next_is_ready {
            self.dir.files.preallocate(&self.dir.next_path(), u64::from(self.segment_bytes))?;
        }
        let at = Position { segment: self.at.segment + 1, offset: HEADER_BYTES, ..self.at };
        self.file = adopt_next(&self.dir, &self.chain, &at, self.segment_bytes)?;
        self.at = at;
        self.size = u64::from(self.segment_bytes);
        self.next_is_ready = false;
        Ok(())
    }
}

/// Gives the preallocated file its header and its name. The header is on disk before the name is,
/// so that a named segment always has one.
fn adopt_next(
    dir: &Directory,
    chain: &Chain,
    at: &Position,
    bytes: u32,
) -> Result<Box<dyn File>, Error> {
    let (next, named) = (dir.next_path(), dir.segment_path(at.segment));
    let header = SegmentHeader {
        number: at.segment,
        first_seq: at.seq + 1,
        size: u64::from(bytes),
        before: at.hash,
    };
    let file = dir.files.open(&next)?;
    file.write_at(&header.encode(chain), 0).context("write", &next)?;
    file.sync_data().context("sync", &next)?;
    dir.files.rename(&next, &named)?;
    dir.files.sync_dir(&dir.journal())?;
    Ok(file)
}

/// Writes again what no HEAD has named yet. After a failed sync the kernel may hold pages as clean that
/// never reached the disk; only writing them again makes the next sync mean something.
pub(crate) fn rewrite_kept(dir: &Directory, from: &Position, to: &Position) -> Result<(), Error> {
    for number in from.segment..=to.segment {
        let path = dir.segment_path(number);
        let bytes = dir.files.read(&path)?.unwrap_or_default();
        let start = if number == from.segment { from.offset } else { 0 };
        let end = if number == to.segment { to.offset } else { len_u64(bytes.len()) };
        let kept = bytes.get(to_usize(start)..to_usize(end)).unwrap_or_default();
        if kept.is_empty() {
            continue;
        }
        let file = dir.files.open(&path)?;
        file.write_at(kept, start).context("write", &path)?;
        file.sync_data().context("sync", &path)?;
    }
    Ok(())
}

/// Makes everything behind `end` zero, and says how large the segment is.
fn cut(dir: &Directory, path: &Path, end: u64) -> Result<u64, Error> {
    let bytes = dir.files.read(path)?.unwrap_or_default();
    let tail = bytes.get(to_usize(end)..).unwrap_or_default();
    if tail.iter().any(|byte| *byte != 0) {
        let file = dir.files.open(path)?;
        file.write_at(&vec![0; tail.len()], end).context("write", path)?;
        file.sync_data().context("sync", path)?;
    }
    Ok(len_u64(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Kind;
    use crate::journal::scan::{Scan, acknowledged};

    const SEGMENT: u32 = 4096;

    fn mark(seq: u64) -> Intro {
        Intro { kind: Kind::Checkpoint, count: 0, first_seq: seq + 1, epoch: 1 }
    }

    fn end_of(dir: &Directory, chain: &Chain) -> Result<(u64, Position, Position), Error> {
        let (generation, head) = acknowledged(dir, chain)?;
        let mut scan = Scan::new(dir, chain, Position::genesis(chain), head)?;
        while scan.next()?.is_some() {}
        Ok((generation, head, scan.position()))
    }

    fn filled(root: &Path, frames: usize) -> (Directory, Chain, Position) {
        let (dir, chain) = (Directory::disk(root), Chain::default());
        let mut writer = Writer::create(dir.clone(), chain.clone(), SEGMENT).unwrap();
        for _ in 0..frames {
            writer.make_room().unwrap();
            writer.append(mark(0), &[7; 900]).unwrap();
        }
        (dir, chain, writer.position())
    }

    #[test]
    fn a_log_of_several_segments_is_read_to_its_end() {
        let root = tempfile::tempdir().unwrap();
        let (dir, chain, end) = filled(root.path(), 13);
        assert_eq!(end.segment, 4);
        let (_, head, scanned) = end_of(&dir, &chain).unwrap();
        assert_eq!((head, scanned), (end, end));
    }

    #[test]
    fn an_unacknowledged_frame_is_kept_and_a_torn_one_is_cut() {
        let root = tempfile::tempdir().unwrap();
        let (dir, chain, end) = filled(root.path(), 2);
        let (whole, hash) = frame::encode(&chain, &end.hash, mark(0), &[8; 200]);
        let (torn, _) = frame::encode(&chain, &hash, mark(0), &[9; 200]);
        let mut tail = whole.clone();
        tail.extend_from_slice(&torn[..150]);
        let path = dir.segment_path(end.segment);
        let file = dir.files.open(&path).unwrap();
        file.write_at(&tail, end.offset).unwrap();

        let (generation, head, valid) = end_of(&dir, &chain).unwrap();
        assert_eq!((head, valid.offset), (end, end.offset + whole.len() as u64));
        let resumed =
            Writer::resume(dir.clone(), chain.clone(), SEGMENT, (generation, head), valid).unwrap();
        assert_eq!(resumed.position(), valid);
        assert!(
            std::fs::read(&path).unwrap()[valid.offset as usize..].iter().all(|byte| *byte == 0)
        );
        assert_eq!(end_of(&dir, &chain).unwrap().1, valid);
    }

    #[test]
    fn a_rollover_without_a_frame_is_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let (dir, chain, end) = filled(root.path(), 1);
        dir.files.preallocate(&dir.next_path(), u64::from(SEGMENT)).unwrap();
        let at = Position { segment: 2, offset: HEADER_BYTES, ..end };
        adopt_next(&dir, &chain, &at, SEGMENT).unwrap();
        let (generation, head, valid) = end_of(&dir, &chain).unwrap();
        let mut writer =
            Writer::resume(dir.clone(), chain.clone(), SEGMENT, (generation, head), valid).unwrap();
        writer.append(mark(0), b"on").unwrap();
        assert_eq!(end_of(&dir, &chain).unwrap().2, writer.position());
        assert_eq!(writer.position().segment, 2);
    }
}
