//! Making a repository: only where provably nothing is, and only by whoever comes first.

use super::{Closed, Open, Repo, mirror_key};
use crate::chunk::ChunkSizes;
use crate::config::{CONFIG_KEY, Config, Features};
use crate::digest::{ObjectHash, RepoId};
use crate::error::{Error, Result};
use crate::keys::{Bundle, Keys};
use crate::limits;
use crate::slot::{KdfCost, Slot, slot_key};
use crate::store::PutOutcome;

/// How a repository is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitOptions<'a> {
    /// What the first key slot is called.
    pub label: &'a str,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// Cost of the first slot.
    pub cost: KdfCost,
}

/// Lowest version of this program that reads what it initialises: that of format 0.1, not its own.
const NEEDS: &str = "0.1.0";

impl Repo<Closed> {
    /// Makes a repository. The listing must succeed and be empty; then the key slot is put, then the
    /// config, under its one name: of two that do this at once one wins, and the other gets
    /// `AlreadyInitialised`.
    ///
    /// # Errors
    /// `AlreadyInitialised`, `NotEmpty`, `ConfigLost`, `Invalid` for a store that replaces objects, or the store's.
    pub fn init(&self, passphrase: &[u8], options: InitOptions<'_>) -> Result<Repo<Open>> {
        options.cost.check()?;
        self.prove_empty()?;
        let random = &*self.state.random;
        let mut id = [0; RepoId::LEN];
        random.fill(&mut id)?;
        let config = Config {
            repo: RepoId(id),
            created_ms: options.now_ms,
            sizes: ChunkSizes::default(),
            features: Features::default(),
            needs: NEEDS.to_owned(),
        };
        let bundle = Bundle::generate(random, config.repo, config.immutable_hash())?;
        let InitOptions { label, now_ms, cost } = options;
        let (slot, own) = Slot::create(passphrase, label, now_ms, cost, &bundle, random)?;
        let slot = slot.encode();
        let slot_key = slot_key(&ObjectHash::of(&slot));
        // The slot comes first: a config without any slot would be a repository that nobody can open.
        self.store.put_new(&slot_key, &slot)?;
        self.prove_write_once(&slot_key, &slot)?;
        self.store.put_new(&mirror_key(&slot_key), &slot)?;
        let bytes = config.encode(&Keys::new(&bundle));
        if self.store.put_new(CONFIG_KEY, &bytes)? == PutOutcome::Exists {
            // The winner's repository must not keep a slot that opens nothing of it.
            self.store.delete(&slot_key)?;
            self.store.delete(&mirror_key(&slot_key))?;
            return Err(Error::AlreadyInitialised { found: self.shown_id()? });
        }
        self.store.put_new(&mirror_key(CONFIG_KEY), &bytes)?;
        let random = self.state.random.clone();
        let state = Open::new(&self.store, bundle.into(), own.into(), config, random);
        Ok(Repo { store: self.store.clone(), state })
    }

    /// Refuses a store that replaces what is there: of two twins both would have committed. The bytes are the
    /// same, so nothing is lost by asking; twice, as a put whose answer was lost looks like a first one.
    fn prove_write_once(&self, key: &str, bytes: &[u8]) -> Result<()> {
        for _ in 0..2 {
            if self.store.put_new(key, bytes)? == PutOutcome::Exists {
                return Ok(());
            }
        }
        let reason = "the store replaces objects that are there; an S3 server that ignores If-None-Match \
                      needs conditional=no in the URL";
        Err(Error::Invalid { field: "url", reason: reason.to_owned() })
    }

    fn prove_empty(&self) -> Result<()> {
        // Whoever lists for ever is not empty either.
        let (rows, _) = self.store.list_some("", limits::SLOT_OBJECTS_MAX)?;
        let Some(first) = rows.first() else { return Ok(()) };
        let has = |key: &str| rows.iter().any(|row| row.key == key);
        if has(CONFIG_KEY) || has(&mirror_key(CONFIG_KEY)) {
            return Err(Error::AlreadyInitialised { found: self.shown_id()? });
        }
        // Slots alone are what an initialisation leaves that died before its config, or one that is
        // going on: they are left alone, as they open nothing of the repository that comes.
        if rows.iter().all(|row| super::is_slot_key(&row.key)) {
            return Ok(());
        }
        let ours = rows.iter().find(|row| super::is_repository_key(&row.key));
        Err(match ours {
            Some(row) => Error::ConfigLost { key: row.key.clone() },
            None => Error::NotEmpty { key: first.key.clone() },
        })
    }
}
