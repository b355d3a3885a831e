//! Blocks: what is compressed and sealed as one. Layout: `salt ‖ AES-256-GCM(header ‖ payload) ‖ tag`,
//! header = codec u8, plain length u32, count u16, count × varint length.

use std::sync::Arc;

use crate::compress::Codec;
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Malformed, Result};
use crate::keys::Keys;
use crate::limits;
use crate::seal::{NotOpened, Opener, SALT_BYTES, Sealer};
use crate::wire::{Reader, Write};

/// Blobs on their way into one block.
#[derive(Default)]
pub(crate) struct OpenBlock {
    pub(crate) plain: Vec<u8>,
    pub(crate) ids: Vec<BlobId>,
    pub(crate) lens: Vec<u32>,
}

impl OpenBlock {
    pub(crate) fn push(&mut self, id: BlobId, content: &[u8]) {
        self.plain.extend_from_slice(content);
        self.ids.push(id);
        self.lens.push(content.len() as u32);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.plain.len() >= limits::BLOCK_TARGET_BYTES || self.ids.len() >= limits::BLOCK_MAX_BLOBS
    }

    /// Forgets the content and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.plain.clear();
        self.ids.clear();
        self.lens.clear();
    }

    /// The blobs, in order.
    /// Each blob.
    pub fn blobs(&self) -> impl Iterator<Item = (BlobId, &[u8])> {
        let mut rest = &self.plain[..];
        self.ids.iter().zip(&self.lens).map(move |(id, len)| {
            let (head, tail) = rest.split_at(*len as usize);
            rest = tail;
            (*id, head)
        })
    }
}

/// Seals blocks of one worker: its contexts and buffers live as long as the worker.
pub(crate) struct BlockSealer {
    codec: Codec,
    sealer: Sealer,
    opener: Opener,
    keys: Arc<Keys>,
    verify: bool,
    sealed: Vec<u8>,
    opened: Vec<u8>,
    plain: Vec<u8>,
}

impl BlockSealer {
    pub(crate) fn new(codec: Codec, sealer: Sealer, keys: Arc<Keys>, verify: bool) -> Self {
        let opener = Opener::new(keys.clone());
        let (sealed, opened, plain) = (Vec::new(), Vec::new(), Vec::new());
        Self { codec, sealer, opener, keys, verify, sealed, opened, plain }
    }

    /// The sealed block of these blobs. With `verify` it is opened again and every id recomputed; a
    /// first failure is tried again, a second one means that this machine cannot be trusted.
    pub(crate) fn seal(
        &mut self,
        kind: Kind,
        ids: &[BlobId],
        lens: &[u32],
        plain: &[u8],
    ) -> Result<&[u8]> {
        for _ in 0..2 {
            self.seal_once(kind, lens, plain)?;
            if !self.verify || self.is_good(kind, ids) {
                return Ok(&self.sealed);
            }
        }
        Err(Error::WriteVerification)
    }

    fn seal_once(&mut self, kind: Kind, lens: &[u32], plain: &[u8]) -> Result<()> {
        let out = &mut self.sealed;
        out.clear();
        out.bytes(&[0; SALT_BYTES]);
        out.u8(0);
        out.u32(plain.len() as u32);
        out.u16(lens.len() as u16);
        lens.iter().for_each(|len| out.varint(u64::from(*len)));
        let codec = self.codec.compress(plain, out).map_err(Error::Compression)?;
        out[SALT_BYTES] = codec;
        self.sealer.seal(kind.into(), None, out)
    }

    fn is_good(&mut self, kind: Kind, ids: &[BlobId]) -> bool {
        let epoch = self.sealer.epoch();
        let opened = self.opener.open(kind.into(), epoch, None, &self.sealed, &mut self.opened);
        let Ok(message) = opened else { return false };
        let Ok(block) = unpack(message, &mut self.codec, &mut self.plain) else { return false };
        block.len() == ids.len()
            && block.blobs().zip(ids).all(|(blob, id)| self.keys.blob_id(kind, blob) == *id)
    }
}

/// A block whose header was read; its plaintext lies in a buffer of the caller.
pub struct PlainBlock<'p> {
    lens: Vec<u32>,
    plain: &'p [u8],
}

impl<'p> PlainBlock<'p> {
    pub(crate) fn len(&self) -> usize {
        self.lens.len()
    }

    /// All blobs, one after the other.
    #[must_use]
    pub fn plain(&self) -> &'p [u8] {
        self.plain
    }

    /// Each blob.
    pub fn blobs(&self) -> impl Iterator<Item = &'p [u8]> + '_ {
        let mut rest = self.plain;
        self.lens.iter().map(move |len| {
            let (head, tail) = rest.split_at(*len as usize);
            rest = tail;
            head
        })
    }
}

/// Reads the header of an opened message and decompresses its payload to the front of `plain`.
///
/// # Errors
/// The field that cannot be.
pub fn unpack<'p>(
    message: &[u8],
    codec: &mut Codec,
    plain: &'p mut Vec<u8>,
) -> Result<PlainBlock<'p>, Malformed> {
    let mut reader = Reader::new(message);
    let number = reader.u8("codec")?;
    let plain_len = reader.u32("plain length")? as usize;
    let count = usize::from(reader.u16("blob count")?);
    if plain_len == 0 || plain_len > limits::BLOB_MAX_BYTES {
        return Err(Malformed { field: "plain length", reason: "is outside its limits" });
    }
    if count == 0 || count > limits::BLOCK_MAX_BLOBS {
        return Err(Malformed { field: "blob count", reason: "is outside its limits" });
    }
    let mut lens = Vec::with_capacity(count);
    let mut sum = 0;
    for _ in 0..count {
        let len = reader.bounded("blob length", plain_len)?;
        if len == 0 {
            return Err(Malformed { field: "blob length", reason: "is zero" });
        }
        sum += len;
        lens.push(len as u32);
    }
    if sum != plain_len {
        return Err(Malformed { field: "blob length", reason: "does not add up to the block" });
    }
    let packed = reader.bytes("payload", reader.remaining())?;
    if plain.len() < plain_len {
        plain.resize(plain_len, 0);
    }
    let plain = &mut plain[..plain_len];
    codec
        .decompress(number, packed, plain)
        .map_err(|reason| Malformed { field: "payload", reason })?;
    Ok(PlainBlock { lens, plain })
}

/// Why a block cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBlock {
    #[error(transparent)]
    Sealed(#[from] NotOpened),
    #[error(transparent)]
    Layout(#[from] Malformed),
}

/// Opens blocks: contexts and buffers live as long as it does.
pub(crate) struct BlockOpener {
    codec: Codec,
    opener: Opener,
    message: Vec<u8>,
    plain: Vec<u8>,
}

impl BlockOpener {
    pub(crate) fn new(keys: Arc<Keys>) -> Result<Self> {
        let codec = Codec::new(crate::compress::Compression::None).map_err(Error::Compression)?;
        Ok(Self { codec, opener: Opener::new(keys), message: Vec::new(), plain: Vec::new() })
    }

    /// Opens a sealed block. Ids are not checked here: that is the binding, done by who uses a blob.
    pub(crate) fn open(
        &mut self,
        kind: Kind,
        epoch: u32,
        sealed: &[u8],
    ) -> Result<PlainBlock<'_>, BadBlock> {
        let message = self.opener.open(kind.into(), epoch, None, sealed, &mut self.message)?;
        Ok(unpack(message, &mut self.codec, &mut self.plain)?)
    }
}
