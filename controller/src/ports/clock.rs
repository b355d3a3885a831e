//! The only file that asks the time.

use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::Timestamp;

/// What tells the time of day. Waiting is the runtime's, whose clock may be a made-up one as well.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970.
    fn nanos(&self) -> i64;

    /// The time now.
    fn now(&self) -> Timestamp {
        Timestamp(self.nanos() / 1_000_000)
    }
}

/// A clock that can be handed on.
pub type Handle = Arc<dyn Clock>;

/// The clock of this machine.
pub struct Machine;

impl Clock for Machine {
    fn nanos(&self) -> i64 {
        now_nanos()
    }
}

/// The time now, by the clock of this machine.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX))
}

/// The time now in nanoseconds since 1970, as executor jobs carry it.
#[must_use]
pub fn now_nanos() -> i64 {
    i64::try_from(since_1970().as_nanos()).unwrap_or(i64::MAX)
}

/// A clock before 1970 counts as 1970: the engine takes the later of this and its last event anyway.
#[allow(clippy::disallowed_methods, reason = "this is the port that the rule points to")]
fn since_1970() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A clock that goes with the runtime's: where that is paused, both are made up.
    pub(crate) struct Virtual {
        since: i64,
        begun: tokio::time::Instant,
    }

    impl Virtual {
        /// A clock that shows `since` now.
        pub(crate) fn at(since: Timestamp) -> Handle {
            Arc::new(Self { since: since.0, begun: tokio::time::Instant::now() })
        }
    }

    impl Clock for Virtual {
        fn nanos(&self) -> i64 {
            let passed = i64::try_from(self.begun.elapsed().as_nanos()).unwrap();
            self.since * 1_000_000 + passed
        }
    }

    #[test]
    fn nanoseconds_are_more_than_milliseconds_with_zeros() {
        let before = now().0;
        // One look may fall on a whole millisecond; ten in a row do not.
        let looks: Vec<i64> = (0..10).map(|_| Machine.nanos()).collect();
        assert!(looks.iter().any(|nanos| nanos % 1_000_000 != 0), "{looks:?}");
        assert!(looks.iter().all(|nanos| nanos / 1_000_000 >= before));
        assert!(Machine.now().0 >= before);
    }
}
