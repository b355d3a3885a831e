//! The config object: what a repository is, for its whole life. It is the one object in clear; a MAC
//! under a key of the repository covers every byte of it.

use crate::chunk::{CHUNKER_GEAR_KEYED_1, ChunkSizes};
use crate::digest::RepoId;
use crate::error::{Error, Malformed, Result};
use crate::keys::Keys;
use crate::limits;
use crate::seal::FORMAT;
use crate::wire::{Reader, Write};

/// Key of the config.
pub const CONFIG_KEY: &str = "config";

pub(crate) const MAGIC: &[u8; 4] = b"HFCF";
const MAC_BYTES: usize = 32;

/// Feature flags by what someone wants to do: an unknown one forbids just that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Needed to read.
    pub read: u64,
    /// Needed to write.
    pub write: u64,
    /// Needed to collect garbage.
    pub collect: u64,
}

/// The flags that this program knows. None is defined yet.
const KNOWN: Features = Features { read: 0, write: 0, collect: 0 };

/// What someone wants to do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Restore, list, check.
    Read,
    /// Back up.
    Write,
    /// Collect garbage.
    Collect,
}

/// A config whose MAC was not checked yet, or one that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Identity of the repository.
    pub repo: RepoId,
    /// When it was initialised, milliseconds since 1970.
    pub created_ms: i64,
    /// Sizes of `gear-keyed-1`, the only chunker.
    pub sizes: ChunkSizes,
    /// Flags.
    pub features: Features,
    /// Lowest version of the program that knows all flags.
    pub needs: String,
}

impl Config {
    /// The part that never changes, which key slots vouch for.
    fn immutable(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.bytes(self.repo.as_bytes());
        out.i64(self.created_ms);
        out.u8(CHUNKER_GEAR_KEYED_1);
        out.u32(self.sizes.min);
        out.u32(self.sizes.avg);
        out.u32(self.sizes.max);
        Self::bounds().iter().for_each(|bound| out.u32(*bound));
        out
    }

    /// Bounds that every reader of this format may rely on.
    const fn bounds() -> [u32; 5] {
        [
            limits::BLOCK_MAX_BLOBS as u32,
            limits::BLOB_MAX_BYTES as u32,
            limits::PACK_MAX_BYTES as u32,
            limits::PACK_MAX_BLOBS as u32,
            limits::FOOTER_MAX_BYTES as u32,
        ]
    }

    /// BLAKE3 of the immutable part.
    pub(crate) fn immutable_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.immutable()).as_bytes()
    }

    /// The bytes of the object, with the MAC that these keys give.
    #[must_use]
    pub fn encode(&self, keys: &Keys) -> Vec<u8> {
        let mut out = Vec::new();
        out.bytes(MAGIC);
        out.u16(FORMAT);
        out.u8(self.needs.len() as u8);
        out.bytes(self.needs.as_bytes());
        out.bytes(&self.immutable());
        out.u64(self.features.read);
        out.u64(self.features.write);
        out.u64(self.features.collect);
        let mac = keys.config_mac(&out);
        out.bytes(mac.as_bytes());
        out
    }

    /// Reads everything but the MAC. A format of another number is told by its own message, as only
    /// magic, number and needed version are where this program expects them.
    ///
    /// # Errors
    /// `Unsupported` or `Damaged`.
    pub fn parse(object: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |error: Malformed| Error::damaged(object, error);
        let mut reader = Reader::new(bytes);
        if reader.bytes("magic", MAGIC.len()).map_err(damaged)? != MAGIC {
            return Err(Error::damaged(object, "magic is not that of a config"));
        }
        let format = reader.u16("format").map_err(damaged)?;
        let len = reader.u8("needed version").map_err(damaged)?;
        let needs = reader.bytes("needed version", usize::from(len)).map_err(damaged)?;
        let needs = String::from_utf8(needs.to_vec())
            .map_err(|_| Error::damaged(object, "needed version is not UTF-8"))?;
        if format != FORMAT {
            let what = format!("repository format {}.{}", format >> 8, format & 0xff);
            return Err(Error::Unsupported { what, needs });
        }
        Self::parse_rest(&mut reader, needs).map_err(damaged)
    }

    fn parse_rest(reader: &mut Reader<'_>, needs: String) -> Result<Self, Malformed> {
        let repo = RepoId(reader.array("repository id")?);
        let created_ms = reader.i64("created")?;
        if reader.u8("chunker")? != CHUNKER_GEAR_KEYED_1 {
            return Err(Malformed { field: "chunker", reason: "is unknown" });
        }
        let sizes = ChunkSizes {
            min: reader.u32("chunk minimum")?,
            avg: reader.u32("chunk average")?,
            max: reader.u32("chunk maximum")?,
        };
        if !sizes.is_known() {
            return Err(Malformed { field: "chunk sizes", reason: "are not allowed" });
        }
        for bound in Self::bounds() {
            if reader.u32("bound")? != bound {
                return Err(Malformed { field: "bound", reason: "is not that of this format" });
            }
        }
        let features = Features {
            read: reader.u64("read flags")?,
            write: reader.u64("write flags")?,
            collect: reader.u64("collect flags")?,
        };
        reader.bytes("mac", MAC_BYTES)?;
        reader.end("config")?;
        Ok(Self { repo, created_ms, sizes, features, needs })
    }

    /// Whether the MAC at the end of `bytes` is that of the repository.
    pub(crate) fn is_authentic(bytes: &[u8], keys: &Keys) -> bool {
        match bytes.split_last_chunk::<MAC_BYTES>() {
            // `blake3::Hash` compares in constant time.
            Some((body, mac)) => keys.config_mac(body) == blake3::Hash::from_bytes(*mac),
            None => false,
        }
    }

    /// Refuses a use for which a flag is set that this program does not know.
    ///
    /// # Errors
    /// `Unsupported`, naming the version that is needed.
    pub fn permits(&self, wanted: Use) -> Result<()> {
        let (flags, known, verb) = match wanted {
            Use::Read => (self.features.read, KNOWN.read, "read"),
            Use::Write => (self.features.write, KNOWN.write, "write"),
            Use::Collect => (self.features.collect, KNOWN.collect, "collect"),
        };
        let unknown = flags & !known;
        if unknown == 0 {
            return Ok(());
        }
        let what = format!("feature {} that is needed to {verb}", unknown.trailing_zeros());
        Err(Error::Unsupported { what, needs: self.needs.clone() })
    }
}
