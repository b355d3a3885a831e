//! The kernel: the same operator in every place.
//!
//! ```text
//!            sightings, commands of clients                    views ──▶ publisher ──▶ place
//!                      │                                         ▲ marks
//!                      ▼ inbox                                   │
//!                  dispatcher ───────── ledger ──────────────────┤
//!                      ▲ line                                    │ "the log goes to n"
//!                      │                                         ▼
//!                      └────────── answers, ends of workers ◀── runner ──▶ place
//! ```
//!
//! The dispatcher decides and acknowledges. What is to be done outside is in the outbox of the state: the runner has the
//! place do it, and the answer comes back over the line. Everything between ports is a task that waits on the runtime's
//! clock; time of day, names and dice are ports.

pub mod attendance;
pub mod broken;
pub mod class;
pub mod dispatcher;
mod due;
pub mod inbox;
pub mod jitter;
pub mod leadership;
pub mod progress;
pub mod publisher;
pub mod runner;
pub mod start;
pub mod stores;
mod subject;
pub mod tasks;
#[cfg(test)]
pub(crate) mod testing;

use crate::ports::{clock, ids};

/// What the kernel asks of the outside besides a place.
#[derive(Clone)]
pub struct Ports {
    /// The time of day.
    pub clock: clock::Handle,
    /// Names and dice.
    pub ids: ids::Handle,
}
