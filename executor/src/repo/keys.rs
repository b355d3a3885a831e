//! Key slots of an open repository: list, add, drop, rotate. At every step of every verb the
//! repository opens, with an old slot or a new one.

use std::collections::BTreeMap;

use super::open::{FoundSlot, all_slot_names, later_epochs, read_slots};
use super::{Closed, Open, Repo, mirror_key};
use crate::digest::ObjectHash;
use crate::error::{Error, Result};
use crate::keys::Bundle;
use crate::limits::SLOTS_MAX;
use crate::slot::{KdfCost, Slot, Unlocked, slot_key};

/// An object beneath `keys/` that is no key slot of the repository, and is never treated as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignSlot {
    /// Its name.
    pub name: ObjectHash,
    /// What it calls itself.
    pub label: String,
    /// Why it counts as none.
    pub why: Foreign,
}

/// Why a slot counts as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Nobody who knows a password of the repository has made it: anybody who may put objects has.
    NotMade,
    /// A rotation has left it behind, and somebody has put it back since.
    PutBack,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotMade => "was made by nobody who knows a password of this repository",
            Self::PutBack => "was left behind by a rotation and has been put back since",
        })
    }
}

/// The slots of a repository, and what looks like one.
struct Slots {
    own: Vec<(ObjectHash, Slot)>,
    foreign: Vec<ForeignSlot>,
}

/// A key slot as a user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// Its name, which changes with every rotation.
    pub name: ObjectHash,
    /// What its owner calls it.
    pub label: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// Cost of its derivation.
    pub cost: KdfCost,
}

impl Repo<Open> {
    /// All slots, oldest first: what can be read and has its MAC.
    ///
    /// # Errors
    /// The store's.
    pub fn slots(&self) -> Result<Vec<SlotInfo>> {
        let mut slots: Vec<SlotInfo> = self
            .own_slots()?
            .into_iter()
            .map(|(name, slot)| SlotInfo {
                name,
                label: slot.label,
                created_ms: slot.created_ms,
                cost: slot.cost,
            })
            .collect();
        slots.sort_by(|a, b| (a.created_ms, &a.label).cmp(&(b.created_ms, &b.label)));
        Ok(slots)
    }

    /// The slot that a passphrase opens. Costs a key derivation for each slot that is tried.
    ///
    /// # Errors
    /// `KdfRefused`, or the store's.
    pub fn slot_of(&self, passphrase: &[u8]) -> Result<Option<ObjectHash>> {
        for (name, slot) in self.own_slots()? {
            if matches!(slot.unlock(passphrase)?, Unlocked::Open(..)) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The slot that a user means: by a unique prefix of its name, or by its label.
    ///
    /// # Errors
    /// `NoSuch`; `Invalid` if several fit.
    pub fn find_slot(&self, text: &str) -> Result<SlotInfo> {
        let named = |slot: &SlotInfo| !text.is_empty() && slot.name.to_string().starts_with(text);
        let slots = self.slots()?;
        let mut fitting = slots.iter().filter(|slot| slot.label == text || named(slot));
        let first =
            fitting.next().ok_or(Error::NoSuch { what: "key slot", name: text.to_owned() })?;
        match fitting.count() {
            0 => Ok(first.clone()),
            more => Err(Error::Invalid {
                field: "key slot",
                reason: format!(
                    "{} of them fit {text:?}: give the id of one, or more of it",
                    more + 1
                ),
            }),
        }
    }

    /// Adds a passphrase.
    ///
    /// # Errors
    /// `KdfRefused`, `Limit`, `RotationUnfinished`, or the store's.
    pub fn add_slot(
        &self,
        passphrase: &[u8],
        label: &str,
        now_ms: i64,
        cost: KdfCost,
    ) -> Result<ObjectHash> {
        let slots = self.own_slots()?;
        let found = slots.len() as u64 + 1;
        if found > SLOTS_MAX as u64 {
            let limit = SLOTS_MAX as u64;
            return Err(Error::Limit { what: "number of passwords", limit, found });
        }
        let bundle = self.newest_bundle(&slots)?;
        let (slot, _) =
            Slot::create(passphrase, label, now_ms, cost, &bundle, &*self.state.random)?;
        self.put_slot(&slot)
    }

    /// Drops a passphrase. Whoever kept the secrets from before still has them: rotate as well if the
    /// passphrase has leaked.
    ///
    /// # Errors
    /// `NoSuch`, `LastKeySlot`, `RotationUnfinished` if no slot that stays knows the newest epoch, or the
    /// store's.
    pub fn drop_slot(&self, name: &ObjectHash) -> Result<()> {
        let slots = self.own_slots()?;
        let gone = slots.iter().find(|(found, _)| found == name);
        let owner = gone.map(|(_, slot)| slot.owner()).ok_or_else(|| no_slot(name))?;
        if slots.iter().all(|(_, slot)| slot.owner() == owner) {
            return Err(Error::LastKeySlot);
        }
        let (go, stay): (Vec<_>, Vec<_>) =
            slots.iter().partition(|(_, slot)| slot.owner() == owner);
        let newest = |slots: &[&(ObjectHash, Slot)]| {
            slots.iter().filter_map(|(_, slot)| slot.epochs(&self.state.bundle)).max()
        };
        if newest(&stay) < newest(&go) {
            return Err(Error::RotationUnfinished { slot: name.to_string() });
        }
        go.iter().try_for_each(|(name, _)| self.delete_slot(name))
    }

    /// Begins a new epoch: what is written from now on is sealed under secrets that only the slots that
    /// stay get. Needs no passphrase but the one that opened the repository. A rotation that was cut
    /// short is completed by the next one.
    ///
    /// # Errors
    /// `NoSuch`, `LastKeySlot`, `Limit`, `RotationUnfinished`, or the store's.
    pub fn rotate(&self, dropped: &[ObjectHash]) -> Result<Repo<Open>> {
        let Slots { own: slots, foreign } = self.all_slots()?;
        if let Some(name) = dropped.iter().find(|name| !slots.iter().any(|(n, _)| n == *name)) {
            return Err(no_slot(name));
        }
        let owners: Vec<[u8; 32]> = slots
            .iter()
            .filter(|(name, _)| dropped.contains(name))
            .map(|(_, slot)| slot.owner())
            .collect();
        let stay: BTreeMap<[u8; 32], &Slot> = slots
            .iter()
            .map(|(_, slot)| (slot.owner(), slot))
            .filter(|(owner, _)| !owners.contains(owner))
            .collect();
        if stay.is_empty() {
            return Err(Error::LastKeySlot);
        }
        let random = &*self.state.random;
        let mut bundle = self.newest_bundle(&slots)?;
        bundle.add_epoch(random)?;
        // Every new object is there before the first old one goes.
        let mut fresh = Vec::new();
        let mut stay: Vec<&Slot> = stay.into_values().collect();
        // The slot that was opened is the first: whoever is stopped here can complete what was begun.
        stay.sort_by_key(|slot| !self.state.slot.is_of(slot));
        for slot in stay {
            let mut slot = slot.clone();
            slot.reseal(&bundle, random)?;
            fresh.push(self.put_slot(&slot)?);
        }
        for (name, _) in slots.iter().filter(|(name, _)| !fresh.contains(name)) {
            self.delete_slot(name)?;
        }
        // The next rotation could not tell it from one that this one has not reached.
        for slot in foreign.iter().filter(|slot| slot.why == Foreign::PutBack) {
            self.delete_slot(&slot.name)?;
        }
        let config = (*self.state.config).clone();
        let (slot, random) = (self.state.slot.clone(), self.state.random.clone());
        let mut state = Open::new(&self.store, bundle.into(), slot, config, random);
        state.padding = self.state.padding;
        Ok(Repo { store: self.store.clone(), state })
    }

    /// The secrets to go on from: those of the slot that was opened, in the latest age of it. If another
    /// slot has more of them, whoever went on from here would take them away from everybody.
    fn newest_bundle(&self, slots: &[(ObjectHash, Slot)]) -> Result<Bundle> {
        let known = &self.state.bundle;
        let mut bundle = Bundle::decode(&zeroize::Zeroizing::new(known.encode()))
            .map_err(|error| Error::damaged("key bundle", error))?;
        bundle.epochs.extend(later_epochs(&*self.store, &self.state.slot, known)?);
        let ahead = slots
            .iter()
            .find(|(_, slot)| slot.epochs(known).is_some_and(|n| n > bundle.epochs.len()));
        match ahead {
            Some((name, _)) => Err(Error::RotationUnfinished { slot: name.to_string() }),
            None => Ok(bundle),
        }
    }

    /// What lies beneath `keys/` and is no slot of this repository, though it says so. Nothing is ever sealed to it.
    ///
    /// # Errors
    /// The store's.
    pub fn foreign_slots(&self) -> Result<Vec<ForeignSlot>> {
        Ok(self.all_slots()?.foreign)
    }

    fn own_slots(&self) -> Result<Vec<(ObjectHash, Slot)>> {
        Ok(self.all_slots()?.own)
    }

    /// A slot is one that has its MAC: only somebody who knew the secrets has made it. One with fewer epochs than
    /// others is what a rotation leaves that was cut short; but then it was there before the rotation was.
    fn all_slots(&self) -> Result<Slots> {
        let found = read_slots(&*self.store, all_slot_names(&*self.store)?)?;
        let mut made = Vec::new();
        let mut slots = Slots { own: Vec::new(), foreign: Vec::new() };
        for FoundSlot { name, slot, stored_ms } in found {
            let Some(slot) = slot.ok().filter(|slot| slot.repo == self.id()) else { continue };
            match slot.epochs(&self.state.bundle) {
                Some(epochs) => made.push((name, slot, epochs, stored_ms)),
                None => {
                    let (label, why) = (slot.label, Foreign::NotMade);
                    slots.foreign.push(ForeignSlot { name, label, why });
                }
            }
        }
        let newest = made.iter().map(|(_, _, epochs, _)| *epochs).max();
        let rotated = made.iter().filter(|(_, _, epochs, _)| Some(*epochs) == newest);
        let rotated_ms = rotated.map(|(_, _, _, stored_ms)| *stored_ms).min();
        for (name, slot, epochs, stored_ms) in made {
            let is_older = Some(epochs) < newest;
            if is_older && Some(stored_ms) > rotated_ms && !self.state.slot.is_of(&slot) {
                let (label, why) = (slot.label, Foreign::PutBack);
                slots.foreign.push(ForeignSlot { name, label, why });
            } else {
                slots.own.push((name, slot));
            }
        }
        Ok(slots)
    }

    fn put_slot(&self, slot: &Slot) -> Result<ObjectHash> {
        let bytes = slot.encode();
        let name = ObjectHash::of(&bytes);
        self.put_twice(&slot_key(&name), &bytes)?;
        Ok(name)
    }

    fn delete_slot(&self, name: &ObjectHash) -> Result<()> {
        let key = slot_key(name);
        self.store.delete(&mirror_key(&key))?;
        Ok(self.store.delete(&key)?)
    }
}

impl Repo<Closed> {
    /// Names of the slots that are there, for messages before anything is opened.
    ///
    /// # Errors
    /// The store's.
    pub fn slot_names(&self) -> Result<Vec<ObjectHash>> {
        Ok(all_slot_names(&*self.store)?.into_keys().collect())
    }
}

fn no_slot(name: &ObjectHash) -> Error {
    Error::NoSuch { what: "key slot", name: name.to_string() }
}
