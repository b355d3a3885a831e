//! A frame: one commit. All of its records are in the log, or none is.

use holdfast_engine::Hash;

use crate::bytes::{Take, len_u32, to_usize};
use crate::chain::Chain;
use crate::limits::FRAME_CONTENT_BYTES;
use crate::record::Header;

pub(crate) const MAGIC: &[u8; 4] = b"HFF1";
const HEADER_BYTES: usize = 32;
const TRAILER_BYTES: usize = 36;

/// What a frame costs beyond its content.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + TRAILER_BYTES;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Events = 1,
    Checkpoint = 2,
}

/// A frame whose checksum is right, borrowed from its segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) count: u32,
    pub(crate) first_seq: u64,
    pub(crate) epoch: u64,
    pub(crate) content: &'a [u8],
    pub(crate) hash: Hash,
    covered: &'a [u8],
}

/// What a frame says of itself, before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Intro {
    pub(crate) kind: Kind,
    pub(crate) count: u32,
    pub(crate) first_seq: u64,
    pub(crate) epoch: u64,
}

/// The bytes of a frame and the chain value behind it.
pub(crate) fn encode(
    chain: &Chain,
    before: &Hash,
    intro: Intro,
    content: &[u8],
) -> (Vec<u8>, Hash) {
    let mut out = Vec::with_capacity(content.len() + OVERHEAD_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&len_u32(content.len()).to_le_bytes());
    out.extend_from_slice(&intro.count.to_le_bytes());
    out.extend_from_slice(&[intro.kind as u8, 0, 0, 0]);
    out.extend_from_slice(&intro.first_seq.to_le_bytes());
    out.extend_from_slice(&intro.epoch.to_le_bytes());
    out.extend_from_slice(content);
    let hash = chain.link(before, &out);
    out.extend_from_slice(&hash.0);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    (out, hash)
}

impl<'a> Frame<'a> {
    /// Reads the frame at the beginning of `bytes`; `None` if there is none with a right checksum.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut take = Take(bytes);
        take.exactly(MAGIC)?;
        let length = to_usize(u64::from(take.u32()?));
        if length > FRAME_CONTENT_BYTES {
            return None;
        }
        let count = take.u32()?;
        let kind = match take.u8()? {
            1 => Kind::Events,
            2 => Kind::Checkpoint,
            _ => return None,
        };
        take.zeros(3)?;
        let first_seq = take.u64()?;
        let epoch = take.u64()?;
        let content = take.bytes(length)?;
        let hash = Hash(take.array()?);
        let checked = bytes.get(..HEADER_BYTES + length + 32)?;
        if crc32c::crc32c(checked) != take.u32()? {
            return None;
        }
        let covered = bytes.get(..HEADER_BYTES + length)?;
        Some(Self { kind, count, first_seq, epoch, content, hash, covered })
    }

    /// Bytes of the whole frame.
    pub(crate) fn len(&self) -> usize {
        self.content.len() + OVERHEAD_BYTES
    }

    /// Whether it continues the chain from this value.
    pub(crate) fn continues(&self, chain: &Chain, before: &Hash) -> bool {
        chain.link(before, self.covered) == self.hash
    }

    /// Its records, if the content is nothing but records that fit the frame's own header.
    pub(crate) fn records(&self) -> Option<Vec<(Header, &'a [u8])>> {
        let mut take = Take(self.content);
        let mut records = Vec::new();
        while !take.0.is_empty() {
            let (header, payload) = Header::decode(&mut take)?;
            let expected = self.first_seq.checked_add(records.len().try_into().ok()?)?;
            if header.seq != expected || header.epoch > self.epoch {
                return None;
            }
            records.push((header, payload));
        }
        (len_u32(records.len()) == self.count).then_some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> (Chain, Vec<u8>) {
        let chain = Chain::default();
        let intro = Intro { kind: Kind::Checkpoint, count: 0, first_seq: 9, epoch: 3 };
        let (bytes, _) = encode(&chain, &chain.genesis(), intro, b"content");
        (chain, bytes)
    }

    #[test]
    fn what_was_written_is_read_and_continues_the_chain() {
        let (chain, mut bytes) = frame();
        bytes.extend_from_slice(&[0; 100]);
        let read = Frame::decode(&bytes).unwrap();
        assert_eq!((read.kind, read.first_seq, read.epoch), (Kind::Checkpoint, 9, 3));
        assert_eq!((read.content, read.len()), (&b"content"[..], bytes.len() - 100));
        assert!(read.continues(&chain, &chain.genesis()));
        assert!(!read.continues(&chain, &Hash([1; 32])));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (_, bytes) = frame();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&flipped).is_none(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..end]).is_none(), "cut at {end}");
        }
    }
}
