//! What a log is found to hold, read without owning it.

use std::path::Path;

use holdfast_eventlog::{Error, Reader};

use crate::workload;

/// Reads the whole log and returns its last event.
///
/// # Errors
/// What the log answers.
///
/// # Panics
/// If it holds less than was acknowledged, half a batch, or an event that was never asked for.
pub fn proven(dir: &Path, acked: u64) -> Result<u64, Error> {
    let reader = Reader::open(dir, None)?;
    let head = reader.head().seq;
    assert!(head >= acked, "event {acked} was acknowledged, the log ends at {head}");
    assert!(workload::ends_batch(head), "the log ends at {head}, within a batch");
    let events = reader.range(1, head)?;
    assert_eq!(events.len() as u64, head, "events are missing");
    for (place, recorded) in (1..).zip(&events) {
        assert_eq!(recorded.seq, place);
        assert_eq!(workload::place_of(recorded), Some(place), "{recorded:?}");
    }
    Ok(head)
}
