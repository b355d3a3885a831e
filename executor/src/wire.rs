//! The two halves of every hand-written layout: a writer that cannot fail and a reader that trusts
//! nothing. All integers are little-endian; varints are LEB128, shortest form only.

use crate::error::Malformed;

/// Appends to a buffer.
pub(crate) trait Write {
    fn bytes(&mut self, bytes: &[u8]);

    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }
    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
    fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }
    /// A varint length, then the bytes.
    fn text(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }
}

impl Write for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Takes values from hostile bytes. Nothing is allocated for a length before the bytes are there.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], Malformed> {
        if len > self.rest.len() {
            return Err(Malformed { field, reason: "ends early" });
        }
        let (head, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(field, N)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }
    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }
    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(field)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed { field, reason: "varint is too large" });
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Malformed { field, reason: "varint is not in its shortest form" });
                }
                return Ok(value);
            }
        }
        Err(Malformed { field, reason: "varint is too long" })
    }

    /// A varint that may not pass `max`.
    pub(crate) fn bounded(&mut self, field: &'static str, max: usize) -> Result<usize, Malformed> {
        let value = self.varint(field)?;
        match usize::try_from(value) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(Malformed { field, reason: "is above its limit" }),
        }
    }

    /// A count of items that take at least `least` bytes each, so that a buffer for them may be reserved.
    pub(crate) fn count(
        &mut self,
        field: &'static str,
        max: usize,
        least: usize,
    ) -> Result<usize, Malformed> {
        let count = self.bounded(field, max)?;
        if count.checked_mul(least).is_none_or(|bytes| bytes > self.remaining()) {
            return Err(Malformed { field, reason: "counts more than there is" });
        }
        Ok(count)
    }

    pub(crate) fn text(&mut self, field: &'static str, max: usize) -> Result<&'a [u8], Malformed> {
        let len = self.bounded(field, max)?;
        self.bytes(field, len)
    }

    pub(crate) fn string(&mut self, field: &'static str, max: usize) -> Result<String, Malformed> {
        String::from_utf8(self.text(field, max)?.to_vec())
            .map_err(|_| Malformed { field, reason: "is not UTF-8" })
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, field: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Malformed { field, reason: "is followed by bytes that belong to nothing" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_go_both_ways(value: u64) {
            let mut out = Vec::new();
            out.varint(value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint("value"), Ok(value));
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn every_accepted_varint_is_the_one_we_write(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint("value") {
                let mut again = Vec::new();
                again.varint(value);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - reader.remaining()]);
            }
        }
    }

    #[test]
    fn counts_are_checked_against_what_is_there() {
        let mut bytes = Vec::new();
        bytes.varint(1_000_000);
        bytes.bytes(&[0; 15]);
        assert!(Reader::new(&bytes).count("names", 2_000_000, 32).is_err());
        assert!(Reader::new(&bytes).count("names", 10, 0).is_err());
    }
}
