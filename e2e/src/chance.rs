//! Random moments that can be had again: a failing run prints its seed.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The variable that repeats a run.
const SEED: &str = "HOLDFAST_SEED";

/// A small generator (xorshift64*): tests need variety, not secrecy.
#[derive(Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// Seeded from `HOLDFAST_SEED` or freshly; prints the seed, which cargo shows when a test fails.
    #[must_use]
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0u8));
        println!("{SEED}={seed}");
        Self::of(seed)
    }

    /// One that always gives the same.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { state: seed.max(1) }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end.max(1)
    }

    /// A span below `end`, in steps of a microsecond.
    pub fn span_below(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(end.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}
