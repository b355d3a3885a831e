//! The only file that asks the time.

use std::time::Duration;

use holdfast_engine::Timestamp;

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
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_more_than_milliseconds_with_zeros() {
        let before = now().0;
        // One look may fall on a whole millisecond; ten in a row do not.
        let looks: Vec<i64> = (0..10).map(|_| now_nanos()).collect();
        assert!(looks.iter().any(|nanos| nanos % 1_000_000 != 0), "{looks:?}");
        assert!(looks.iter().all(|nanos| nanos / 1_000_000 >= before));
    }
}
