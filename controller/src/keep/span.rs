//! Spans of the calendar, such as `1y6m7d12h`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Years, months, days and hours back from an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    years: u16,
    months: u16,
    days: u32,
    hours: u32,
}

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give numbers with the units y, m, d and h, such as 1y6m or 30d12h")]
pub struct NotASpan;

impl Span {
    /// The instant so long before `from`. A day that its month does not have counts on into the next one, as
    /// in restic: a month before 31 March is 3 March, or the 2nd in a leap year. Nothing is before the
    /// beginning of the calendar.
    #[must_use]
    pub fn before(self, from: Timestamp, zone: &TimeZone) -> Timestamp {
        let at = from.to_zoned(zone.clone());
        let months = i32::from(at.year()) * 12 + i32::from(at.month())
            - 1
            - i32::from(self.years) * 12
            - i32::from(self.months);
        let first = i16::try_from(months.div_euclid(12))
            .ok()
            .zip(i8::try_from(months.rem_euclid(12) + 1).ok())
            .and_then(|(year, month)| Date::new(year, month, 1).ok());
        let days = i64::from(at.day()) - 1 - i64::from(self.days);
        first
            .and_then(|first| first.checked_add(days.days()).ok())
            .and_then(|day| day.to_datetime(at.time()).to_zoned(zone.clone()).ok())
            .and_then(|start| {
                let hours = SignedDuration::from_hours(i64::from(self.hours));
                start.timestamp().checked_sub(hours).ok()
            })
            .unwrap_or(Timestamp::MIN)
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let mut span = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NotASpan)?;
            let (number, unit) = rest.split_at(end);
            let number: u32 = number.parse().map_err(|_| NotASpan)?;
            let short = || u16::try_from(number).map_err(|_| NotASpan);
            match unit.chars().next() {
                Some('y') => span.years = short()?,
                Some('m') => span.months = short()?,
                Some('d') => span.days = number,
                Some('h') => span.hours = number,
                _ => return Err(NotASpan),
            }
            rest = &unit[1..];
        }
        if span == Self::default() { Err(NotASpan) } else { Ok(span) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (u32::from(self.years), 'y'),
            (u32::from(self.months), 'm'),
            (self.days, 'd'),
            (self.hours, 'h'),
        ];
        parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    #[test]
    fn spans_go_both_ways() {
        for text in ["1y", "6m", "1y6m7d12h", "400d"] {
            assert_eq!(span(text).to_string(), text);
        }
        assert_eq!(span("12h1y"), span("1y12h"));
        for text in ["", "1", "y", "-1d", "1w", "0d", "1.5d", "99999999999d", "70000y", "1ü"] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan), "{text}");
        }
    }

    #[test]
    fn the_calendar_is_counted_back_as_restic_counts() {
        let table = [
            ("2026-03-31T10:00:00Z", "1m", "2026-03-03T10:00:00Z"),
            ("2024-03-31T10:00:00Z", "1m", "2024-03-02T10:00:00Z"),
            ("2026-01-15T00:30:00Z", "1y2m3d1h", "2024-11-11T23:30:00Z"),
            ("2024-02-29T00:00:00Z", "1y", "2023-03-01T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "36h", "2025-12-30T12:00:00Z"),
        ];
        for (from, by, wanted) in table {
            let from: Timestamp = from.parse().unwrap();
            assert_eq!(span(by).before(from, &TimeZone::UTC).to_string(), wanted, "{by}");
        }
        assert_eq!(span("60000y").before(Timestamp::UNIX_EPOCH, &TimeZone::UTC), Timestamp::MIN);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let from: Timestamp = "2026-03-29T12:00:00+02:00".parse().unwrap();
        // The night before has one hour less.
        let wanted: Timestamp = "2026-03-28T12:00:00+01:00".parse().unwrap();
        assert_eq!(span("1d").before(from, &zone), wanted);
    }
}
