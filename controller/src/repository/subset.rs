//! Parts of a repository's data, as restic's users name them.

use std::str::FromStr;

use holdfast_executor::repo::Sample;

use super::Size;

/// Groups that packs fall into at most: as many as their names' first byte tells apart.
const GROUPS_MAX: u32 = 256;

/// A part of the data; which packs it falls on is left to chance, or said by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// `n/t`.
    Group(u32, u32),
    /// `x%`, in hundredths of a percent.
    Share(u32),
    /// So many bytes.
    Bytes(u64),
}

/// Why a text is no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "give one of up to {GROUPS_MAX} groups, such as 1/5, a share, such as 2.5%, or a size, such as 10G"
)]
pub struct NotASubset;

impl Subset {
    /// The packs that are meant, where chance is a number.
    #[must_use]
    pub const fn sample(self, salt: u64) -> Sample {
        match self {
            Self::Group(number, of) => Sample::Group { number, of },
            Self::Share(per_myriad) => Sample::Share { per_myriad, salt },
            Self::Bytes(bytes) => Sample::Bytes { bytes, salt },
        }
    }
}

impl FromStr for Subset {
    type Err = NotASubset;

    fn from_str(text: &str) -> Result<Self, NotASubset> {
        if let Some((number, of)) = text.split_once('/') {
            let [number, of] = [number, of].map(|part| part.parse().unwrap_or(0));
            let is_one = (1..=of).contains(&number) && of <= GROUPS_MAX;
            return if is_one { Ok(Self::Group(number, of)) } else { Err(NotASubset) };
        }
        if let Some(share) = text.strip_suffix('%') {
            return hundredths(share)
                .filter(|share| (1..=10_000).contains(share))
                .map(Self::Share)
                .ok_or(NotASubset);
        }
        match text.parse() {
            Ok(Size(bytes)) if bytes > 0 => Ok(Self::Bytes(bytes)),
            _ => Err(NotASubset),
        }
    }
}

/// A decimal number with up to two digits behind its point, in hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_in_three_ways() {
        for (text, subset) in [
            ("1/5", Subset::Group(1, 5)),
            ("256/256", Subset::Group(256, 256)),
            ("10%", Subset::Share(1_000)),
            ("2.5%", Subset::Share(250)),
            ("0.01%", Subset::Share(1)),
            ("100%", Subset::Share(10_000)),
            ("500M", Subset::Bytes(500 << 20)),
        ] {
            assert_eq!(text.parse(), Ok(subset), "{text}");
        }
        for text in
            ["", "0/5", "6/5", "1/257", "1/", "/5", "0%", "101%", "1.234%", "%", "-1%", "x", "0"]
        {
            assert_eq!(text.parse::<Subset>(), Err(NotASubset), "{text}");
        }
    }
}
