//! Slots of the sessions' schedules. Cron is evaluated outside; instants arrive with commands.

pub(crate) mod apply;
pub(crate) mod decide;
pub mod state;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::Uid;
use crate::time::Timestamp;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A slot is due.
    Wake {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// The schedule's version that the asker evaluated; a stale one is a conflict.
        version: u32,
        /// The latest slot at or before now.
        slot: Timestamp,
        /// How many slots before that one passed unused.
        missed: u32,
        /// The next slots after now, ascending.
        next: Vec<Timestamp>,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A schedule is set, or set anew.
    Declared {
        /// The configuration; the stream's uid.
        configuration: Uid,
        /// Session name.
        session: String,
        /// Grows with each declaration.
        version: u32,
        /// The next slots, ascending.
        next: Vec<Timestamp>,
    },
    /// A schedule no longer applies.
    Withdrawn {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
    },
    /// A slot was taken up: its session was created or skipped by another event of the same command.
    SlotTaken {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// The slot.
        slot: Timestamp,
        /// The slots after it.
        next: Vec<Timestamp>,
        /// The session that it is for; absent where it was taken before, and only the slots after it are new.
        by: Option<Uid>,
    },
    /// Slots passed while nobody could take them; only the latest is caught up.
    SlotsMissed {
        /// The configuration.
        configuration: Uid,
        /// Session name.
        session: String,
        /// How many.
        count: u32,
        /// The latest of them.
        last: Timestamp,
    },
}

impl Event {
    /// The configuration whose schedule it is.
    #[must_use]
    pub fn uid(&self) -> Uid {
        match self {
            Self::Declared { configuration, .. }
            | Self::Withdrawn { configuration, .. }
            | Self::SlotTaken { configuration, .. }
            | Self::SlotsMissed { configuration, .. } => *configuration,
        }
    }
}
