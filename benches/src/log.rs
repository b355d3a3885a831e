//! Commands for the log: the smallest that is recorded every time, so that the log is measured and not
//! the engine.

use holdfast_engine::{Actor, Command, CommandId, Envelope, Timestamp, lease};

/// The command that makes event `place`: a term of leadership.
#[must_use]
pub fn command(place: u64) -> Envelope {
    Envelope {
        id: CommandId(u128::from(place).to_be_bytes()),
        at: Timestamp(i64::try_from(place).unwrap_or(i64::MAX)),
        actor: Actor::Operator,
        epoch: place,
        command: Command::Lease(lease::Command::Begin { holder: "operator-0".to_owned() }),
    }
}

/// The commands that make the events behind `after`.
#[must_use]
pub fn batch(after: u64, count: u64) -> Vec<Envelope> {
    (after + 1..=after + count).map(command).collect()
}
