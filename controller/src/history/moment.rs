//! A place in the history, as people write it.

use std::str::FromStr;

use holdfast_engine::Timestamp;
use holdfast_eventlog::Until;

/// An instant, or the number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Until);

/// Why a text is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an instant such as 2026-11-21T03:00:00Z nor the number of an event")]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    /// An instant to the second covers its whole second: what a table shows can be typed.
    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        if let Ok(seq) = text.parse() {
            return Ok(Self(Until::Seq(seq)));
        }
        let at: Timestamp = text.parse().map_err(|_| NotAMoment)?;
        let end = if text.contains('.') { at } else { Timestamp(at.0.saturating_add(999)) };
        Ok(Self(Until::Time(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_events_and_seconds_are_whole() {
        let cases = [
            ("17", Until::Seq(17)),
            ("1970-01-01T00:00:05.250Z", Until::Time(Timestamp(5_250))),
            ("1970-01-01T00:00:05Z", Until::Time(Timestamp(5_999))),
            ("1970-01-01T02:00:05+02:00", Until::Time(Timestamp(5_999))),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(Moment(expected)), "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_instants_is_refused() {
        for text in ["", "yesterday", "2026-11-21", "2026-11-21T03:00:00", "-1", "1.5"] {
            assert_eq!(text.parse::<Moment>(), Err(NotAMoment), "{text}");
        }
    }
}
