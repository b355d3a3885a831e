//! What a repository's secrets are and everything that is derived from them. Each derivation has a
//! context string that names product, format and purpose; `docs/format.md` lists them all.

use std::sync::OnceLock;

use zeroize::Zeroize;

use crate::chunk::{ChunkSizes, Chunker};
use crate::digest::{BlobId, Kind, RepoId, SnapshotName};
use crate::error::{Error, Malformed, Result};
use crate::limits;
use crate::seal::{Context, Purpose, Random, Secret};
use crate::wire::{Reader, Write};

const ID_CONTEXTS: [&str; 3] =
    ["holdfast 0.1 blob id data", "holdfast 0.1 blob id tree", "holdfast 0.1 blob id list"];
const CHUNK_CONTEXT: &str = "holdfast 0.1 chunker gear-keyed-1";
const SNAPSHOT_CONTEXT: &str = "holdfast 0.1 snapshot name";
const CONFIG_CONTEXT: &str = "holdfast 0.1 config mac";
const PAGE_CONTEXT: &str = "holdfast 0.1 tree page boundary";
const SEAL_CONTEXTS: [&str; 9] = [
    "holdfast 0.1 seal data",
    "holdfast 0.1 seal tree",
    "holdfast 0.1 seal list",
    "holdfast 0.1 seal footer",
    "holdfast 0.1 seal index",
    "holdfast 0.1 seal snapshot",
    "holdfast 0.1 seal intent",
    "holdfast 0.1 seal collection",
    "holdfast 0.1 seal report",
];
const SALT_CONTEXT: &str = "holdfast 0.1 salt";
const PADDING_CONTEXT: &str = "holdfast 0.1 padding";

/// Bytes of a bundle before the secrets of its epochs.
const BUNDLE_HEAD_BYTES: usize = 16 + 32 + 32 + 2;

/// The secrets themselves, as key slots carry them.
pub(crate) struct Bundle {
    pub(crate) repo: RepoId,
    /// BLAKE3 of config's immutable part: another config under the same keys is noticed.
    pub(crate) config_hash: [u8; 32],
    pub(crate) identity: Secret,
    /// The first is epoch 1.
    pub(crate) epochs: Vec<Secret>,
}

impl Bundle {
    /// Secrets of a new repository.
    pub(crate) fn generate(
        random: &dyn Random,
        repo: RepoId,
        config_hash: [u8; 32],
    ) -> Result<Self> {
        let identity = draw(random)?;
        let epochs = vec![draw(random)?];
        Ok(Self { repo, config_hash, identity, epochs })
    }

    /// Whether these are the secrets of the same repository, of a later age or the same.
    pub(crate) fn continues(&self, older: &Self) -> bool {
        let same = |(a, b): (&Secret, &Secret)| a.expose() == b.expose();
        self.repo == older.repo
            && self.config_hash == older.config_hash
            && self.identity.expose() == older.identity.expose()
            && self.epochs.len() >= older.epochs.len()
            && self.epochs.iter().zip(&older.epochs).all(same)
    }

    /// Adds an epoch: what is written from now on is out of reach for whoever kept older secrets.
    pub(crate) fn add_epoch(&mut self, random: &dyn Random) -> Result<()> {
        if self.epochs.len() >= limits::EPOCHS_MAX {
            let found = self.epochs.len() as u64 + 1;
            return Err(Error::Limit { what: "epochs", limit: limits::EPOCHS_MAX as u64, found });
        }
        self.epochs.push(draw(random)?);
        Ok(())
    }

    /// How many epochs a bundle of so many bytes has.
    pub(crate) const fn epochs_in(bytes: usize) -> usize {
        bytes.saturating_sub(BUNDLE_HEAD_BYTES) / 32
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Reserved at once: a buffer that grows would leave copies of secrets behind.
        let mut out = Vec::with_capacity(BUNDLE_HEAD_BYTES + 32 * self.epochs.len() + 16);
        out.bytes(self.repo.as_bytes());
        out.bytes(&self.config_hash);
        out.bytes(self.identity.expose());
        out.u16(self.epochs.len() as u16);
        self.epochs.iter().for_each(|epoch| out.bytes(epoch.expose()));
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let repo = RepoId(reader.array("repository id")?);
        let config_hash = reader.array("config hash")?;
        let identity = Secret::new(reader.array("identity secret")?);
        let count = usize::from(reader.u16("epoch count")?);
        if count == 0 || count > limits::EPOCHS_MAX {
            return Err(Malformed { field: "epoch count", reason: "is outside its limits" });
        }
        let mut epochs = Vec::with_capacity(count);
        for _ in 0..count {
            epochs.push(Secret::new(reader.array("epoch secret")?));
        }
        reader.end("key bundle")?;
        Ok(Self { repo, config_hash, identity, epochs })
    }
}

/// 32 fresh random bytes.
pub(crate) fn draw(random: &dyn Random) -> Result<Secret> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    let secret = Secret::new(bytes);
    bytes.zeroize();
    Ok(secret)
}

/// Keys of one epoch.
pub(crate) struct EpochKeys {
    seal: [Secret; 9],
    pub(crate) salt: Secret,
    pub(crate) padding: Secret,
}

impl EpochKeys {
    fn new(epoch: &Secret) -> Self {
        let seal = SEAL_CONTEXTS.map(|context| epoch.derive(context));
        Self { seal, salt: epoch.derive(SALT_CONTEXT), padding: epoch.derive(PADDING_CONTEXT) }
    }

    /// The key of one message.
    pub(crate) fn message_key(&self, purpose: Purpose, context: &Context, salt: &[u8]) -> Secret {
        let mut hasher = blake3::Hasher::new_keyed(self.seal[purpose.slot()].expose());
        hasher.update(context.as_bytes()).update(salt);
        Secret::new(*hasher.finalize().as_bytes())
    }
}

/// All keys of an open repository.
pub struct Keys {
    repo: RepoId,
    ids: [Secret; 3],
    chunk: Secret,
    snapshot: Secret,
    config: Secret,
    page: Secret,
    epochs: Vec<EpochKeys>,
    later: Later,
}

/// Looks for the secrets of the epochs that follow so many known ones.
type Seek = Box<dyn Fn() -> Result<Vec<Secret>> + Send + Sync>;

/// Epochs that a rotation has begun and that the slot which was opened first does not know: it is an older
/// age of the same slot. They are looked for once, when something is sealed under one of them.
#[derive(Default)]
struct Later {
    seek: Option<Seek>,
    found: OnceLock<Vec<EpochKeys>>,
}

impl Later {
    /// The keys of the epoch that comes so many after the known ones. A store that does not answer is
    /// asked again the next time.
    fn epoch(&self, after: usize) -> Option<&EpochKeys> {
        if self.found.get().is_none() {
            let found = (self.seek.as_ref()?)().ok()?;
            let _ = self.found.set(found.iter().map(EpochKeys::new).collect());
        }
        self.found.get()?.get(after)
    }
}

impl Keys {
    pub(crate) fn new(bundle: &Bundle) -> Self {
        let identity = &bundle.identity;
        Self {
            repo: bundle.repo,
            ids: ID_CONTEXTS.map(|context| identity.derive(context)),
            chunk: identity.derive(CHUNK_CONTEXT),
            snapshot: identity.derive(SNAPSHOT_CONTEXT),
            config: identity.derive(CONFIG_CONTEXT),
            page: identity.derive(PAGE_CONTEXT),
            epochs: bundle.epochs.iter().map(EpochKeys::new).collect(),
            later: Later::default(),
        }
    }

    /// Lets `seek` look for epochs that the bundle does not have. What is sealed from now on still is
    /// sealed under the newest that it has: one session writes under one epoch.
    pub(crate) fn seeking(
        mut self,
        seek: impl Fn() -> Result<Vec<Secret>> + Send + Sync + 'static,
    ) -> Self {
        self.later.seek = Some(Box::new(seek));
        self
    }

    /// The repository that they belong to.
    #[must_use]
    pub const fn repo(&self) -> &RepoId {
        &self.repo
    }

    /// The epoch under which new objects are sealed; the first is 1.
    #[must_use]
    pub fn newest_epoch(&self) -> u32 {
        self.epochs.len() as u32
    }

    pub(crate) fn epoch(&self, epoch: u32) -> Option<&EpochKeys> {
        let at = (epoch as usize).checked_sub(1)?;
        match at.checked_sub(self.epochs.len()) {
            None => self.epochs.get(at),
            Some(after) if (epoch as usize) <= limits::EPOCHS_MAX => self.later.epoch(after),
            Some(_) => None,
        }
    }

    /// The id of a blob.
    #[must_use]
    pub fn blob_id(&self, kind: Kind, content: &[u8]) -> BlobId {
        let hash = blake3::keyed_hash(self.ids[kind.slot()].expose(), content);
        let mut id = [0; BlobId::LEN];
        id.copy_from_slice(&hash.as_bytes()[..BlobId::LEN]);
        BlobId(id)
    }

    /// The chunker of this repository.
    #[must_use]
    pub fn chunker(&self, sizes: ChunkSizes) -> Chunker {
        Chunker::new(self.chunk.expose(), sizes)
    }

    /// The fixed name of what one attempt of one component commits.
    #[must_use]
    pub fn snapshot_name(&self, session: &str, component: &str, attempt: u32) -> SnapshotName {
        let mut input = Vec::new();
        input.text(session.as_bytes());
        input.text(component.as_bytes());
        input.u32(attempt);
        let hash = blake3::keyed_hash(self.snapshot.expose(), &input);
        let mut name = [0; SnapshotName::LEN];
        name.copy_from_slice(&hash.as_bytes()[..SnapshotName::LEN]);
        SnapshotName(name)
    }

    /// Whether a page of a directory ends after the entry with this name: its keyed hash has 9 low
    /// zero bits.
    #[must_use]
    pub fn ends_tree_page(&self, entry_name: &[u8]) -> bool {
        let hash = blake3::keyed_hash(self.page.expose(), entry_name);
        let bytes = hash.as_bytes();
        u16::from_le_bytes([bytes[0], bytes[1]]).trailing_zeros() >= 9
    }

    pub(crate) fn config_mac(&self, body: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(self.config.expose(), body)
    }
}
