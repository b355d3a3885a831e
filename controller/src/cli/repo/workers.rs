//! How many threads a verb takes.

use clap::{Args, value_parser};
use holdfast_executor::job::Resources;

use crate::ports::memory;

/// Threads that somebody may ask for: more would only wait for each other.
const MAX: i64 = 256;

/// Argument of the verbs that work with threads.
#[derive(Debug, Args)]
pub(super) struct Workers {
    /// Threads; 0: one for each processor, or fewer where a container's memory limit leaves no room.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(..=MAX))]
    workers: u32,
}

impl Workers {
    /// What the verb may use.
    pub(super) fn resources(&self) -> Resources {
        memory::within_limit(Resources { workers: self.workers, memory_bytes: 0 })
    }
}
