//! Packs: blocks of one kind and epoch, padding, a sealed footer and a trailer in clear. Layout:
//! `blocks ‖ padding ‖ sealed footer ‖ footer length u32 ‖ epoch u32 ‖ format u16 ‖ "HFPACK"`.

use crate::digest::{BlobId, Kind, PackName};
use crate::error::{Error, Malformed, Result};
use crate::limits;
use crate::seal::{FORMAT, Opener, Purpose, SALT_BYTES, SEAL_OVERHEAD_BYTES, Sealer};
use crate::store::Staged;
use crate::wire::{Reader, Write};

/// The last bytes of every pack.
const MAGIC: &[u8; 6] = b"HFPACK";
/// Bytes of the trailer, which is not sealed.
pub(crate) const TRAILER_BYTES: usize = 16;
/// Most bytes of a footer before its blocks: kind, epoch, and how many blocks there are.
const FOOTER_HEAD_MAX_BYTES: usize = 1 + 4 + 3;
/// Most bytes of a block in a footer: two lengths and a count, each below 2^28.
const FOOTER_BLOCK_MAX_BYTES: usize = 3 * 4;
/// Most bytes of a blob in a footer: its id, and a length below 2^28.
const FOOTER_BLOB_MAX_BYTES: usize = BlobId::LEN + 4;
/// Least bytes of a sealed block: one blob of one byte.
const BLOCK_SEALED_MIN_BYTES: usize = SEAL_OVERHEAD_BYTES + 8;

/// The key of a pack.
#[must_use]
pub fn pack_key(name: &PackName) -> String {
    format!("packs/{:02x}/{name}", name.0[0])
}

/// A pack as an index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRecord {
    /// Its name.
    pub name: PackName,
    /// Its bytes, padding and all.
    pub size: u64,
    /// The body of its footer, as `Footer::parse` reads it.
    pub body: Vec<u8>,
}

/// One block of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FooterBlock {
    /// Where it begins.
    pub offset: u32,
    /// Its sealed bytes.
    pub sealed_len: u32,
    /// Its bytes of plaintext.
    pub plain_len: u32,
    /// Its blobs.
    pub count: u32,
}

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// What all blobs of the pack are.
    pub kind: Kind,
    /// Under which epoch all blocks are sealed.
    pub epoch: u32,
    /// The blocks, in order.
    pub blocks: Vec<FooterBlock>,
    /// All blobs of all blocks, in order: id and length.
    pub blobs: Vec<(BlobId, u32)>,
}

impl Footer {
    /// Reads the body of a footer; `size` is that of the pack, which its blocks must fit.
    ///
    /// # Errors
    /// The field that cannot be.
    pub fn parse(body: &[u8], size: u64) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let kind = Kind::from_u8(reader.u8("pack kind")?)
            .ok_or(Malformed { field: "pack kind", reason: "is unknown" })?;
        let epoch = reader.u32("pack epoch")?;
        let count = reader.count("block count", limits::PACK_MAX_BLOCKS, 3)?;
        let mut blocks = Vec::with_capacity(count);
        let (mut offset, mut blobs_total) = (0u64, 0);
        for _ in 0..count {
            let sealed_len =
                reader.bounded("sealed block length", limits::BLOCK_SEALED_MAX_BYTES)?;
            let plain_len = reader.bounded("plain block length", limits::BLOB_MAX_BYTES)?;
            let count = reader.bounded("blob count", limits::BLOCK_MAX_BLOBS)?;
            if sealed_len < BLOCK_SEALED_MIN_BYTES || plain_len == 0 || count == 0 {
                return Err(Malformed { field: "block", reason: "is smaller than any can be" });
            }
            blocks.push(FooterBlock {
                offset: offset as u32,
                sealed_len: sealed_len as u32,
                plain_len: plain_len as u32,
                count: count as u32,
            });
            offset += sealed_len as u64;
            blobs_total += count;
            if offset > size.min(limits::PACK_MAX_BYTES) {
                return Err(Malformed { field: "block", reason: "lies outside its pack" });
            }
        }
        let blobs = parse_blobs(&mut reader, &blocks, blobs_total)?;
        reader.end("footer")?;
        Ok(Self { kind, epoch, blocks, blobs })
    }
}

fn parse_blobs(
    reader: &mut Reader<'_>,
    blocks: &[FooterBlock],
    total: usize,
) -> Result<Vec<(BlobId, u32)>, Malformed> {
    if total > limits::PACK_MAX_BLOBS || total * (BlobId::LEN + 1) > reader.remaining() {
        return Err(Malformed { field: "blob count", reason: "counts more than there is" });
    }
    let mut blobs = Vec::with_capacity(total);
    for block in blocks {
        let mut left = block.plain_len;
        for _ in 0..block.count {
            let id = BlobId(reader.array("blob id")?);
            let len = reader.bounded("blob length", left as usize)? as u32;
            if len == 0 {
                return Err(Malformed { field: "blob length", reason: "is zero" });
            }
            left -= len;
            blobs.push((id, len));
        }
        if left != 0 {
            return Err(Malformed { field: "blob length", reason: "does not add up to its block" });
        }
    }
    Ok(blobs)
}

/// A pack that is being written.
pub(crate) struct PackWriter {
    kind: Kind,
    epoch: u32,
    staged: Staged,
    hasher: blake3::Hasher,
    size: u64,
    blocks: Vec<u8>,
    block_count: usize,
    blobs: Vec<u8>,
    blob_count: usize,
    padding: Padding,
}

/// Whether the length of a pack may show what is in it. Readers do not look at padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Rounded up by Padme, 64 KiB at least.
    #[default]
    Padme,
    /// None: so that a test can look at every bit of a whole repository.
    None,
}

impl Padding {
    /// The length of a pack that needs `used` bytes.
    const fn size(self, used: u64) -> u64 {
        match self {
            Self::Padme if used < limits::PACK_FLOOR_BYTES => limits::PACK_FLOOR_BYTES,
            Self::Padme => padme(used),
            Self::None => used,
        }
    }
}

impl PackWriter {
    pub(crate) fn new(kind: Kind, epoch: u32, staged: Staged, padding: Padding) -> Self {
        Self {
            padding,
            kind,
            epoch,
            staged,
            hasher: blake3::Hasher::new(),
            size: 0,
            blocks: Vec::new(),
            block_count: 0,
            blobs: Vec::new(),
            blob_count: 0,
        }
    }

    /// Appends a sealed block.
    pub(crate) fn append(&mut self, sealed: &[u8], ids: &[BlobId], lens: &[u32]) -> Result<()> {
        self.staged.write(sealed)?;
        self.hasher.update(sealed);
        self.size += sealed.len() as u64;
        self.blocks.varint(sealed.len() as u64);
        self.blocks.varint(lens.iter().map(|len| u64::from(*len)).sum());
        self.blocks.varint(ids.len() as u64);
        self.block_count += 1;
        for (id, len) in ids.iter().zip(lens) {
            self.blobs.bytes(id.as_bytes());
            self.blobs.varint(u64::from(*len));
        }
        self.blob_count += ids.len();
        Ok(())
    }

    /// Whether a block may still go into this pack, whose aim is so many bytes: with its footer and its padding
    /// no pack is larger than five quarters of that, but one of a single block.
    pub(crate) fn has_room(&self, sealed_len: usize, blobs: usize, target_bytes: u64) -> bool {
        let more = sealed_len + blobs * FOOTER_BLOB_MAX_BYTES + FOOTER_BLOCK_MAX_BYTES;
        self.block_count == 0
            || self.padding.size(self.used() + more as u64) <= target_bytes / 4 * 5
    }

    /// Whether this pack ends here. From three quarters of the aim on that is where little padding is needed: a
    /// pack ends wherever its blocks end, and ending it at the aim itself costs 1.5 %.
    pub(crate) fn is_full(&self, target_bytes: u64) -> bool {
        let used = self.used();
        let fits = padme(used) - used <= used / limits::PACK_PADDING_PART;
        (self.size >= target_bytes / 4 * 3 && fits)
            || self.blob_count + limits::BLOCK_MAX_BLOBS > limits::PACK_MAX_BLOBS
    }

    /// Bytes without padding.
    fn used(&self) -> u64 {
        let footer = FOOTER_HEAD_MAX_BYTES + self.blocks.len() + self.blobs.len();
        self.size + (footer + SEAL_OVERHEAD_BYTES + TRAILER_BYTES) as u64
    }

    /// Writes padding, footer and trailer; what remains is to put it under its name.
    pub(crate) fn finish(mut self, sealer: &Sealer) -> Result<(Staged, PackRecord)> {
        let mut body = Vec::with_capacity(16 + self.blocks.len() + self.blobs.len());
        body.u8(self.kind as u8);
        body.u32(self.epoch);
        body.varint(self.block_count as u64);
        body.bytes(&self.blocks);
        body.bytes(&self.blobs);
        let mut footer = vec![0; SALT_BYTES];
        footer.bytes(&body);
        sealer.seal(Purpose::Footer, None, &mut footer)?;
        let used = self.size + (footer.len() + TRAILER_BYTES) as u64;
        let mut tail = vec![0; (self.padding.size(used) - used) as usize];
        sealer.padding(&footer[..SALT_BYTES], &mut tail)?;
        tail.bytes(&footer);
        tail.u32(footer.len() as u32);
        tail.u32(sealer.epoch());
        tail.u16(FORMAT);
        tail.bytes(MAGIC);
        self.staged.write(&tail)?;
        self.hasher.update(&tail);
        let size = self.size + tail.len() as u64;
        let name = PackName(*self.hasher.finalize().as_bytes());
        Ok((self.staged, PackRecord { name, size, body }))
    }
}

/// The trailer of a pack: bytes of the sealed footer before it, and their epoch.
pub(crate) fn parse_trailer(trailer: &[u8; TRAILER_BYTES]) -> Result<(usize, u32), Malformed> {
    let mut reader = Reader::new(trailer);
    let len = reader.u32("footer length")? as usize;
    let epoch = reader.u32("footer epoch")?;
    if reader.u16("format")? != FORMAT {
        return Err(Malformed { field: "format", reason: "is not the one of this program" });
    }
    if reader.bytes("magic", MAGIC.len())? != MAGIC {
        return Err(Malformed { field: "magic", reason: "is not that of a pack" });
    }
    if !(SEAL_OVERHEAD_BYTES..=limits::FOOTER_MAX_BYTES).contains(&len) {
        return Err(Malformed { field: "footer length", reason: "is outside its limits" });
    }
    Ok((len, epoch))
}

/// The record of a pack from its own bytes, for when an index is lost.
pub(crate) fn read_record(
    name: PackName,
    size: u64,
    tail: &[u8],
    opener: &Opener,
) -> Result<PackRecord> {
    let object = || pack_key(&name);
    let short = || Error::damaged(object(), "is shorter than its trailer");
    let (rest, trailer) = tail.split_last_chunk().ok_or_else(short)?;
    let (len, epoch) = parse_trailer(trailer).map_err(|error| Error::damaged(object(), error))?;
    let start = rest.len().checked_sub(len).ok_or_else(short)?;
    let mut out = Vec::new();
    let body = opener
        .open(Purpose::Footer, epoch, None, &rest[start..], &mut out)
        .map_err(|error| Error::damaged(object(), format!("footer {error}")))?;
    Footer::parse(body, size).map_err(|error| Error::damaged(object(), error))?;
    Ok(PackRecord { name, size, body: body.to_vec() })
}

/// Padme: rounds a length up so that it shows only log2(log2(length)) bits of itself, at the cost of
/// 12 % at most and about 1.5 % for full packs.
pub(crate) const fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent.saturating_sub(kept))) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::digest::RepoId;
    use crate::keys::{Bundle, Keys};
    use crate::seal::SystemRandom;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn padme_grows_by_12_percent_at_most_and_is_stable(len in 1u64..1 << 40) {
            let padded = padme(len);
            prop_assert!(padded >= len);
            prop_assert!((padded - len) * 100 <= len * 12, "{} becomes {}", len, padded);
            prop_assert_eq!(padme(padded), padded);
        }
    }

    fn sealer() -> Sealer {
        let bundle = Bundle::generate(&SystemRandom, RepoId([1; 16]), [0; 32]).unwrap();
        Sealer::new(Arc::new(Keys::new(&bundle)), Arc::new(SystemRandom))
    }

    proptest! {
        /// Blocks as they come, in packs that end as a writer ends them: large ones, and such whose blobs take more
        /// place in the footer than in the block.
        #[test]
        fn no_pack_is_larger_than_five_quarters_of_its_aim(
            blocks in prop::collection::vec((100usize..60_000, 1usize..400), 1..60),
            padded in any::<bool>(),
        ) {
            let (target, sealer) = (256 << 10, sealer());
            let padding = if padded { Padding::Padme } else { Padding::None };
            let new = || PackWriter::new(Kind::Data, 1, Staged::Memory(Vec::new()), padding);
            let (mut pack, mut sizes) = (new(), Vec::new());
            for (len, blobs) in blocks {
                if !pack.has_room(len, blobs, target) {
                    sizes.push(std::mem::replace(&mut pack, new()).finish(&sealer).unwrap().1.size);
                }
                let (ids, lens) = (vec![BlobId([7; 16]); blobs], vec![(1 << 28) - 1; blobs]);
                pack.append(&vec![0; len], &ids, &lens).unwrap();
                if pack.is_full(target) {
                    sizes.push(std::mem::replace(&mut pack, new()).finish(&sealer).unwrap().1.size);
                }
            }
            sizes.push(pack.finish(&sealer).unwrap().1.size);
            prop_assert!(sizes.iter().all(|size| *size <= target / 4 * 5), "{:?}", sizes);
        }
    }

    #[test]
    fn padme_of_known_lengths() {
        // Lengths of the paper's rule: e = floor(log2), s = floor(log2 e) + 1, e - s low bits are 0.
        for (len, padded) in
            [(0, 0), (1, 1), (9, 10), (1_000, 1_024), (65_537, 67_584), (16_777_217, 17_301_504)]
        {
            assert_eq!(padme(len), padded, "{len}");
        }
    }

    #[test]
    fn a_trailer_is_exact() {
        let mut trailer = [0; TRAILER_BYTES];
        trailer[0] = 100;
        trailer[4] = 3;
        trailer[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        trailer[10..].copy_from_slice(MAGIC);
        assert_eq!(parse_trailer(&trailer), Ok((100, 3)));
        for at in [3, 8, 9, 10, 15] {
            let mut wrong = trailer;
            wrong[at] ^= 0x80;
            assert!(parse_trailer(&wrong).is_err(), "byte {at}");
        }
    }
}
