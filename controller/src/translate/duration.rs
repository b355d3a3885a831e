//! Durations as Go writes them, which is how every field of the family holds them.

use holdfast_engine::Millis;

/// Reads `1h5m`, `90s`, `1.5h`; nothing that is negative, empty or without a unit.
#[must_use]
pub fn parse(text: &str) -> Option<Millis> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Millis(0));
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        total = total.checked_add(scaled(number, nanos_of(unit)?)?)?;
        rest = next;
    }
    Some(Millis(total / 1_000_000))
}

/// Nanoseconds of a decimal number of units, without floats.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(place.checked_mul(u64::from(digit.checked_sub(b'0')?))?)?;
    }
    Some(nanos)
}

fn nanos_of(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        "us" | "µs" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_does() {
        for (text, millis) in [
            ("30s", Some(30_000)),
            ("1m0s", Some(60_000)),
            ("1h5m", Some(3_900_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("5d", None),
            ("s", None),
            ("1h 5m", None),
            (".s", None),
        ] {
            assert_eq!(parse(text), millis.map(Millis), "{text:?}");
        }
    }
}
