//! Sizes as people type them.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a whole number of bytes, or one with k, M, G or T, such as 100M")]
pub struct NotASize;

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        // As sizes are printed, too.
        let text = text.strip_suffix("iB").unwrap_or(text);
        let units = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
        let unit = text.chars().last().map(|last| last.to_ascii_lowercase());
        let found = units.into_iter().find(|(letter, _)| unit == Some(*letter));
        let (number, shift) =
            found.map_or((text, 0), |(_, shift)| (&text[..text.len() - 1], shift));
        let number: u64 = number.parse().map_err(|_| NotASize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(NotASize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("1k", 1_024),
            ("2M", 2 << 20),
            ("3G", 3 << 30),
            ("1T", 1 << 40),
            ("1KiB", 1_024),
            ("20MiB", 20 << 20),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "k", "1.5M", "-1", "1KB", "1iB ", "1 M", "99999999T", "1ü"] {
            assert_eq!(text.parse::<Size>(), Err(NotASize), "{text}");
        }
    }
}
