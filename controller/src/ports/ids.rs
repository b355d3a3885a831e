//! The only file that rolls dice.

use holdfast_engine::{CommandId, Uid};

/// A uid for an object that no API server has named.
#[must_use]
pub fn uid() -> Uid {
    Uid(*uuid::Uuid::new_v4().as_bytes())
}

/// An id for a command.
#[must_use]
pub fn command_id() -> CommandId {
    CommandId(*uuid::Uuid::new_v4().as_bytes())
}

/// A number that nobody can foresee, where one of many is to be chosen.
#[must_use]
pub fn chance() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}
