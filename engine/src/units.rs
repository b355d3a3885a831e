//! Sizes as statuses show them (behaviour reference, section 2.3).

use alloc::format;
use alloc::string::String;

const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Why a text is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a size; write a number, one space and one of B, KiB, MiB, GiB, TiB")]
pub struct SizeError;

/// `12.345 MiB`, `1024 B`: three decimals, and a unit only when there is more than one of it.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    for (unit, shift) in UNITS {
        if bytes > 1 << shift {
            let milli = round_half_even(u128::from(bytes) * 1_000, shift);
            return format!("{}.{:03} {unit}", milli / 1_000, milli % 1_000);
        }
    }
    format!("{bytes} B")
}

/// `value / 2^shift`, rounded as `%.3f` rounds values that have an exact binary form.
fn round_half_even(value: u128, shift: u32) -> u128 {
    let (quotient, rest, half) = (value >> shift, value & ((1 << shift) - 1), 1 << (shift - 1));
    let up = rest > half || (rest == half && quotient % 2 == 1);
    quotient + u128::from(up)
}

/// Bytes of a size as [`format_size`] writes it; fractions of a byte are rounded down.
///
/// # Errors
/// [`SizeError`] when it is anything but a number, one space and one of the five units.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let (number, unit) = text.split_once(' ').ok_or(SizeError)?;
    let shift = match unit {
        "B" => 0,
        _ => UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, shift)| *shift)
            .ok_or(SizeError)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        let plain =
            !text.is_empty() && text.len() <= DIGITS && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u128>().ok()).flatten().ok_or(SizeError)
    };
    let scale =
        10u128.pow(u32::try_from(fraction.len()).map_err(|_| SizeError)?.min(DIGITS as u32));
    let bytes = (digits(whole)? << shift) + (digits(fraction)? << shift) / scale;
    u64::try_from(bytes).map_err(|_| SizeError)
}

/// More digits than any 64-bit size has; keeps the arithmetic within 128 bits.
const DIGITS: usize = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_unit_needs_more_than_one_of_it() {
        for (bytes, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1024 B"),
            (1025, "1.001 KiB"),
            (1088, "1.062 KiB"),
            (1152, "1.125 KiB"),
            (1 << 20, "1024.000 KiB"),
            ((1 << 20) + 1, "1.000 MiB"),
            (12_944_671, "12.345 MiB"),
            (1 << 30, "1024.000 MiB"),
            (3 << 29, "1.500 GiB"),
            (1 << 40, "1024.000 GiB"),
            (u64::MAX, "16777216.000 TiB"),
        ] {
            assert_eq!(format_size(bytes), text);
        }
    }

    #[test]
    fn reads_exactly_number_space_unit() {
        for (text, bytes) in [
            ("0 B", Ok(0)),
            ("1024 B", Ok(1024)),
            ("1.5 KiB", Ok(1536)),
            ("2 MiB", Ok(2 << 20)),
            ("1.000 TiB", Ok(1 << 40)),
            ("1KiB", Err(SizeError)),
            ("1  KiB", Err(SizeError)),
            ("1 kB", Err(SizeError)),
            ("-1 B", Err(SizeError)),
            ("+1 B", Err(SizeError)),
            ("1. B", Err(SizeError)),
            (".5 B", Err(SizeError)),
            ("1e3 B", Err(SizeError)),
            ("99999999999999999999 TiB", Err(SizeError)),
            ("", Err(SizeError)),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_within_the_printed_precision(bytes in any::<u64>()) {
            let shown = format_size(bytes);
            if let Ok(read) = parse_size(&shown) {
                let shift = UNITS.iter().find(|(unit, _)| shown.ends_with(unit)).map_or(0, |u| u.1);
                prop_assert!(read.abs_diff(bytes) <= (1u64 << shift) / 1000);
            } else {
                prop_assert!(bytes > u64::MAX - (1 << 40));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_size(&text);
        }
    }
}
