//! Opening a repository: config, key slots, passphrase. Each way to fail has its own error, because
//! each asks something else of whoever reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Closed, MIRROR_FOLDER, Open, Repo, mirror_key};
use crate::config::{CONFIG_KEY, Config, Use};
use crate::digest::{ObjectHash, RepoId};
use crate::error::{Error, Result};
use crate::keys::{Bundle, Keys};
use crate::limits;
use crate::pack::Padding;
use crate::seal::{Random, Secret};
use crate::slot::{Slot, SlotKey, Unlocked, slot_key};
use crate::store::{SharedStore, Store, StoreError};

/// What the caller knows and wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlock {
    /// The identity that must be found; another one is `RepositoryReplaced`.
    pub expected: Option<RepoId>,
    /// Whether something is going to be written.
    pub write: bool,
}

/// A config with the bytes that its MAC covers.
type ReadConfig = (Config, Vec<u8>);

/// Where first objects lie, and where their copies do.
const FIRST: [&str; 1] = [""];
const BOTH: [&str; 2] = ["", MIRROR_FOLDER];

/// What a place shows of a repository before any key is known.
#[derive(Default)]
struct Sight {
    configs: Vec<ReadConfig>,
    /// Why the first config that is there cannot be read.
    damage: Option<Error>,
    /// Whether no config was there.
    absent: bool,
    slots: SlotNames,
}

/// Names of objects beneath `keys/` that may be key slots, and when the store got each: the earlier of both copies.
pub(super) type SlotNames = BTreeMap<ObjectHash, i64>;

impl Sight {
    /// What opening depends on.
    fn names(&self) -> (BTreeSet<Vec<u8>>, bool, BTreeSet<ObjectHash>) {
        let configs = self.configs.iter().map(|(_, bytes)| bytes.clone()).collect();
        (configs, self.absent, self.slots.keys().copied().collect())
    }
}

/// A slot that was found, and what reading it gave.
pub(super) struct FoundSlot {
    pub(super) name: ObjectHash,
    pub(super) slot: Result<Slot, Error>,
    /// When the store got it.
    pub(super) stored_ms: i64,
}

impl Open {
    pub(super) fn new(
        store: &SharedStore,
        bundle: Arc<Bundle>,
        slot: Arc<SlotKey>,
        config: Config,
        random: Arc<dyn Random>,
    ) -> Self {
        let (store, own, known) = (store.clone(), slot.clone(), bundle.clone());
        let keys = Keys::new(&bundle).seeking(move || later_epochs(&*store, &own, &known));
        let (keys, config, padding) = (Arc::new(keys), Arc::new(config), Padding::default());
        Self { keys, bundle, config, random, padding, slot }
    }
}

/// The secrets of the epochs that follow those of `known`, from any object of the same slot, the copies
/// included: a rotation that was cut short leaves two, and of the newer one the first may be lost.
pub(super) fn later_epochs(
    store: &dyn Store,
    key: &SlotKey,
    known: &Bundle,
) -> Result<Vec<Secret>> {
    let mut found = Vec::new();
    for FoundSlot { slot, .. } in read_slots(store, all_slot_names(store)?)? {
        let Some(mut bundle) = slot.ok().and_then(|slot| key.open(&slot)) else { continue };
        if bundle.continues(known) && bundle.epochs.len() > known.epochs.len() + found.len() {
            found = bundle.epochs.split_off(known.epochs.len());
        }
    }
    Ok(found)
}

impl Repo<Closed> {
    /// Opens the repository that is here. The copies are looked at only when the first objects do not
    /// do: every request of a store costs.
    ///
    /// # Errors
    /// `NoRepository`, `ConfigLost`, `RepositoryReplaced`, `Unsupported`, `NoKeySlot`,
    /// `WrongPassphrase`, `KeySlotDamaged`, `KeySlotTampered`, `KdfRefused`, `Damaged`, or the store's.
    pub fn open(&self, passphrase: &[u8], unlock: Unlock) -> Result<Repo<Open>> {
        self.open_telling(passphrase, unlock, |_| {})
    }

    /// The same, and tells what was wrong with the first objects where their copies took their place.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_telling(
        &self,
        passphrase: &[u8],
        unlock: Unlock,
        tell: impl FnOnce(&str),
    ) -> Result<Repo<Open>> {
        let first = self.look(&FIRST)?;
        let shown = first.names();
        let absent = first.absent;
        let error = match self.open_from(first, passphrase, unlock) {
            Err(error) => error,
            opened => return opened,
        };
        let both = self.look(&BOTH)?;
        if both.names() == shown {
            return Err(error.of_both(CONFIG_KEY));
        }
        let config_differs = both.names().0 != shown.0;
        let opened = self.open_from(both, passphrase, unlock)?;
        let text = match (absent, config_differs) {
            (true, _) => format!("{CONFIG_KEY} is missing"),
            (false, true) => error.to_string(),
            (false, false) => "a key slot is missing".to_owned(),
        };
        tell(&format!("{text}; its copy was read instead"));
        Ok(opened)
    }

    fn open_from(&self, sight: Sight, passphrase: &[u8], unlock: Unlock) -> Result<Repo<Open>> {
        let slots = sight.slots.clone();
        let (_, configs) = self.agree(sight, &unlock)?;
        let ids: Vec<RepoId> = configs.iter().map(|(config, _)| config.repo).collect();
        let (bundle, slot) = self.unlock_any(slots, passphrase, &ids)?;
        let keys = Keys::new(&bundle);
        let authentic = configs.into_iter().find(|(config, bytes)| {
            Config::is_authentic(bytes, &keys) && config.immutable_hash() == bundle.config_hash
        });
        let Some((config, _)) = authentic else {
            let reason = "its MAC is not the one that the keys of this repository give";
            return Err(Error::damaged(CONFIG_KEY, reason));
        };
        // Not before its MAC was seen: a flipped bit is damage, no feature.
        config.permits(if unlock.write { Use::Write } else { Use::Read })?;
        if let Some(expected) = unlock.expected.filter(|id| *id != config.repo) {
            return Err(Error::RepositoryReplaced { expected, found: config.repo });
        }
        let random = self.state.random.clone();
        let state = Open::new(&self.store, bundle.into(), slot.into(), config, random);
        Ok(Repo { store: self.store.clone(), state })
    }

    /// Config and slots below these folders, as far as they can be read.
    fn look(&self, folders: &[&str]) -> Result<Sight> {
        let mut sight = Sight { absent: true, ..Sight::default() };
        for folder in folders {
            let key = format!("{folder}{CONFIG_KEY}");
            let read = self.store.get(&key, limits::CONFIG_MAX_BYTES as u64);
            match read.map_err(Error::from).and_then(|bytes| {
                let config = Config::parse(&key, &bytes)?;
                Ok((config, bytes))
            }) {
                Ok(config) => sight.configs.push(config),
                Err(Error::Store(error)) if error.is_not_found() => continue,
                Err(error) => drop(sight.damage.get_or_insert(error)),
            }
            sight.absent = false;
        }
        sight.slots = slot_names(&*self.store, folders)?;
        Ok(sight)
    }

    /// The identity that config and copy show.
    pub(super) fn shown_id(&self) -> Result<RepoId> {
        Ok(self.agree(self.look(&BOTH)?, &Unlock::default())?.0.repo)
    }

    /// The config to believe until keys say more, and all that can be read.
    fn agree(&self, sight: Sight, unlock: &Unlock) -> Result<(Config, Vec<ReadConfig>)> {
        let Sight { mut configs, damage, absent, .. } = sight;
        // A copy with the expected identity is believed before a damaged first one.
        if let Some(expected) = unlock.expected {
            configs.sort_by_key(|(config, _)| config.repo != expected);
        }
        match (configs.first(), damage) {
            (Some((config, _)), _) => match unlock.expected.filter(|id| *id != config.repo) {
                Some(expected) => Err(Error::RepositoryReplaced { expected, found: config.repo }),
                None => Ok((config.clone(), configs)),
            },
            (None, Some(error)) => Err(error),
            (None, None) if absent => Err(self.explain_absence()?),
            (None, None) => Err(Error::NoRepository),
        }
    }

    fn explain_absence(&self) -> Result<Error> {
        let (rows, _) = self.store.list_some("", limits::SLOT_OBJECTS_MAX)?;
        // Slots alone are what an initialisation left that was stopped: nothing was ever stored.
        let ours = rows
            .into_iter()
            .find(|row| super::is_repository_key(&row.key) && !super::is_slot_key(&row.key));
        Ok(ours.map_or(Error::NoRepository, |row| Error::ConfigLost { key: row.key }))
    }

    /// The secrets, by the first slot that opens; of several objects of one slot, as an interrupted
    /// rotation leaves them, the one with the most epochs.
    ///
    /// Whoever may put objects may put any number of slots that look like ours, each with a derivation to pay for. So
    /// the cheap ones come first and the older before the younger, and what all of them together may cost has a
    /// bound.
    fn unlock_any(
        &self,
        slots: SlotNames,
        passphrase: &[u8],
        ids: &[RepoId],
    ) -> Result<(Bundle, SlotKey)> {
        let mut first_error = None;
        let (mut tried, mut spent) = (0, 0);
        let mut best: Option<([u8; 32], Bundle, SlotKey)> = None;
        let mut ours = Vec::new();
        for FoundSlot { name, slot, stored_ms } in read_slots(&*self.store, oldest(slots))? {
            match slot {
                Ok(slot) if ids.contains(&slot.repo) => ours.push((name, slot, stored_ms)),
                // Left behind by an initialisation that lost against another.
                Ok(_) => {}
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        ours.sort_by_key(|(name, slot, stored_ms)| (slot.cost.is_dear(), *stored_ms, *name));
        for (name, slot, _) in ours {
            if best.as_ref().is_some_and(|(owner, ..)| *owner != slot.owner()) {
                continue;
            }
            let cost = slot.cost.work();
            if spent > 0 && spent + cost > limits::SLOTS_WORK_MAX {
                first_error.get_or_insert(Error::Limit {
                    what: "key slots that could be tried",
                    limit: limits::SLOTS_MAX as u64,
                    found: tried as u64 + 1,
                });
                break;
            }
            spent += cost;
            match slot.unlock(passphrase) {
                Ok(Unlocked::Wrong) => tried += 1,
                Ok(Unlocked::Tampered) => {
                    let slot = name.to_string();
                    first_error = Some(Error::KeySlotTampered { slot });
                }
                Ok(Unlocked::Open(bundle, key)) => {
                    let more = best.as_ref().map_or(0, |(_, best, _)| best.epochs.len());
                    if bundle.epochs.len() > more {
                        best = Some((slot.owner(), bundle, key));
                    }
                }
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        match (best, first_error) {
            (Some((_, bundle, key)), _) => Ok((bundle, key)),
            (None, Some(error)) => Err(error),
            (None, None) if tried > 0 => Err(Error::WrongPassphrase { slots: tried }),
            (None, None) => Err(Error::NoKeySlot),
        }
    }
}

/// The slots that either copy shows.
pub(super) fn all_slot_names(store: &dyn Store) -> Result<SlotNames> {
    slot_names(store, &BOTH)
}

/// What has the size of a slot, as far as a folder that anybody may fill is looked at.
fn slot_names(store: &dyn Store, folders: &[&str]) -> Result<SlotNames> {
    let mut names = SlotNames::new();
    for folder in folders {
        let prefix = format!("{folder}keys/");
        let (rows, more) = store.list_some(&prefix, limits::SLOT_OBJECTS_MAX)?;
        if more {
            let limit = limits::SLOT_OBJECTS_MAX as u64;
            return Err(StoreError::Endless { prefix, limit }.into());
        }
        for row in rows {
            let named = ObjectHash::from_hex(&row.key[prefix.len()..]);
            let fits = row.size <= limits::SLOT_MAX_BYTES as u64;
            if let Some(name) = named.filter(|_| fits) {
                let first = names.entry(name).or_insert(row.modified_ms);
                *first = row.modified_ms.min(*first);
            }
        }
    }
    Ok(names)
}

/// So many as are read to open a repository: those that were there first. What comes later than that is none that
/// its owners have made.
fn oldest(names: SlotNames) -> SlotNames {
    let mut ordered: Vec<_> = names.into_iter().collect();
    ordered.sort_by_key(|(name, stored_ms)| (*stored_ms, *name));
    ordered.truncate(limits::SLOTS_READ_MAX);
    ordered.into_iter().collect()
}

/// These key slots; the copy serves where the first is damaged or gone.
pub(super) fn read_slots(store: &dyn Store, names: SlotNames) -> Result<Vec<FoundSlot>> {
    let names: Vec<_> = names.into_iter().collect();
    super::fetch_all(store, &names, |(name, stored_ms)| {
        Ok(FoundSlot { name: *name, slot: read_slot(store, name)?, stored_ms: *stored_ms })
    })
}

/// The outer error is the store's: it says nothing about the slot.
fn read_slot(store: &dyn Store, name: &ObjectHash) -> Result<Result<Slot, Error>, StoreError> {
    let key = slot_key(name);
    for key in [mirror_key(&key), key].iter().rev() {
        match store.get(key, limits::SLOT_MAX_BYTES as u64) {
            Ok(bytes) if ObjectHash::of(&bytes) == *name => {
                if let Ok(slot) = Slot::decode(&bytes) {
                    return Ok(Ok(slot));
                }
            }
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(StoreError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Err(Error::KeySlotDamaged { slot: name.to_string() }))
}
