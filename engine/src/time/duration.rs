//! Durations in Go's spelling, as every duration of the documents is written: `1m5s`, `58s`, `1.5h`.

use core::fmt;
use core::str::FromStr;

use super::Millis;

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing is written.
    #[error("a duration is missing; write one such as 30s, 5m or 1h30m")]
    Empty,
    /// A duration of this field cannot be below zero.
    #[error("a duration below zero; write a positive one")]
    Negative,
    /// A number is expected.
    #[error("not a number followed by a unit at byte {at}; write such as 30s, 5m or 1h30m")]
    Number {
        /// Where, in bytes from the begin.
        at: usize,
    },
    /// A number has no unit, or one that does not exist.
    #[error("no known unit at byte {at}; the units are ns, us, ms, s, m and h")]
    Unit {
        /// Where, in bytes from the begin.
        at: usize,
    },
    /// More than fits.
    #[error("a duration beyond 292 years")]
    Overflow,
}

/// Go's durations are 64-bit nanoseconds; what it refuses, we refuse.
const MAX_NANOS: u128 = i64::MAX as u128;

impl Millis {
    /// The same span without its fraction of a second, as session durations are shown.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }
}

impl fmt::Display for Millis {
    /// Go's `time.Duration.String`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 1000 {
            return write!(f, "{}ms", self.0);
        }
        let seconds = self.0 / 1000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}", seconds % 60)?;
        match self.0 % 1000 {
            0 => {}
            n if n % 100 == 0 => write!(f, ".{}", n / 100)?,
            n if n % 10 == 0 => write!(f, ".{:02}", n / 10)?,
            n => write!(f, ".{n:03}")?,
        }
        f.write_str("s")
    }
}

impl FromStr for Millis {
    type Err = DurationError;

    /// Reads Go's spelling; what is below a millisecond is dropped.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (body, negative) = match text.as_bytes().first() {
            None => return Err(DurationError::Empty),
            Some(b'-') => (1, true),
            Some(b'+') => (1, false),
            Some(_) => (0, false),
        };
        if &text[body..] == "0" {
            return Ok(Self(0));
        }
        if body == text.len() {
            return Err(DurationError::Number { at: body });
        }
        let mut at = body;
        let mut nanos: u128 = 0;
        while at < text.len() {
            let (whole, fraction, digits, end) = number(text, at)?;
            let (unit, after) = unit(text, end)?;
            nanos += whole * unit + fraction * unit / 10u128.pow(digits);
            if nanos > MAX_NANOS {
                return Err(DurationError::Overflow);
            }
            at = after;
        }
        if negative && nanos > 0 {
            return Err(DurationError::Negative);
        }
        Ok(Self(u64::try_from(nanos / 1_000_000).map_err(|_| DurationError::Overflow)?))
    }
}

/// Digits beyond this many after the point are below any unit's resolution.
const FRACTION_DIGITS: u32 = 18;

/// Whole part, fraction, digits of the fraction, and where the number ends.
fn number(text: &str, from: usize) -> Result<(u128, u128, u32, usize), DurationError> {
    let (mut whole, mut fraction, mut digits) = (0u128, 0u128, 0u32);
    let (mut point, mut any, mut at) = (false, false, from);
    for byte in text.as_bytes()[from..].iter().copied() {
        match byte {
            b'0'..=b'9' => {
                any = true;
                let digit = u128::from(byte - b'0');
                if !point {
                    whole = whole * 10 + digit;
                    if whole > MAX_NANOS {
                        return Err(DurationError::Overflow);
                    }
                } else if digits < FRACTION_DIGITS {
                    fraction = fraction * 10 + digit;
                    digits += 1;
                }
            }
            b'.' if !point => point = true,
            _ => break,
        }
        at += 1;
    }
    if any { Ok((whole, fraction, digits, at)) } else { Err(DurationError::Number { at: from }) }
}

/// Nanoseconds of the unit at `at`, and where it ends.
fn unit(text: &str, at: usize) -> Result<(u128, usize), DurationError> {
    let end =
        text[at..].find(|c: char| c == '.' || c.is_ascii_digit()).map_or(text.len(), |n| at + n);
    let nanos = match &text[at..end] {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::Unit { at }),
    };
    Ok((nanos, end))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_as_go_does() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (10_089, "10.089s"),
            (10_080, "10.08s"),
            (58_000, "58s"),
            (60_000, "1m0s"),
            (65_000, "1m5s"),
            (3_600_000, "1h0m0s"),
            (90_061_001, "25h1m1.001s"),
        ] {
            assert_eq!(Millis(millis).to_string(), text);
        }
    }

    #[test]
    fn reads_what_the_documents_write() {
        for (text, millis) in [
            ("10.089085545s", 10_089),
            ("9.223082787s", 9_223),
            ("1m5s", 65_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("5.s", 5_000),
            ("300ms", 300),
            ("1500us", 1),
            ("2µs", 0),
            ("+3s", 3_000),
            ("0", 0),
            ("-0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_place() {
        for (text, error) in [
            ("", DurationError::Empty),
            ("-", DurationError::Number { at: 1 }),
            ("10", DurationError::Unit { at: 2 }),
            ("1d", DurationError::Unit { at: 1 }),
            ("1m 5s", DurationError::Unit { at: 1 }),
            (".s", DurationError::Number { at: 0 }),
            ("s", DurationError::Number { at: 0 }),
            ("-1s", DurationError::Negative),
            ("9999999h", DurationError::Overflow),
            ("99999999999999999999999999999999999999999s", DurationError::Overflow),
        ] {
            assert_eq!(text.parse::<Millis>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in 0u64..1_000_000_000_000) {
            prop_assert_eq!(Millis(millis).to_string().parse(), Ok(Millis(millis)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = text.parse::<Millis>();
        }

        #[test]
        fn nearly_right_texts_do_not_panic(text in "[-+.0-9hmsnuµd]{0,24}") {
            let _ = text.parse::<Millis>();
        }
    }
}
