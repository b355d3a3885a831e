//! The grammar of `maxRetentionPeriod` (behaviour reference, section 7).
//!
//! Numbers with a unit, in any order: `y` 365 days, `mo` 30 days, `w`, `d`, `h`, `m` minutes. A unit
//! that is repeated replaces its earlier number. Unlike the peers, zero and negative periods are
//! refused: they would remove everything at once.

use crate::time::Millis;

/// Why a text is not a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// A number is expected.
    #[error("maxRetentionPeriod: no number at byte {at}; write such as 30d or 1y6mo")]
    Number {
        /// Where, in bytes.
        at: usize,
    },
    /// A number without a unit, or with one that does not exist.
    #[error("maxRetentionPeriod: no unit at byte {at}; the units are y, mo, w, d, h and m")]
    Unit {
        /// Where, in bytes.
        at: usize,
    },
    /// Below zero.
    #[error("maxRetentionPeriod: a negative number would remove everything; write a positive one")]
    Negative,
    /// Zero.
    #[error("maxRetentionPeriod: zero would remove everything; leave it empty for no limit")]
    Zero,
    /// More than fits.
    #[error("maxRetentionPeriod: beyond {MAX_YEARS} years; leave it empty for no limit")]
    Overflow,
}

/// Beyond any archive's duty, and far below what milliseconds in 64 bits hold.
const MAX_YEARS: u64 = 10_000;

const MINUTE: u64 = 60_000;
const UNITS: [(&str, u64); 6] = [
    ("y", 365 * 24 * 60 * MINUTE),
    ("mo", 30 * 24 * 60 * MINUTE),
    ("w", 7 * 24 * 60 * MINUTE),
    ("d", 24 * 60 * MINUTE),
    ("h", 60 * MINUTE),
    ("m", MINUTE),
];

/// The span of a period; absent when nothing is written, which is no limit.
///
/// # Errors
/// [`PeriodError`] with the place of what cannot be read.
pub fn parse(text: &str) -> Result<Option<Millis>, PeriodError> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    if start >= end {
        return Ok(None);
    }
    let mut counts = [0u64; UNITS.len()];
    let mut at = start;
    while at < end {
        let rest = &text[at..end];
        let negative = rest.starts_with('-');
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        let from = at + usize::from(negative);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(PeriodError::Number { at: from });
        }
        let count: u64 = rest[..digits].parse().map_err(|_| PeriodError::Overflow)?;
        let unit = UNITS.iter().position(|(unit, _)| rest[digits..].starts_with(unit));
        let unit = unit.ok_or(PeriodError::Unit { at: from + digits })?;
        if negative {
            return Err(PeriodError::Negative);
        }
        counts[unit] = count;
        at = from + digits + UNITS[unit].0.len();
    }
    let total = counts
        .iter()
        .zip(UNITS)
        .try_fold(0u64, |sum, (count, (_, millis))| sum.checked_add(count.checked_mul(millis)?));
    match total {
        Some(0) => Err(PeriodError::Zero),
        Some(total) if total <= MAX_YEARS * UNITS[0].1 => Ok(Some(Millis(total))),
        _ => Err(PeriodError::Overflow),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400_000;

    #[test]
    fn reads() {
        for (text, millis) in [
            ("", None),
            ("  ", None),
            ("2mo", Some(60 * DAY)),
            ("1y", Some(365 * DAY)),
            (" 1w2d ", Some(9 * DAY)),
            ("1m", Some(60_000)),
            ("1mo1m", Some(30 * DAY + 60_000)),
            ("1m1mo", Some(30 * DAY + 60_000)),
            ("2h1d", Some(DAY + 7_200_000)),
            ("1d3d", Some(3 * DAY)),
            ("0y7d", Some(7 * DAY)),
        ] {
            assert_eq!(parse(text), Ok(millis.map(Millis)), "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, error) in [
            ("10", PeriodError::Unit { at: 2 }),
            ("1mm", PeriodError::Number { at: 2 }),
            ("mo", PeriodError::Number { at: 0 }),
            ("1 d", PeriodError::Unit { at: 1 }),
            ("1d 2h", PeriodError::Number { at: 2 }),
            ("1s", PeriodError::Unit { at: 1 }),
            ("-1d", PeriodError::Negative),
            ("1d-2h", PeriodError::Negative),
            ("--1d", PeriodError::Number { at: 1 }),
            ("0d", PeriodError::Zero),
            ("5d0d", PeriodError::Zero),
            ("99999999999999999999y", PeriodError::Overflow),
            ("10001y", PeriodError::Overflow),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn order_does_not_matter(mut parts in Just(vec!["1y", "2mo", "3w", "4d", "5h", "6m"]).prop_shuffle()) {
            let shuffled = parse(&parts.concat());
            parts.sort_unstable();
            prop_assert_eq!(shuffled, parse(&parts.concat()));
        }
    }
}
