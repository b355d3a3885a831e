//! The only file that names an AEAD. Every message gets a key of its own, derived from a hedged salt,
//! so the nonce is always zero and no function here accepts one.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::{Kind, RepoId};
use crate::error::{Error, Result};
use crate::keys::Keys;

/// The number of this format: major in the high byte, minor in the low one. While major is 0 every
/// minor is a format of its own.
pub const FORMAT: u16 = 0x0001;

/// Bytes of salt before a sealed message.
pub const SALT_BYTES: usize = 24;
/// Bytes of tag after it.
pub const TAG_BYTES: usize = 16;
/// What sealing adds to a message.
pub const SEAL_OVERHEAD_BYTES: usize = SALT_BYTES + TAG_BYTES;

/// 32 secret bytes: wiped when dropped, and without any way to print them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes the bytes over; the caller's copy is the caller's to wipe.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one purpose, named by a context string of `docs/format.md`.
    pub(crate) fn derive(&self, context: &str) -> Self {
        Self(blake3::derive_key(context, &self.0))
    }
}

/// Where randomness comes from. Replaced only by tests, which show that even a stuck source repeats
/// no key.
pub trait Random: Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    /// When the system has none.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        getrandom::fill(out).map_err(|error| Error::Random(error.to_string()))
    }
}

/// What a sealed message is. Part of its key and of its authenticated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A block of data blobs.
    Data = 1,
    /// A block of tree blobs.
    Tree = 2,
    /// A block of list blobs.
    List = 3,
    /// The footer of a pack.
    Footer = 4,
    /// An index object.
    Index = 5,
    /// A snapshot object; named.
    Snapshot = 6,
    /// An intent; named.
    Intent = 7,
    /// A record of a collection; named.
    Collection = 8,
    /// A worker's report; named.
    Report = 9,
}

impl Purpose {
    pub(crate) const fn slot(self) -> usize {
        self as usize - 1
    }
}

impl From<Kind> for Purpose {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Data => Self::Data,
            Kind::Tree => Self::Tree,
            Kind::List => Self::List,
        }
    }
}

/// What is authenticated beside the message: where it belongs, but not where it lies.
#[derive(Clone)]
pub(crate) struct Context {
    bytes: [u8; 55],
    len: usize,
}

impl Context {
    fn new(repo: &RepoId, purpose: Purpose, epoch: u32, name: Option<&str>) -> Self {
        let mut bytes = [0; 55];
        bytes[..2].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[2..18].copy_from_slice(repo.as_bytes());
        bytes[18] = purpose as u8;
        bytes[19..23].copy_from_slice(&epoch.to_le_bytes());
        let mut len = 23;
        if let Some(name) = name {
            bytes[23..].copy_from_slice(blake3::hash(name.as_bytes()).as_bytes());
            len = 55;
        }
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Seals messages under the newest epoch of a repository.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Keys>,
    random: Arc<dyn Random>,
}

impl Sealer {
    pub(crate) fn new(keys: Arc<Keys>, random: Arc<dyn Random>) -> Self {
        Self { keys, random }
    }

    /// The epoch under which it seals.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.keys.newest_epoch()
    }

    /// Seals what follows the first `SALT_BYTES` of `message`, in place: the salt goes to the front,
    /// the tag to the end. `name` is the logical key of objects that have one.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        name: Option<&str>,
        message: &mut Vec<u8>,
    ) -> Result<()> {
        let epoch = self.epoch();
        let context = Context::new(self.keys.repo(), purpose, epoch, name);
        let mut entropy = [0; 32];
        self.random.fill(&mut entropy)?;
        let secrets = self.keys.epoch(epoch).ok_or(Error::Crypto("choosing the epoch"))?;
        let content = blake3::hash(&message[SALT_BYTES..]);
        let mut hedge = blake3::Hasher::new_keyed(secrets.salt.expose());
        hedge.update(&entropy).update(context.as_bytes()).update(content.as_bytes());
        let salt = hedge.finalize();
        message[..SALT_BYTES].copy_from_slice(&salt.as_bytes()[..SALT_BYTES]);
        let key = secrets.message_key(purpose, &context, &message[..SALT_BYTES]);
        seal_once(&key, context.as_bytes(), message, SALT_BYTES)
    }

    /// Bytes that nobody can tell from sealed ones, chosen by a salt.
    pub(crate) fn padding(&self, salt: &[u8], out: &mut [u8]) -> Result<()> {
        let secrets = self.keys.epoch(self.epoch()).ok_or(Error::Crypto("choosing the epoch"))?;
        blake3::Hasher::new_keyed(secrets.padding.expose()).update(salt).finalize_xof().fill(out);
        Ok(())
    }
}

/// Opens what a `Sealer` of the same repository sealed, in any of its epochs.
#[derive(Clone)]
pub struct Opener {
    keys: Arc<Keys>,
}

/// Why a message does not open. Says nothing about where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("is too short to be sealed")]
    Short,
    #[error("is sealed under an epoch that the keys do not have")]
    Epoch,
    #[error("fails its authentication: changed, or sealed as something else")]
    Tag,
}

impl Opener {
    pub(crate) fn new(keys: Arc<Keys>) -> Self {
        Self { keys }
    }

    /// Opens `sealed` to the front of `out`, which grows as needed and is never shrunk, so that it can
    /// be used again without being cleared.
    pub(crate) fn open<'o>(
        &self,
        purpose: Purpose,
        epoch: u32,
        name: Option<&str>,
        sealed: &[u8],
        out: &'o mut Vec<u8>,
    ) -> Result<&'o [u8], NotOpened> {
        let len = sealed.len().checked_sub(SEAL_OVERHEAD_BYTES).ok_or(NotOpened::Short)?;
        let secrets = self.keys.epoch(epoch).ok_or(NotOpened::Epoch)?;
        let context = Context::new(self.keys.repo(), purpose, epoch, name);
        let (salt, rest) = sealed.split_at(SALT_BYTES);
        let key = secrets.message_key(purpose, &context, salt);
        let (body, tag) = rest.split_at(len);
        if out.len() < len {
            out.resize(len, 0);
        }
        let out = &mut out[..len];
        open_once(&key, context.as_bytes(), body, tag, out).ok_or(NotOpened::Tag)?;
        Ok(out)
    }
}

/// Seals `message[from..]` in place and appends the tag. The key must never have sealed anything else:
/// both callers derive it from the message (here) or from a fresh ephemeral key (key slots).
pub(crate) fn seal_once(
    key: &Secret,
    aad: &[u8],
    message: &mut Vec<u8>,
    from: usize,
) -> Result<()> {
    let failed = |_| Error::Crypto("sealing");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).map_err(failed)?);
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut message[from..])
        .map_err(failed)?;
    message.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Opens what `seal_once` sealed, or nothing.
pub(crate) fn open_once(
    key: &Secret,
    aad: &[u8],
    body: &[u8],
    tag: &[u8],
    out: &mut [u8],
) -> Option<()> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).ok()?);
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    key.open_separate_gather(nonce, Aad::from(aad), body, tag, out).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aes_gcm::aead::{Aead, KeyInit, Payload};
    use aes_gcm::{Aes256Gcm, Key};
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Bundle;

    /// Always the same bytes.
    struct Stuck;

    impl Random for Stuck {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            out.fill(0x5a);
            Ok(())
        }
    }

    fn sealer() -> (Sealer, Opener) {
        let bundle = Bundle::generate(&Stuck, RepoId([1; 16]), [0; 32]).unwrap();
        let keys = Arc::new(Keys::new(&bundle));
        (Sealer::new(keys.clone(), Arc::new(Stuck)), Opener::new(keys))
    }

    fn sealed(sealer: &Sealer, purpose: Purpose, name: Option<&str>, content: &[u8]) -> Vec<u8> {
        let mut message = vec![0; SALT_BYTES];
        message.extend_from_slice(content);
        sealer.seal(purpose, name, &mut message).unwrap();
        message
    }

    proptest! {
        /// The portable crate is the oracle of the fast one.
        #[test]
        fn two_implementations_agree(key: [u8; 32], aad: [u8; 23], content: Vec<u8>) {
            let mut ours = content.clone();
            seal_once(&Secret::new(key), &aad, &mut ours, 0).unwrap();
            let oracle = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key));
            let payload = Payload { msg: &content, aad: &aad };
            prop_assert_eq!(&oracle.encrypt(&[0; 12].into(), payload).unwrap(), &ours);
            let mut back = vec![0; content.len()];
            let (body, tag) = ours.split_at(content.len());
            prop_assert!(open_once(&Secret::new(key), &aad, body, tag, &mut back).is_some());
            prop_assert_eq!(back, content);
        }

        #[test]
        fn what_is_sealed_opens_as_itself_only(content: Vec<u8>, bit: prop::sample::Index) {
            let (sealer, opener) = sealer();
            let message = sealed(&sealer, Purpose::Snapshot, Some("snapshots/a"), &content);
            let mut out = Vec::new();
            let mut open = |purpose, epoch, name, bytes: &[u8]| {
                opener.open(purpose, epoch, name, bytes, &mut out).map(<[u8]>::to_vec)
            };
            let (a, b) = (Some("snapshots/a"), Some("snapshots/b"));
            prop_assert_eq!(open(Purpose::Snapshot, 1, a, &message), Ok(content));
            prop_assert_eq!(open(Purpose::Snapshot, 1, b, &message), Err(NotOpened::Tag));
            prop_assert_eq!(open(Purpose::Snapshot, 1, None, &message), Err(NotOpened::Tag));
            prop_assert_eq!(open(Purpose::Intent, 1, a, &message), Err(NotOpened::Tag));
            prop_assert_eq!(open(Purpose::Snapshot, 2, a, &message), Err(NotOpened::Epoch));
            prop_assert_eq!(open(Purpose::Snapshot, 0, a, &message), Err(NotOpened::Epoch));
            let mut flipped = message.clone();
            let bit = bit.index(message.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(open(Purpose::Snapshot, 1, a, &flipped), Err(NotOpened::Tag));
        }
    }

    /// With a stuck source the salt, and so the key, still differs whenever the message does.
    #[test]
    fn a_stuck_source_repeats_no_key() {
        let (sealer, _) = sealer();
        let mut salts = HashSet::new();
        for n in 0..100_000u32 {
            let message = sealed(&sealer, Purpose::Data, None, &n.to_le_bytes());
            assert!(salts.insert(message[..SALT_BYTES].to_vec()), "message {n} shares its salt");
        }
        let one = sealed(&sealer, Purpose::Data, None, b"same");
        assert_eq!(one, sealed(&sealer, Purpose::Data, None, b"same"), "and nothing else does");
        assert_ne!(one, sealed(&sealer, Purpose::Tree, None, b"same"));
    }

    #[test]
    fn a_message_that_is_too_short_is_no_message() {
        let (_, opener) = sealer();
        for len in 0..SEAL_OVERHEAD_BYTES {
            let mut out = Vec::new();
            let opened = opener.open(Purpose::Data, 1, None, &vec![0; len], &mut out);
            assert_eq!(opened, Err(NotOpened::Short));
        }
    }
}
