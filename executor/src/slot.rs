//! Key slots: one passphrase each. A slot holds an X25519 key pair whose private half is sealed under
//! the passphrase once; the secrets of the repository are sealed to the public half, so that a
//! rotation needs one passphrase and serves every slot that stays.
//!
//! Anyone may seal something to a public key. The private half therefore comes with a MAC key of the
//! repository, and a bundle without its MAC is refused: a store cannot slip in keys that it knows.

use argon2::{Algorithm, Argon2, Params, Version};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::digest::{ObjectHash, RepoId};
use crate::error::{Error, Malformed, Result};
use crate::keys::{Bundle, draw};
use crate::limits;
use crate::seal::{FORMAT, Random, Secret, TAG_BYTES, open_once, seal_once};
use crate::threads;
use crate::wire::{Reader, Write};

const MAGIC: &[u8; 4] = b"HFKS";
/// Argon2id, version 0x13.
const KDF_ARGON2ID: u8 = 1;
const PRIVATE_CONTEXT: &str = "holdfast 0.1 slot private key";
const SALT_CONTEXT: &str = "holdfast 0.1 slot salt";
const EPHEMERAL_CONTEXT: &str = "holdfast 0.1 slot ephemeral key";
const BUNDLE_CONTEXT: &str = "holdfast 0.1 slot bundle";
const BUNDLE_MAC_CONTEXT: &str = "holdfast 0.1 slot bundle mac";

/// Cost of the key derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for KdfCost {
    /// The second recommendation of RFC 9106.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl KdfCost {
    /// The least that a reader accepts: for tests, which derive keys hundreds of times.
    #[must_use]
    pub const fn least() -> Self {
        Self { memory_kib: limits::KDF_MIN_MEMORY_KIB, passes: 1, lanes: 1 }
    }

    /// What a derivation costs, in KiB and passes over them.
    pub(crate) const fn work(self) -> u64 {
        self.memory_kib as u64 * self.passes as u64
    }

    /// Whether it costs more than those that this program makes.
    pub(crate) fn is_dear(self) -> bool {
        self.work() > Self::default().work()
    }

    /// Refuses what would be too weak or burn the machine, before anything is allocated.
    ///
    /// # Errors
    /// `KdfRefused` with the parameter.
    pub fn check(self) -> Result<()> {
        let within = |field, value, least, most| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::KdfRefused { field, value, least, most })
        };
        let (low, high) = (limits::KDF_MIN_MEMORY_KIB, limits::KDF_MAX_MEMORY_KIB);
        within("memory in KiB", self.memory_kib, low, high)?;
        within("passes", self.passes, 1, limits::KDF_MAX_PASSES)?;
        within("lanes", self.lanes, 1, limits::KDF_MAX_LANES)
    }
}

/// A key slot as its object has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The repository that it says it belongs to.
    pub repo: RepoId,
    /// Cost of its derivation.
    pub cost: KdfCost,
    /// What its owner calls it.
    pub label: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    salt: [u8; 32],
    public: [u8; 32],
    check: [u8; 32],
    private: Vec<u8>,
    ephemeral: [u8; 32],
    bundle: Vec<u8>,
    bundle_mac: [u8; 32],
}

/// Key of a slot object.
#[must_use]
pub fn slot_key(name: &ObjectHash) -> String {
    format!("keys/{name}")
}

/// What a passphrase gives: two keys, one for sealing and one that only proves the passphrase.
struct Derived {
    seal: Secret,
    check: Secret,
}

/// What opening a slot found out.
pub(crate) enum Unlocked {
    /// The passphrase belongs to another slot.
    Wrong,
    /// The passphrase is right, the rest is not what its owner wrote.
    Tampered,
    /// The secrets, and the key to what is sealed to this slot later.
    Open(Bundle, SlotKey),
}

/// The private half of a slot: opens whatever a rotation seals to the same slot.
pub(crate) struct SlotKey {
    owner: [u8; 32],
    private: Secret,
    mac: Secret,
}

impl SlotKey {
    /// Whether it is the private half of this slot, in any age of it.
    pub(crate) fn is_of(&self, slot: &Slot) -> bool {
        self.owner == slot.owner()
    }

    /// The secrets of another object of the same slot.
    pub(crate) fn open(&self, slot: &Slot) -> Option<Bundle> {
        self.is_of(slot).then_some(())?;
        let mac = blake3::Hash::from_bytes(slot.compute_mac(&self.mac));
        if mac != blake3::Hash::from_bytes(slot.bundle_mac) {
            return None;
        }
        let private = StaticSecret::from(*self.private.expose());
        let shared = private.diffie_hellman(&PublicKey::from(slot.ephemeral));
        let key = slot.bundle_key(shared.as_bytes());
        let (body, tag) = slot.bundle.split_last_chunk::<TAG_BYTES>()?;
        let mut message = Zeroizing::new(vec![0; body.len()]);
        open_once(&key, &slot.bundle_context(), body, tag, &mut message)?;
        let bundle = Bundle::decode(&message).ok()?;
        (bundle.repo == slot.repo).then_some(bundle)
    }
}

fn derive(passphrase: &[u8], salt: &[u8; 32], cost: KdfCost) -> Result<Derived> {
    cost.check()?;
    let failed = |_| Error::Crypto("Argon2id");
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(64)).map_err(failed)?;
    let mut out = Zeroizing::new([0; 64]);
    threads::for_keys()?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, &mut out[..])
        .map_err(failed)?;
    let half = |from: usize| {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&out[from..from + 32]);
        Secret::new(*bytes)
    };
    Ok(Derived { seal: half(0), check: half(32) })
}

impl Slot {
    /// A slot for a new passphrase, with its private half.
    pub(crate) fn create(
        passphrase: &[u8],
        label: &str,
        created_ms: i64,
        cost: KdfCost,
        bundle: &Bundle,
        random: &dyn Random,
    ) -> Result<(Self, SlotKey)> {
        if label.len() > limits::SLOT_LABEL_MAX_BYTES {
            let (limit, found) = (limits::SLOT_LABEL_MAX_BYTES as u64, label.len() as u64);
            return Err(Error::Limit { what: "bytes of a slot's label", limit, found });
        }
        let mut slot = Self {
            repo: bundle.repo,
            cost,
            label: label.to_owned(),
            created_ms,
            salt: [0; 32],
            public: [0; 32],
            check: [0; 32],
            private: Vec::new(),
            ephemeral: [0; 32],
            bundle: Vec::new(),
            bundle_mac: [0; 32],
        };
        // Both draws are hedged with all that they are for: a stuck source repeats no key.
        let head = slot.header();
        let private = hedged(PRIVATE_CONTEXT, random, &[bundle.identity.expose(), &head])?;
        slot.public = PublicKey::from(&StaticSecret::from(*private.expose())).to_bytes();
        let head = slot.header();
        slot.salt = *hedged(SALT_CONTEXT, random, &[private.expose(), &head])?.expose();
        let derived = derive(passphrase, &slot.salt, cost)?;
        let head = slot.header();
        slot.check = *blake3::keyed_hash(derived.check.expose(), &head).as_bytes();
        slot.private.reserve_exact(64 + TAG_BYTES);
        slot.private.bytes(private.expose());
        let mac = bundle.identity.derive(BUNDLE_MAC_CONTEXT);
        slot.private.bytes(mac.expose());
        seal_once(&derived.seal, &head, &mut slot.private, 0)?;
        slot.reseal(bundle, random)?;
        let key = SlotKey { owner: slot.public, private, mac };
        Ok((slot, key))
    }

    /// Seals the secrets again to this slot, without its passphrase.
    pub(crate) fn reseal(&mut self, bundle: &Bundle, random: &dyn Random) -> Result<()> {
        let mut message = bundle.encode();
        let content = blake3::hash(&message);
        let parts: [&[u8]; 3] = [bundle.identity.expose(), &self.public, content.as_bytes()];
        let ephemeral = StaticSecret::from(*hedged(EPHEMERAL_CONTEXT, random, &parts)?.expose());
        self.ephemeral = PublicKey::from(&ephemeral).to_bytes();
        let shared = ephemeral.diffie_hellman(&PublicKey::from(self.public));
        let key = self.bundle_key(shared.as_bytes());
        let context = self.bundle_context();
        let sealed = seal_once(&key, &context, &mut message, 0);
        self.bundle = message;
        sealed?;
        let mac_key = bundle.identity.derive(BUNDLE_MAC_CONTEXT);
        self.bundle_mac = self.compute_mac(&mac_key);
        Ok(())
    }

    /// Tries a passphrase. Costs a key derivation.
    pub(crate) fn unlock(&self, passphrase: &[u8]) -> Result<Unlocked> {
        let derived = derive(passphrase, &self.salt, self.cost)?;
        let head = self.header();
        let check = blake3::keyed_hash(derived.check.expose(), &head);
        if check != blake3::Hash::from_bytes(self.check) {
            return Ok(Unlocked::Wrong);
        }
        let opened = self.private_key(&derived, &head).and_then(|key| Some((key.open(self)?, key)));
        Ok(opened.map_or(Unlocked::Tampered, |(bundle, key)| Unlocked::Open(bundle, key)))
    }

    fn private_key(&self, derived: &Derived, head: &[u8]) -> Option<SlotKey> {
        let (body, tag) = self.private.split_last_chunk::<TAG_BYTES>()?;
        let mut opened = Zeroizing::new(vec![0; body.len()]);
        open_once(&derived.seal, head, body, tag, &mut opened)?;
        let (private, mac) = opened.split_first_chunk::<32>()?;
        let (private, mac) = (Secret::new(*private), Secret::new(mac.try_into().ok()?));
        Some(SlotKey { owner: self.owner(), private, mac })
    }

    /// How many epochs its bundle has, if that is one of the repository with these secrets.
    pub(crate) fn epochs(&self, bundle: &Bundle) -> Option<usize> {
        let mac_key = bundle.identity.derive(BUNDLE_MAC_CONTEXT);
        let mac = blake3::Hash::from_bytes(self.compute_mac(&mac_key));
        let is_ours = mac == blake3::Hash::from_bytes(self.bundle_mac);
        let plain = self.bundle.len().checked_sub(TAG_BYTES)?;
        is_ours.then_some(Bundle::epochs_in(plain))
    }

    /// Two objects of one slot, from before and after a rotation, have the same owner.
    pub(crate) fn owner(&self) -> [u8; 32] {
        self.public
    }

    fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.bytes(MAGIC);
        out.u16(FORMAT);
        out.bytes(self.repo.as_bytes());
        out.u8(KDF_ARGON2ID);
        out.u32(self.cost.memory_kib);
        out.u32(self.cost.passes);
        out.u32(self.cost.lanes);
        out.bytes(&self.salt);
        out.i64(self.created_ms);
        out.u8(self.label.len() as u8);
        out.bytes(self.label.as_bytes());
        out.bytes(&self.public);
        out
    }

    fn bundle_key(&self, shared: &[u8; 32]) -> Secret {
        let mut input = Zeroizing::new(Vec::with_capacity(96));
        input.bytes(shared);
        input.bytes(&self.ephemeral);
        input.bytes(&self.public);
        Secret::new(blake3::derive_key(BUNDLE_CONTEXT, &input))
    }

    fn bundle_context(&self) -> Vec<u8> {
        let mut out = self.header();
        out.bytes(&self.ephemeral);
        out
    }

    fn compute_mac(&self, mac_key: &Secret) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(mac_key.expose());
        hasher.update(&self.bundle_context()).update(&self.bundle);
        *hasher.finalize().as_bytes()
    }

    /// The bytes of the object; its name is their BLAKE3.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.header();
        out.bytes(&self.check);
        out.bytes(&self.private);
        out.bytes(&self.ephemeral);
        out.u16(self.bundle.len() as u16);
        out.bytes(&self.bundle);
        out.bytes(&self.bundle_mac);
        out
    }

    /// Reads the bytes of an object.
    ///
    /// # Errors
    /// The field that cannot be. Costs of the derivation are checked when it is used.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.bytes("magic", MAGIC.len())? != MAGIC {
            return Err(Malformed { field: "magic", reason: "is not that of a key slot" });
        }
        if reader.u16("format")? != FORMAT {
            return Err(Malformed { field: "format", reason: "is not the one of this program" });
        }
        let repo = RepoId(reader.array("repository id")?);
        if reader.u8("key derivation")? != KDF_ARGON2ID {
            return Err(Malformed { field: "key derivation", reason: "is unknown" });
        }
        let cost = KdfCost {
            memory_kib: reader.u32("memory")?,
            passes: reader.u32("passes")?,
            lanes: reader.u32("lanes")?,
        };
        let salt = reader.array("salt")?;
        let created_ms = reader.i64("created")?;
        let len = usize::from(reader.u8("label")?);
        let label = String::from_utf8(reader.bytes("label", len)?.to_vec())
            .map_err(|_| Malformed { field: "label", reason: "is not UTF-8" })?;
        let public = reader.array("public key")?;
        let check = reader.array("check value")?;
        let private = reader.bytes("private key", 64 + TAG_BYTES)?.to_vec();
        let ephemeral = reader.array("ephemeral key")?;
        let len = usize::from(reader.u16("bundle length")?);
        let bundle = reader.bytes("bundle", len)?.to_vec();
        let bundle_mac = reader.array("bundle mac")?;
        reader.end("key slot")?;
        Ok(Self {
            repo,
            cost,
            label,
            created_ms,
            salt,
            public,
            check,
            private,
            ephemeral,
            bundle,
            bundle_mac,
        })
    }
}

/// A secret from fresh randomness and all that it is for.
fn hedged(context: &str, random: &dyn Random, parts: &[&[u8]]) -> Result<Secret> {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(draw(random)?.expose());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    Ok(Secret::new(*hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::SystemRandom;

    const PASSPHRASE: &[u8] = b"open sesame";

    fn bundle() -> Bundle {
        Bundle::generate(&SystemRandom, RepoId([1; 16]), [2; 32]).unwrap()
    }

    fn slot(bundle: &Bundle) -> Slot {
        let cost = KdfCost::least();
        Slot::create(PASSPHRASE, "mine", 5, cost, bundle, &SystemRandom).unwrap().0
    }

    fn secrets(bundle: &Bundle) -> Vec<u8> {
        bundle.encode()
    }

    #[test]
    fn a_slot_gives_back_its_secrets_and_survives_its_bytes() {
        let bundle = bundle();
        let slot = slot(&bundle);
        let read = Slot::decode(&slot.encode()).unwrap();
        assert_eq!(read, slot);
        let Unlocked::Open(opened, _) = read.unlock(PASSPHRASE).unwrap() else { panic!("opens") };
        assert_eq!(secrets(&opened), secrets(&bundle));
        assert!(matches!(read.unlock(b"open barley"), Ok(Unlocked::Wrong)));
    }

    #[test]
    fn new_secrets_reach_a_slot_without_its_passphrase() {
        let mut bundle = bundle();
        let mut slot = slot(&bundle);
        let before = slot.clone();
        bundle.add_epoch(&SystemRandom).unwrap();
        slot.reseal(&bundle, &SystemRandom).unwrap();
        assert_eq!((slot.owner(), &slot.private), (before.owner(), &before.private));
        let Unlocked::Open(opened, _) = slot.unlock(PASSPHRASE).unwrap() else { panic!("opens") };
        assert_eq!(secrets(&opened), secrets(&bundle));
    }

    /// Whoever sees a slot knows its public key and can seal to it: that must not be enough.
    #[test]
    fn a_store_cannot_slip_in_secrets_of_its_own() {
        let mut slot = slot(&bundle());
        slot.reseal(&bundle(), &SystemRandom).unwrap();
        assert!(matches!(slot.unlock(PASSPHRASE), Ok(Unlocked::Tampered)));
    }

    #[test]
    fn a_bundle_of_another_slot_does_not_fit() {
        let bundle = bundle();
        let (mut one, two) = (slot(&bundle), slot(&bundle));
        (one.ephemeral, one.bundle) = (two.ephemeral, two.bundle);
        one.bundle_mac = two.bundle_mac;
        assert!(matches!(one.unlock(PASSPHRASE), Ok(Unlocked::Tampered)));
    }

    #[test]
    fn labels_have_a_bound() {
        let made = Slot::create(
            PASSPHRASE,
            &"x".repeat(256),
            0,
            KdfCost::least(),
            &bundle(),
            &SystemRandom,
        );
        assert!(matches!(made, Err(Error::Limit { found: 256, .. })));
    }
}
