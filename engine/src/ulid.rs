//! ULIDs, which `snapshotID` is written as: 48 bits of milliseconds, 80 bits that tell apart.

use alloc::string::String;

use crate::ids::Uid;
use crate::time::Timestamp;

/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: u32 = 26;
const TIME_BITS: u32 = 48;

/// The ULID of an object: its creation and the last ten bytes of its uid, so that the log alone gives it.
#[must_use]
pub fn ulid(created: Timestamp, uid: Uid) -> String {
    let millis = u128::try_from(created.0).unwrap_or(0) & ((1 << TIME_BITS) - 1);
    let unique = u128::from_be_bytes(uid.0) & ((1 << 80) - 1);
    let value = millis << 80 | unique;
    (0..LENGTH)
        .rev()
        .map(|digit| {
            let index = usize::try_from(value >> (digit * 5) & 31).unwrap_or(0);
            char::from(ALPHABET[index])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(ulid(Timestamp(0), Uid([0; 16])), "00000000000000000000000000");
        assert_eq!(ulid(Timestamp((1 << 48) - 1), Uid([0xff; 16])), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        // The time part of the specification's own example.
        assert_eq!(&ulid(Timestamp(1_469_918_176_385), Uid([0; 16]))[..10], "01ARYZ6S41");
    }

    proptest! {
        #[test]
        fn later_ones_sort_behind(a in 0i64..1 << 48, b in 0i64..1 << 48, uid in any::<[u8; 16]>()) {
            let (first, second) = (ulid(Timestamp(a), Uid(uid)), ulid(Timestamp(b), Uid(uid)));
            prop_assert_eq!(a.cmp(&b), first.cmp(&second));
            prop_assert_eq!(first.len(), 26);
        }
    }
}
