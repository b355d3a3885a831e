//! The only file that names fastcdc: where large content is cut. The gear table comes from the
//! repository's chunk key, so that public tables of boundaries do not fit; this is no proof against
//! someone who knows files and sees sizes (`docs/threat-model.md`).

use fastcdc::v2020::cut_gear;

/// Smallest chunk but the last, bytes.
pub const CHUNK_MIN_BYTES: usize = 128 * 1024;
/// Size around which cuts fall, bytes.
pub const CHUNK_AVG_BYTES: usize = 512 * 1024;
/// Largest chunk, bytes.
pub const CHUNK_MAX_BYTES: usize = 2 * 1024 * 1024;

/// Number of the chunker in config: `gear-keyed-1`.
pub const CHUNKER_GEAR_KEYED_1: u8 = 1;

/// Mask below the average size (20 bits) and above it (18 bits): normalization level 1.
const MASK_SMALL: u64 = 0x0000_d917_4753_7000;
const MASK_LARGE: u64 = 0x0000_d907_0753_7000;

/// Sizes of chunks; part of config, fixed for the life of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSizes {
    /// Smallest chunk but the last, bytes.
    pub min: u32,
    /// Size around which cuts fall, bytes.
    pub avg: u32,
    /// Largest chunk, bytes.
    pub max: u32,
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self {
            min: CHUNK_MIN_BYTES as u32,
            avg: CHUNK_AVG_BYTES as u32,
            max: CHUNK_MAX_BYTES as u32,
        }
    }
}

impl ChunkSizes {
    /// The masks belong to one average, and odd sizes would shift cuts without a word.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.avg as usize == CHUNK_AVG_BYTES
            && self.min.is_power_of_two()
            && self.max.is_power_of_two()
            && self.min >= 64 * 1024
            && self.min < self.avg
            && self.avg < self.max
            && self.max <= 8 * 1024 * 1024
    }
}

/// Cuts content, the same way for the same repository, wherever a buffer happens to end.
#[derive(Clone)]
pub struct Chunker {
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
    sizes: ChunkSizes,
}

impl Chunker {
    pub(crate) fn new(chunk_key: &[u8; 32], sizes: ChunkSizes) -> Self {
        let mut bytes = [0; 256 * 8];
        blake3::Hasher::new_keyed(chunk_key).finalize_xof().fill(&mut bytes);
        let mut gear = Box::new([0; 256]);
        let mut gear_shifted = Box::new([0; 256]);
        for (index, word) in bytes.chunks_exact(8).enumerate() {
            let word = word.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            gear[index] = word;
            gear_shifted[index] = word << 1;
        }
        Self { gear, gear_shifted, sizes }
    }

    /// Content up to this length is one chunk.
    #[must_use]
    pub const fn min_bytes(&self) -> usize {
        self.sizes.min as usize
    }

    /// No chunk is longer: what a streaming caller must have in its buffer.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.sizes.max as usize
    }

    /// Length of the chunk at the front of `buffer`. `last` says that the content ends with the
    /// buffer; without it the answer is `None` until the buffer holds at least `max_bytes`, because
    /// a cut may depend on what follows. Never 0 for a buffer that holds something.
    #[must_use]
    pub fn next(&self, buffer: &[u8], last: bool) -> Option<usize> {
        if buffer.is_empty() || (!last && buffer.len() < self.max_bytes()) {
            return None;
        }
        let (_, len) = cut_gear(
            buffer,
            self.sizes.min as usize,
            self.sizes.avg as usize,
            self.sizes.max as usize,
            MASK_SMALL,
            MASK_LARGE,
            MASK_SMALL << 1,
            MASK_LARGE << 1,
            &self.gear[..],
            &self.gear_shifted[..],
        );
        Some(len)
    }

    /// The chunks of content that is there as a whole.
    pub fn cuts<'a>(&'a self, mut content: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        std::iter::from_fn(move || {
            let (head, rest) = content.split_at(self.next(content, true)?);
            content = rest;
            Some(head)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastcdc::v2020::{Normalization, select_masks};

    fn noise(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().update(b"chunk test").finalize_xof().fill(&mut out);
        out
    }

    #[test]
    fn masks_are_those_of_level_1() {
        assert_eq!(select_masks(CHUNK_AVG_BYTES, Normalization::Level1), (MASK_SMALL, MASK_LARGE));
    }

    #[test]
    fn cuts_do_not_depend_on_buffers() {
        let chunker = Chunker::new(&[7; 32], ChunkSizes::default());
        let content = noise(9_000_001);
        let whole: Vec<usize> = chunker.cuts(&content).map(<[u8]>::len).collect();
        for step in [CHUNK_MAX_BYTES, 3_000_017] {
            let (mut pos, mut end, mut cuts) = (0, 0, Vec::new());
            while pos < content.len() {
                match chunker.next(&content[pos..end], end == content.len()) {
                    Some(len) => {
                        cuts.push(len);
                        pos += len;
                    }
                    None => end = (pos.max(end) + step).min(content.len()),
                }
            }
            assert_eq!(cuts, whole);
        }
        assert_eq!(whole.iter().sum::<usize>(), content.len());
    }

    #[test]
    fn another_key_cuts_elsewhere() {
        let content = noise(9_000_001);
        let cuts = |key| {
            let chunker = Chunker::new(&[key; 32], ChunkSizes::default());
            chunker.cuts(&content).map(<[u8]>::len).collect::<Vec<_>>()
        };
        assert_ne!(cuts(1), cuts(2));
    }

    #[test]
    fn odd_or_foreign_sizes_are_not_known() {
        assert!(ChunkSizes::default().is_known());
        let of = |min, avg, max| ChunkSizes { min, avg, max };
        for sizes in [of(65_535, 524_288, 2_097_152), of(131_072, 1 << 20, 1 << 21), of(0, 0, 0)] {
            assert!(!sizes.is_known(), "{sizes:?}");
        }
    }
}
