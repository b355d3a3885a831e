//! A log whose HEAD is lost in both slots: what it still proves, and HEAD written anew.
//!
//! HEAD is the only witness of how much was acknowledged. Without it the chain proves that nothing was changed
//! or left out up to its last valid frame, and not that this was the last one. So this is for a human to
//! decide, who may hold an export or an anchor against the place that is found.

use std::path::Path;

use holdfast_engine::{Recorded, Timestamp};

use crate::bytes::to_usize;
use crate::chain::{Chain, ChainKey};
use crate::error::{Damage, Error, Fault};
use crate::frame::{self, Frame};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::head::Head;
use crate::journal::scan::{acknowledged, beginning};
use crate::journal::segment::SegmentHeader;
use crate::journal::source::Source;
use crate::journal::writer::rewrite_kept;
use crate::lock::Lock;
use crate::reader::Reader;
use crate::recover::{Extent, recover};
use crate::replay::Until;

/// What a log without HEAD still proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Headless {
    /// Where the valid chain begins.
    pub first_seq: u64,
    /// Where it ends.
    pub end: Position,
    /// Time of the last event.
    pub last_at: Timestamp,
    /// The last event; absent if there is none, or it is of a type that this release does not know.
    pub last: Option<Recorded>,
    /// What lies behind the end.
    pub tail: Tail,
}

/// What lies behind the last valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Nothing,
    /// Bytes that are no frame: what a torn write leaves, or a damaged last frame.
    Torn {
        /// How many, up to the last that is not zero.
        bytes: u64,
    },
    /// Whole frames, or a segment, that do not continue the chain: what lies before them was acknowledged,
    /// and is damaged or gone.
    Further {
        /// The largest sequence number that they name.
        seq: u64,
    },
}

/// Looks at a log whose HEAD is lost; `None` if HEAD is valid. Nothing is changed.
///
/// # Errors
/// [`Error::Absent`], [`Error::Key`]; [`Error::Damaged`] if not even the beginning is valid, or a state cannot
/// be made of what is.
pub fn headless(dir: &Path, key: Option<ChainKey>) -> Result<Option<Headless>, Error> {
    let reader = Reader::open(dir, key.clone())?;
    if reader.head_lost().is_none() {
        return Ok(None);
    }
    let (source, chain) = (Directory::disk(dir), Chain::new(key));
    let start = beginning(&source, &chain)?;
    let plan = (Extent::Valid, Until::End);
    let (fold, end) = recover(&source, &chain, start, plan)?;
    let last = reader.range(end.seq, end.seq)?.pop();
    Ok(Some(Headless {
        first_seq: start.seq + 1,
        end,
        last_at: fold.state.last_at,
        last,
        tail: tail(&source, &end)?,
    }))
}

/// Writes HEAD anew, so that the log ends where its valid chain does. Answers what was found before.
///
/// # Errors
/// As [`headless`]; [`Error::Locked`] while the log belongs to somebody; [`Error::HeadValid`] if there is
/// nothing to repair; [`Error::Damaged`] if frames lie further on, since what is between was acknowledged and
/// must not be cut off: that takes the export.
pub fn write_head(dir: &Path, key: Option<ChainKey>) -> Result<Headless, Error> {
    let _lock = Lock::take(&Directory::disk(dir))?;
    let found = headless(dir, key.clone())?;
    let found = found.ok_or_else(|| Error::HeadValid { dir: dir.to_path_buf() })?;
    let end = found.end;
    if let Tail::Further { .. } = found.tail {
        let Position { seq: after, segment, offset, .. } = end;
        return Err(Error::Damaged(Damage { after, segment, offset, what: Fault::Further }));
    }
    let (target, chain) = (Directory::disk(dir), Chain::new(key));
    // Which frames a HEAD has named is not known; those of earlier segments were synced before this one began.
    let segment = Position { offset: 0, ..end };
    rewrite_kept(&target, &segment, &end)?;
    Head::create(&target, &chain, &end)?;
    // Proven once more from the disk, as the next start will.
    acknowledged(&target, &chain)?;
    Ok(found)
}

fn tail(source: &dyn Source, end: &Position) -> Result<Tail, Error> {
    let mut further = None;
    let mut torn = 0;
    for number in source.segments()?.into_iter().filter(|number| *number >= end.segment) {
        let bytes = source.segment(number)?.unwrap_or_default();
        let mut rest = bytes.as_slice();
        if number == end.segment {
            rest = rest.get(to_usize(end.offset)..).unwrap_or_default();
            torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        } else {
            // A segment gets its name with its header; the events before it came first.
            further = further.max(Some(before_segment(&bytes)));
        }
        further = further.max(frames(rest).filter(|seq| *seq > end.seq).max());
    }
    Ok(match (further, torn) {
        (Some(seq), _) => Tail::Further { seq: seq.max(end.seq) },
        (None, 0) => Tail::Nothing,
        (None, bytes) => Tail::Torn { bytes },
    })
}

/// The last sequence number before a segment, as its header says, whatever its check value.
fn before_segment(bytes: &[u8]) -> u64 {
    SegmentHeader::claimed(bytes).map_or(0, |header| header.first_seq.saturating_sub(1))
}

/// Last sequence numbers of all whole frames in these bytes, wherever they begin.
fn frames(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let starts = bytes.windows(frame::MAGIC.len()).enumerate();
    let starts = starts.filter(|(_, window)| window == frame::MAGIC).map(|(at, _)| at);
    starts
        .filter_map(|at| Frame::decode(bytes.get(at..)?))
        .map(|frame| (frame.first_seq + u64::from(frame.count)).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use holdfast_engine::{Actor, Command, CommandId, Envelope, lease};

    use super::*;
    use crate::limits::MIN_SEGMENT_BYTES;
    use crate::{Ledger, Options};

    fn options(key: Option<ChainKey>) -> Options {
        Options { key, segment_bytes: MIN_SEGMENT_BYTES, ..Options::default() }
    }

    fn term(epoch: u64) -> Envelope {
        Envelope {
            id: CommandId([epoch.to_le_bytes()[0]; 16]),
            at: Timestamp(i64::try_from(epoch).unwrap()),
            actor: Actor::Operator,
            epoch,
            command: Command::Lease(lease::Command::Begin { holder: "me".into() }),
        }
    }

    /// A log of several segments; what it came to.
    fn filled(dir: &Path, key: Option<&ChainKey>) -> (holdfast_engine::State, Position) {
        let mut ledger = Ledger::open(dir, options(key.cloned())).unwrap();
        for epoch in 1..=60 {
            ledger.submit(&[term(epoch)]).unwrap();
        }
        let found = (ledger.state().clone(), ledger.head());
        // Without a clean end, so that no checkpoint follows.
        drop(ledger);
        assert!(found.1.segment > 1);
        found
    }

    fn lose_head(dir: &Path) {
        let path = dir.join("HEAD");
        let mut bytes = fs::read(&path).unwrap();
        bytes[60] ^= 1;
        bytes[4096 + 60] ^= 1;
        fs::write(&path, bytes).unwrap();
    }

    fn segment(dir: &Path, number: u32) -> std::path::PathBuf {
        dir.join(format!("journal/{number:010}.seg"))
    }

    #[test]
    fn a_lost_head_is_written_anew_and_the_log_goes_on() {
        for key in [None, Some(ChainKey::new([3; 32]))] {
            for gone in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let (state, head) = filled(dir.path(), key.as_ref());
                if gone {
                    fs::remove_file(dir.path().join("HEAD")).unwrap();
                } else {
                    lose_head(dir.path());
                }
                assert!(Ledger::open(dir.path(), options(key.clone())).is_err());
                let found = headless(dir.path(), key.clone()).unwrap().unwrap();
                assert_eq!((found.end, found.first_seq), (head, 1));
                assert_eq!((found.tail, found.last_at), (Tail::Nothing, state.last_at));
                assert_eq!(found.last.as_ref().unwrap().seq, head.seq);
                assert_eq!(write_head(dir.path(), key.clone()).unwrap(), found);
                assert!(headless(dir.path(), key.clone()).unwrap().is_none());
                let mut ledger = Ledger::open(dir.path(), options(key.clone())).unwrap();
                assert_eq!((ledger.state(), ledger.head()), (&state, head));
                assert_eq!(ledger.submit(&[term(61)]).unwrap().recorded.len(), 1);
            }
        }
    }

    #[test]
    fn a_head_that_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), None);
        let before = fs::read(dir.path().join("HEAD")).unwrap();
        assert!(matches!(write_head(dir.path(), None), Err(Error::HeadValid { .. })));
        assert_eq!(fs::read(dir.path().join("HEAD")).unwrap(), before);
    }

    #[test]
    fn a_log_that_belongs_to_somebody_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), None);
        let ledger = Ledger::open(dir.path(), options(None)).unwrap();
        lose_head(dir.path());
        assert!(matches!(write_head(dir.path(), None), Err(Error::Locked { .. })));
        drop(ledger);
        assert!(headless(dir.path(), None).unwrap().is_some());
    }

    #[test]
    fn another_key_repairs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), Some(&ChainKey::new([3; 32])));
        lose_head(dir.path());
        assert!(matches!(write_head(dir.path(), None), Err(Error::Key { keyed: true })));
        let other = Some(ChainKey::new([4; 32]));
        assert!(matches!(write_head(dir.path(), other), Err(Error::Damaged(_))));
    }

    #[test]
    fn a_torn_last_frame_is_named_and_the_log_ends_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (_, head) = filled(dir.path(), None);
        lose_head(dir.path());
        let path = segment(dir.path(), head.segment);
        let mut bytes = fs::read(&path).unwrap();
        let last = to_usize(head.offset) - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let found = headless(dir.path(), None).unwrap().unwrap();
        assert_eq!(found.end.seq, head.seq - 1);
        assert_eq!(found.tail, Tail::Torn { bytes: head.offset - found.end.offset });
        write_head(dir.path(), None).unwrap();
        let ledger = Ledger::open(dir.path(), options(None)).unwrap();
        assert_eq!(ledger.state().seq, head.seq - 1);
    }

    #[test]
    fn what_was_acknowledged_is_never_cut_off() {
        // Damage in the middle: whole frames behind it, in the segment or in a later one.
        for in_first in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (_, head) = filled(dir.path(), None);
            lose_head(dir.path());
            let path = segment(dir.path(), if in_first { 1 } else { head.segment });
            let mut bytes = fs::read(&path).unwrap();
            bytes[200] ^= 1;
            fs::write(&path, &bytes).unwrap();
            let tree = |dir: &Path| {
                (1..=head.segment).map(|n| fs::read(segment(dir, n)).unwrap()).collect::<Vec<_>>()
            };
            let before = tree(dir.path());
            let found = headless(dir.path(), None).unwrap().unwrap();
            assert_eq!(found.tail, Tail::Further { seq: head.seq });
            let error = write_head(dir.path(), None).unwrap_err();
            assert!(error.to_string().contains("further on"), "{error}");
            assert_eq!(tree(dir.path()), before);
            assert!(headless(dir.path(), None).unwrap().is_some());
        }
    }

    #[test]
    fn a_missing_segment_is_no_end() {
        let dir = tempfile::tempdir().unwrap();
        let (_, head) = filled(dir.path(), None);
        lose_head(dir.path());
        fs::remove_file(segment(dir.path(), 2)).unwrap();
        let found = headless(dir.path(), None).unwrap().unwrap();
        assert_eq!(found.end.segment, 1);
        assert_eq!(found.tail, Tail::Further { seq: head.seq });
    }
}
