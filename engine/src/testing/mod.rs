//! What tests are made of. [`given`] has objects as a user would write them, also for the tests of other
//! packages (feature `testing`); the rest serves tests at the foot of the engine's own files: plain values,
//! and a world that can be asked.

pub mod given;
#[cfg(test)]
mod plain;
#[cfg(test)]
pub(crate) mod world;

#[cfg(test)]
pub(crate) use plain::*;
