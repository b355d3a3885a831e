//! The header of a segment.

use holdfast_engine::Hash;

use crate::bytes::Take;
use crate::chain::Chain;

/// Bytes of the header; the first frame follows.
pub(crate) const HEADER_BYTES: u64 = 128;

const MAGIC: &[u8; 8] = b"HFJOURN1";
const FORMAT: u32 = 1;
const CHECKED_BYTES: usize = 96;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    pub(crate) first_seq: u64,
    pub(crate) size: u64,
    pub(crate) before: Hash,
}

/// Why a header is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Invalid,
    Key { keyed: bool },
}

impl SegmentHeader {
    pub(crate) fn encode(&self, chain: &Chain) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.before.0);
        out.push(u8::from(chain.keyed()));
        out.extend_from_slice(&[0; 31]);
        let check = chain.seal(&out);
        out.extend_from_slice(&check.0);
        out
    }

    pub(crate) fn decode(bytes: &[u8], chain: &Chain) -> Result<Self, Refused> {
        let (header, keyed, sealed) = Self::fields(bytes, chain).ok_or(Refused::Invalid)?;
        match keyed {
            0 | 1 if u8::from(chain.keyed()) != keyed => Err(Refused::Key { keyed: keyed == 1 }),
            0 | 1 if sealed => Ok(header),
            _ => Err(Refused::Invalid),
        }
    }

    /// What a header says, whether or not it can be trusted.
    pub(crate) fn claimed(bytes: &[u8]) -> Option<Self> {
        Self::fields(bytes, &Chain::default()).map(|(header, ..)| header)
    }

    fn fields(bytes: &[u8], chain: &Chain) -> Option<(Self, u8, bool)> {
        let checked = bytes.get(..CHECKED_BYTES)?;
        let mut take = Take(bytes);
        take.exactly(MAGIC)?;
        take.exactly(&FORMAT.to_le_bytes())?;
        let number = take.u32()?;
        let first_seq = take.u64()?;
        let size = take.u64()?;
        let before = Hash(take.array()?);
        let keyed = take.u8()?;
        take.zeros(31)?;
        let sealed = chain.seal(checked).0 == take.array()?;
        Some((Self { number, first_seq, size, before }, keyed, sealed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainKey;

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let chain = Chain::default();
        let header = SegmentHeader { number: 2, first_seq: 9, size: 4096, before: chain.genesis() };
        let bytes = header.encode(&chain);
        assert_eq!(bytes.len() as u64, HEADER_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes, &chain), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped, &chain).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_missing_key_is_told_from_damage() {
        let keyed = Chain::new(Some(ChainKey::new([1; 32])));
        let header = SegmentHeader { number: 1, first_seq: 1, size: 4096, before: keyed.genesis() };
        let read = SegmentHeader::decode(&header.encode(&keyed), &Chain::default());
        assert_eq!(read, Err(Refused::Key { keyed: true }));
    }
}
