//! Where a start reads on: the newest checkpoint that the end of the chain vouches for.
//!
//! Work is bounded by what lies behind a checkpoint, not by the log: each segment says what chain value
//! stands before its first frame, so the segments are looked through from the last one backwards. A value
//! that is wrong there does not lead to HEAD; a walk from the checkpoint's place to HEAD proves it.

use std::sync::Arc;

use crate::bytes::to_usize;
use crate::chain::Chain;
use crate::checkpoint::{Candidate, Mark};
use crate::error::Error;
use crate::frame::{Frame, Kind};
use crate::journal::Position;
use crate::journal::segment::{HEADER_BYTES, SegmentHeader};
use crate::journal::source::Source;

/// A checkpoint and its mark; `None` if none is usable without reading the whole log.
pub(crate) fn newest(
    source: &dyn Source,
    chain: &Chain,
    start: Position,
    head: Position,
) -> Result<Option<(Candidate, Mark)>, Error> {
    let there = source.checkpoints()?;
    let Some(oldest) = there.first().copied() else { return Ok(None) };
    for number in (start.segment..=head.segment).rev() {
        let Some(bytes) = source.segment(number)? else { return Ok(None) };
        let Some((marks, first_seq)) = marks(&bytes, chain, number, head) else { return Ok(None) };
        for mark in marks.into_iter().rev() {
            if !there.contains(&mark.seq) || mark.position.before(&start) {
                continue;
            }
            let Some(file) = source.checkpoint(mark.seq)? else { continue };
            if let Some(candidate) = Candidate::decode(&file).filter(|found| found.is(&mark)) {
                return Ok(Some((candidate, mark)));
            }
        }
        // A mark stands behind its event: none further back names a checkpoint that is there.
        if first_seq <= oldest {
            break;
        }
    }
    Ok(None)
}

/// The marks in a segment that are acknowledged, and its first sequence number; `None` if it is not what it
/// should be.
fn marks(
    bytes: &Arc<Vec<u8>>,
    chain: &Chain,
    number: u32,
    head: Position,
) -> Option<(Vec<Mark>, u64)> {
    let header = SegmentHeader::decode(bytes, chain).ok()?;
    let end = if number == head.segment { to_usize(head.offset) } else { bytes.len() };
    let mut rest = bytes.get(to_usize(HEADER_BYTES)..end)?;
    let mut before = header.before;
    let mut marks = Vec::new();
    while let Some(frame) = Frame::decode(rest) {
        if !frame.continues(chain, &before) {
            return None;
        }
        if frame.kind == Kind::Checkpoint {
            marks.extend(Mark::decode(frame.content));
        }
        before = frame.hash;
        rest = rest.get(frame.len()..)?;
    }
    (header.number == number).then_some((marks, header.first_seq))
}
