//! An instant as people type it.

use std::str::FromStr;

use holdfast_engine::Timestamp;

/// A day, which stands for its beginning in UTC, or a full instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(Timestamp);

/// Why a text is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a day such as 2026-11-21 or an instant such as 2026-11-21T03:00:00Z")]
pub struct NotAnInstant;

impl Instant {
    /// Seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.0.div_euclid(1_000)
    }
}

impl FromStr for Instant {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let whole = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
        whole.map(Self).map_err(|_| NotAnInstant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning() {
        let seconds = |text: &str| text.parse().map(Instant::seconds);
        assert_eq!(seconds("1970-01-02"), Ok(86_400));
        assert_eq!(seconds("1970-01-02T01:00:00+01:00"), Ok(86_400));
        assert_eq!(seconds("yesterday"), Err(NotAnInstant));
    }
}
