//! The only file that names zstd. Contexts are made once a worker and used again for every block.

use std::io;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Stored as they are.
    None,
    /// zstd at this level.
    Zstd(i32),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Zstd(3)
    }
}

/// Codec number of a block that is stored as it is.
pub(crate) const CODEC_NONE: u8 = 0;
/// Codec number of a block that is one zstd frame.
pub(crate) const CODEC_ZSTD: u8 = 1;

/// Compresses and decompresses, with contexts that live as long as it does.
pub struct Codec {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl Codec {
    /// Contexts for this compression; they read every codec.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub fn new(compression: Compression) -> io::Result<Self> {
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd(level) => Some(zstd::bulk::Compressor::new(level)?),
        };
        Ok(Self { compressor, decompressor: zstd::bulk::Decompressor::new()? })
    }

    /// Appends the packed form of `plain` to `out` and returns its codec number.
    pub(crate) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<u8> {
        let start = out.len();
        if let Some(compressor) = &mut self.compressor {
            out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
            // A cursor writes into spare capacity, which so need not be filled with zeros before.
            let mut cursor = io::Cursor::new(std::mem::take(out));
            cursor.set_position(start as u64);
            let packed = compressor.compress_to_buffer(plain, &mut cursor);
            *out = cursor.into_inner();
            let len = packed?;
            if len < plain.len() {
                out.truncate(start + len);
                return Ok(CODEC_ZSTD);
            }
            out.truncate(start);
        }
        out.extend_from_slice(plain);
        Ok(CODEC_NONE)
    }

    /// Fills `out` exactly, or says what does not fit. Never writes beyond `out`, whatever a frame
    /// claims of itself, and needs no window: the output is its own.
    pub(crate) fn decompress(
        &mut self,
        codec: u8,
        packed: &[u8],
        out: &mut [u8],
    ) -> Result<(), &'static str> {
        match codec {
            CODEC_NONE if packed.len() == out.len() => out.copy_from_slice(packed),
            CODEC_NONE => return Err("stored length differs from plain length"),
            CODEC_ZSTD => match self.decompressor.decompress_to_buffer(packed, out) {
                Ok(len) if len == out.len() => {}
                Ok(_) => return Err("decompresses to less than its plain length"),
                Err(_) => return Err("does not decompress to its plain length"),
            },
            _ => return Err("codec is unknown"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_shrink_is_stored_as_it_is() {
        let mut codec = Codec::new(Compression::Zstd(3)).unwrap();
        let noise: Vec<u8> = blake3::Hasher::new().finalize_xof().clone_bytes(4096);
        let mut out = b"head".to_vec();
        assert_eq!(codec.compress(&noise, &mut out).unwrap(), CODEC_NONE);
        assert_eq!((&out[..4], &out[4..]), (&b"head"[..], &noise[..]));
        let zeros = vec![0; 4096];
        out.truncate(4);
        let number = codec.compress(&zeros, &mut out).unwrap();
        assert_eq!((number, &out[..4]), (CODEC_ZSTD, &b"head"[..]));
        let mut back = vec![1; 4096];
        codec.decompress(number, &out[4..], &mut back).unwrap();
        assert_eq!(back, zeros);
    }

    #[test]
    fn a_bomb_is_refused_within_its_claimed_length() {
        let mut codec = Codec::new(Compression::Zstd(3)).unwrap();
        let bomb = zstd::bulk::compress(&vec![0; 8 << 20], 3).unwrap();
        let mut out = vec![0; 1000];
        assert!(codec.decompress(CODEC_ZSTD, &bomb, &mut out).is_err());
        let mut more = vec![0; (8 << 20) + 1];
        assert!(codec.decompress(CODEC_ZSTD, &bomb, &mut more).is_err());
        assert!(codec.decompress(7, &bomb, &mut out).is_err());
    }

    trait CloneBytes {
        fn clone_bytes(self, len: usize) -> Vec<u8>;
    }
    impl CloneBytes for blake3::OutputReader {
        fn clone_bytes(mut self, len: usize) -> Vec<u8> {
            let mut out = vec![0; len];
            self.fill(&mut out);
            out
        }
    }
}
