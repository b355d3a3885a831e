//! The calendar in UTC, and RFC 3339: what retention counts in and what statuses show.

use core::fmt;
use core::str::FromStr;

use super::Timestamp;

const DAY_MILLIS: i64 = 86_400_000;

/// An instant on the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Proleptic Gregorian year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999.
    pub millisecond: u16,
}

/// Why a text is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an instant of RFC 3339; write one such as 2026-08-01T12:00:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// Days since 1970-01-01, rounded down.
    fn days(self) -> i64 {
        self.0.div_euclid(DAY_MILLIS)
    }

    /// The instant on the calendar.
    #[must_use]
    pub fn civil(self) -> Civil {
        let rest = self.0.rem_euclid(DAY_MILLIS);
        let (year, month, day) = civil_from_days(self.days());
        Civil {
            year,
            month,
            day,
            hour: narrow(rest / 3_600_000),
            minute: narrow(rest / 60_000 % 60),
            second: narrow(rest / 1_000 % 60),
            millisecond: u16::try_from(rest % 1_000).unwrap_or(0),
        }
    }

    /// Day of the week by ISO 8601: Monday is 1, Sunday 7.
    #[must_use]
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        narrow((self.days() + 3).rem_euclid(7) + 1)
    }

    /// Year and week by ISO 8601: a week belongs to the year of its Thursday.
    #[must_use]
    pub fn iso_week(self) -> (i64, u8) {
        let thursday = self.days() - i64::from(self.weekday()) + 4;
        let year = civil_from_days(thursday).0;
        let week = (thursday - days_from_civil(year, 1, 1)) / 7 + 1;
        (year, narrow(week))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second as Kubernetes writes it; `{:#}` adds the milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, millisecond } = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if f.alternate() {
            write!(f, ".{millisecond:03}")?;
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with any offset; what is below a millisecond is dropped.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        read(text.as_bytes()).ok_or(TimestampError)
    }
}

fn read(text: &[u8]) -> Option<Timestamp> {
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| text.get(*at) != Some(byte)) {
        return None;
    }
    if !matches!(text.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let year = digits(text.get(0..4)?)?;
    let month = digits(text.get(5..7)?).filter(|n| (1..=12).contains(n))?;
    let day = digits(text.get(8..10)?).filter(|n| *n >= 1 && *n <= days_in_month(year, month))?;
    let hour = digits(text.get(11..13)?).filter(|n| *n < 24)?;
    let minute = digits(text.get(14..16)?).filter(|n| *n < 60)?;
    let second = digits(text.get(17..19)?).filter(|n| *n < 60)?;
    let (millis, rest) = fraction(text.get(19..)?)?;
    let offset = offset_minutes(rest)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Timestamp((seconds - offset * 60) * 1_000 + millis))
}

/// Milliseconds of a fraction, if one is written, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else { return Some((0, text)) };
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |sum, i| {
        sum * 10 + rest.get(i).filter(|_| i < count).map_or(0, |b| i64::from(b - b'0'))
    });
    Some((millis, rest.get(count..)?))
}

fn offset_minutes(text: &[u8]) -> Option<i64> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = digits(&[*h1, *h2]).filter(|n| *n < 24)?;
            let minutes = digits(&[*m1, *m2]).filter(|n| *n < 60)?;
            let offset = hours * 60 + minutes;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

fn narrow(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

// The two conversions count years from March, so that the leap day is a year's last, and eras of 400
// years, which all have the same number of days (H. Hinnant, "chrono-compatible low-level date
// algorithms").
const ERA_DAYS: i64 = 146_097;
const EPOCH_FROM_MARCH_0000: i64 = 719_468;

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_FROM_MARCH_0000
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + EPOCH_FROM_MARCH_0000;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, narrow(month), narrow(day))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_and_reads_known_instants() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1_000, "1969-12-31T23:59:59Z"),
            (1_702_890_815_000, "2023-12-18T09:13:35Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(millis)));
        }
    }

    #[test]
    fn reads_offsets_and_fractions() {
        for (text, millis) in [
            ("1970-01-01T01:30:00+01:30", 0),
            ("1969-12-31T23:00:00-01:00", 0),
            ("1970-01-01t00:00:00.5z", 500),
            ("1970-01-01T00:00:00.123456789Z", 123),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(millis)), "{text}");
        }
        assert_eq!(format!("{:#}", Timestamp(5)), "1970-01-01T00:00:00.005Z");
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2023-12-18",
            "2023-12-18T09:13:35",
            "2023-13-18T09:13:35Z",
            "2023-02-29T09:13:35Z",
            "2023-12-00T09:13:35Z",
            "2023-12-18T24:00:00Z",
            "2023-12-18T09:60:35Z",
            "2023-12-18T09:13:60Z",
            "2023-12-18T09:13:35.Z",
            "2023-12-18T09:13:35+0100",
            "2023-12-18T09:13:35Zx",
            "2023-12-18X09:13:35Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn weeks_belong_to_the_year_of_their_thursday() {
        for (text, year, week, weekday) in [
            ("2021-01-03T12:00:00Z", 2020, 53, 7),
            ("2021-01-04T00:00:00Z", 2021, 1, 1),
            ("2024-12-30T00:00:00Z", 2025, 1, 1),
            ("2026-12-31T00:00:00Z", 2026, 53, 4),
            ("2027-01-01T00:00:00Z", 2026, 53, 5),
            ("1970-01-01T00:00:00Z", 1970, 1, 4),
        ] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!((at.iso_week(), at.weekday()), ((year, week), weekday), "{text}");
        }
    }

    proptest! {
        #[test]
        fn calendar_and_instant_agree(millis in -60_000_000_000_000i64..200_000_000_000_000) {
            let at = Timestamp(millis);
            prop_assert_eq!(format!("{at:#}").parse(), Ok(at));
        }

        #[test]
        fn every_instant_has_a_date(millis in any::<i64>()) {
            let civil = Timestamp(millis).civil();
            prop_assert!((1..=12).contains(&civil.month) && (1..=31).contains(&civil.day));
            prop_assert!((1..=53).contains(&Timestamp(millis).iso_week().1));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
