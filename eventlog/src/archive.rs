//! Archiving: closed segments that are exported and old are dropped; the log then begins behind them.

use holdfast_engine::Timestamp;

use crate::chain::Chain;
use crate::error::Error;
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::journal::position::Slot;
use crate::journal::scan::{Scan, beginning};
use crate::journal::source::Source;

/// What may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archivable {
    /// Everything up to this sequence number is in an export.
    pub exported: u64,
    /// Only segments whose last event is older.
    pub before: Timestamp,
}

/// The last place where the log may begin: between two segments, with everything before it exported,
/// old enough, and covered by the oldest checkpoint.
fn new_beginning(
    dir: &Directory,
    chain: &Chain,
    (marked, head): (u64, Position),
    archivable: Archivable,
) -> Result<Option<Position>, Error> {
    // A checkpoint that has no mark yet covers nothing.
    let covered = dir.checkpoints()?.into_iter().find(|seq| *seq <= marked);
    let Some(covered) = covered else { return Ok(None) };
    let start = beginning(dir, chain)?;
    let mut scan = Scan::new(dir, chain, start, head)?;
    let mut found = None;
    let mut segment = start.segment;
    let mut end = start;
    while let Some(frame) = scan.next()? {
        if frame.start.segment != segment {
            segment = frame.start.segment;
            if end.seq > archivable.exported || end.seq > covered {
                break;
            }
            found = Some(frame.start);
        }
        if frame.records.iter().any(|(header, _)| header.at >= archivable.before) {
            break;
        }
        end = scan.position();
    }
    Ok(found)
}

/// Drops what may be dropped; returns the first sequence number that stays.
pub(crate) fn drop_segments(
    dir: &Directory,
    chain: &Chain,
    ends: (u64, Position),
    archivable: Archivable,
) -> Result<u64, Error> {
    let Some(base) = new_beginning(dir, chain, ends, archivable)? else {
        return Ok(beginning(dir, chain)?.seq + 1);
    };
    // BASE is on disk before the first segment goes: a log never begins with nothing.
    dir.files.write_whole(&dir.base_path(), &base.encode(Slot::Base, chain, 0))?;
    for number in dir.segments()?.into_iter().filter(|number| *number < base.segment) {
        dir.files.remove(&dir.segment_path(number))?;
    }
    dir.files.sync_dir(&dir.journal())?;
    Ok(base.seq + 1)
}
