//! What is known of one session's schedule.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The slots of one session of one configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Grows with each declaration; a wake with another version is stale.
    pub version: u32,
    /// The next slots, ascending. One at or before `last_slot` says that the calendar has to be asked
    /// again (a CronJob's trigger brings no new slots with it).
    pub next: Vec<Timestamp>,
    /// The latest slot that was taken; one at or before it is never taken again.
    pub last_slot: Option<Timestamp>,
    /// How many slots passed unused, in all.
    pub missed: u32,
}
