//! The hash chain: each frame's value covers the one before it, so that one value vouches for all.

use std::fmt;

use holdfast_engine::Hash;

/// What the chain of an empty log starts from.
const GENESIS: &[u8] = b"holdfast event log 1";

/// Makes the chain a MAC: who can write the volume, but has no key, cannot forge a log.
#[derive(Clone)]
pub struct ChainKey([u8; 32]);

impl ChainKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey(..)")
    }
}

/// The hash of a log: plain, or keyed throughout.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    key: Option<ChainKey>,
}

impl Chain {
    /// The hash of a log with or without a key.
    #[must_use]
    pub fn new(key: Option<ChainKey>) -> Self {
        Self { key }
    }

    /// Whether it has a key.
    #[must_use]
    pub fn keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The value before the first frame.
    #[must_use]
    pub fn genesis(&self) -> Hash {
        self.seal(GENESIS)
    }

    /// The value behind a frame: covers the value before it and the frame's bytes.
    #[must_use]
    pub fn link(&self, before: &Hash, frame: &[u8]) -> Hash {
        let mut hasher = self.hasher();
        hasher.update(&before.0);
        hasher.update(frame);
        Hash(*hasher.finalize().as_bytes())
    }

    /// The check value of a fixed structure (a slot, a segment's header).
    #[must_use]
    pub fn seal(&self, bytes: &[u8]) -> Hash {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        Hash(*hasher.finalize().as_bytes())
    }

    fn hasher(&self) -> blake3::Hasher {
        match &self.key {
            None => blake3::Hasher::new(),
            Some(key) => blake3::Hasher::new_keyed(&key.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_depends_on_key_predecessor_and_content() {
        let plain = Chain::default();
        let keyed = Chain::new(Some(ChainKey::new([7; 32])));
        let links = [
            plain.link(&plain.genesis(), b"a"),
            plain.link(&plain.genesis(), b"b"),
            plain.link(&plain.link(&plain.genesis(), b"a"), b"a"),
            keyed.link(&plain.genesis(), b"a"),
        ];
        for (i, left) in links.iter().enumerate() {
            assert!(links.iter().skip(i + 1).all(|right| left != right), "link {i} is not unique");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", ChainKey::new([7; 32])), "ChainKey(..)");
    }
}
