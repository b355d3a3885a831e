//! Names of things: blobs, packs, snapshots, repositories. All are digests or random, none tells its content.

use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Bytes that one of them takes.
            pub const LEN: usize = $len;

            /// All bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Reads lower-case hexadecimal of exactly the right length.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut out = [0; $len];
                unhex(text, &mut out).then_some(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

name!(
    /// Id of a blob: the first 16 bytes of BLAKE3 of its content, keyed by repository and kind.
    BlobId, 16
);
name!(
    /// Name of a pack: BLAKE3 of all its bytes, so that anyone can verify one without a key.
    PackName, 32
);
name!(
    /// BLAKE3 of the bytes of an index object or a key slot, which is also its name.
    ObjectHash, 32
);
name!(
    /// Name of a snapshot object: keyed BLAKE3 of session, component and attempt.
    SnapshotName, 16
);
name!(
    /// Random identity of a repository, drawn when it is initialised.
    RepoId, 16
);

impl ObjectHash {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// What a blob holds. The kind is part of its id, of its key and of its block's authenticated data,
/// so that content which looks like a tree never becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Content of files, streams and documents.
    Data = 1,
    /// Pages of directories.
    Tree = 2,
    /// Lists of the chunks of large files.
    List = 3,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Data, Self::Tree, Self::List];

    /// The kind with that number in the format.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Data),
            2 => Some(Self::Tree),
            3 => Some(Self::List),
            _ => None,
        }
    }

    /// Position in tables that hold one entry a kind.
    #[must_use]
    pub const fn slot(self) -> usize {
        self as usize - 1
    }

    /// Whether packs of this kind are stored twice: without them no file can be found.
    #[must_use]
    pub const fn is_mirrored(self) -> bool {
        !matches!(self, Self::Data)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Tree => "tree",
            Self::List => "list",
        })
    }
}

fn unhex(text: &str, out: &mut [u8]) -> bool {
    fn nibble(c: u8) -> Option<u8> {
        match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        }
    }
    if text.len() != out.len() * 2 {
        return false;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        match (nibble(pair[0]), nibble(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways_and_is_strict() {
        let id = BlobId([0x0f; 16]);
        assert_eq!(BlobId::from_hex(&id.to_string()), Some(id));
        for wrong in ["", "0f", &"0F".repeat(16), &"0g".repeat(16), &"0f".repeat(17)] {
            assert_eq!(BlobId::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn kinds_survive_their_numbers() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
            assert_eq!(Kind::ALL[kind.slot()], kind);
        }
        assert_eq!(Kind::from_u8(0), None);
        assert_eq!(Kind::from_u8(4), None);
    }
}
