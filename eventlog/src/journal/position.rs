//! A place in the journal, and the slot that holds one on disk.

use holdfast_engine::Hash;

use crate::bytes::Take;
use crate::chain::Chain;
use crate::journal::segment;

/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 128;

const HEAD_MAGIC: &[u8; 8] = b"HFHEAD01";
const BASE_MAGIC: &[u8; 8] = b"HFBASE01";
/// Bytes of a slot that its check value covers.
const CHECKED_BYTES: usize = 96;

/// A place between two frames, with all that the frames before it come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Segment.
    pub segment: u32,
    /// Offset in it.
    pub offset: u64,
    /// Last sequence number before.
    pub seq: u64,
    /// Epoch of the last frame before.
    pub epoch: u64,
    /// Chain value.
    pub hash: Hash,
}

/// Which slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Head,
    Base,
}

impl Slot {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Head => HEAD_MAGIC,
            Self::Base => BASE_MAGIC,
        }
    }
}

impl Position {
    /// The beginning of an empty log.
    pub(crate) fn genesis(chain: &Chain) -> Self {
        Self { segment: 1, offset: segment::HEADER_BYTES, seq: 0, epoch: 0, hash: chain.genesis() }
    }

    /// Whether it lies before another place.
    pub(crate) fn before(&self, other: &Self) -> bool {
        (self.segment, self.offset) < (other.segment, other.offset)
    }

    /// The bytes of a slot.
    pub(crate) fn encode(&self, slot: Slot, chain: &Chain, generation: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(slot.magic());
        out.extend_from_slice(&generation.to_le_bytes());
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.hash.0);
        out.extend_from_slice(&[0; 16]);
        let check = chain.seal(&out);
        out.extend_from_slice(&check.0);
        out
    }

    /// Generation and place of a slot; `None` if its bytes are not valid.
    pub(crate) fn decode(slot: Slot, chain: &Chain, bytes: &[u8]) -> Option<(u64, Self)> {
        let checked = bytes.get(..CHECKED_BYTES)?;
        let mut take = Take(bytes);
        take.exactly(slot.magic())?;
        let generation = take.u64()?;
        let segment = take.u32()?;
        take.zeros(4)?;
        let offset = take.u64()?;
        let seq = take.u64()?;
        let epoch = take.u64()?;
        let hash = Hash(take.array()?);
        take.zeros(16)?;
        (chain.seal(checked).0 == take.array()?)
            .then_some((generation, Self { segment, offset, seq, epoch, hash }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_slot_is_noticed() {
        let chain = Chain::default();
        let position = Position { segment: 3, offset: 4096, seq: 77, ..Position::genesis(&chain) };
        let bytes = position.encode(Slot::Head, &chain, 5);
        assert_eq!(bytes.len(), SLOT_BYTES);
        assert_eq!(Position::decode(Slot::Head, &chain, &bytes), Some((5, position)));
        assert_eq!(Position::decode(Slot::Base, &chain, &bytes), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Position::decode(Slot::Head, &chain, &flipped), None, "bit {bit}");
        }
    }
}
