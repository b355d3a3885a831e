//! The only file that asks the time.

use holdfast_engine::Timestamp;

/// The time now, by the clock of this machine.
///
/// A clock before 1970 counts as 1970: the engine takes the later of this and its last event anyway.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the port that the rule points to")]
pub fn now() -> Timestamp {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The time now in nanoseconds since 1970, as executor jobs carry it.
#[must_use]
pub fn now_nanos() -> i64 {
    now().0.saturating_mul(1_000_000)
}
