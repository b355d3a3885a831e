//! What the child appends: everything about a batch follows from its place in the log, so that
//! whoever reads the log knows what must stand there, and where a batch may end.

use holdfast_engine::{Actor, Command, CommandId, Envelope, Event, Recorded, Timestamp, lease};

/// Batches have one to so many events.
const LARGEST_BATCH: u64 = 4;

/// The batch that follows event `after`: one event each command.
#[must_use]
pub fn batch(after: u64) -> Vec<Envelope> {
    (after + 1..=after + size(after)).map(envelope).collect()
}

/// Whether a batch ends with event `seq`, so that a log may end there.
#[must_use]
pub fn ends_batch(seq: u64) -> bool {
    let mut end = 0;
    while end < seq {
        end += size(end);
    }
    end == seq
}

/// The place that an event says it has.
#[must_use]
pub fn place_of(recorded: &Recorded) -> Option<u64> {
    match &recorded.event {
        Event::Lease(lease::Event::EpochBegan { holder }) => holder.parse().ok(),
        _ => None,
    }
}

/// Events of the batch that follows event `after`.
fn size(after: u64) -> u64 {
    1 + (after / 3) % LARGEST_BATCH
}

/// The command that makes event `place`: a term of leadership, the smallest thing that the engine
/// records every time it is asked. Its number and its holder are the place.
fn envelope(place: u64) -> Envelope {
    Envelope {
        id: CommandId(u128::from(place).to_be_bytes()),
        at: Timestamp(i64::try_from(place).unwrap_or(i64::MAX)),
        actor: Actor::Operator,
        epoch: place,
        command: Command::Lease(lease::Command::Begin { holder: place.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_each_other_and_have_all_sizes() {
        let (mut end, mut sizes) = (0, Vec::new());
        while end < 100 {
            assert!(ends_batch(end));
            let batch = batch(end);
            for (between, envelope) in batch.iter().enumerate() {
                let place = end + 1 + between as u64;
                assert_eq!(envelope.at, Timestamp(place as i64));
                assert_eq!(ends_batch(place), between + 1 == batch.len());
            }
            sizes.push(batch.len());
            end += batch.len() as u64;
        }
        assert_eq!(sizes[0], 1);
        assert!((1..=4).all(|size| sizes.contains(&size)));
    }
}
