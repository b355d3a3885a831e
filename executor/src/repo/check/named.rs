//! Config, key slots, snapshots, index objects and leftovers.

use std::collections::BTreeMap;

use super::{CheckOptions, CheckReport, Packs, Problem, both};
use crate::config::{CONFIG_KEY, Config};
use crate::digest::{ObjectHash, SnapshotName};
use crate::error::{Error, Result};
use crate::limits;
use crate::repo::open::all_slot_names;
use crate::repo::{Open, Repo, fetch_all, is_repository_key};
use crate::slot::{Slot, slot_key};
use crate::snapshot::{Snapshot, snapshot_key};

/// Where key slots lie.
const KEYS_FOLDER: &str = "keys/";

impl Repo<Open> {
    pub(super) fn check_config(&self, report: &mut CheckReport) -> Result<()> {
        self.check_twice(&[CONFIG_KEY.to_owned()], report, |_, key| {
            let bytes = self.store.get(key, limits::CONFIG_MAX_BYTES as u64)?;
            let config = Config::parse(key, &bytes)?;
            if !Config::is_authentic(&bytes, self.keys()) || config != *self.config() {
                return Err(Error::damaged(key, "its MAC is not that of this repository"));
            }
            Ok(())
        })
        .map(drop)
    }

    pub(super) fn check_slots(&self, report: &mut CheckReport) -> Result<()> {
        let names = all_slot_names(&*self.store)?.into_keys();
        let names: Vec<_> = names.collect();
        let keys: Vec<_> = names.iter().map(slot_key).collect();
        let slots = self.check_twice(&keys, report, |number, key| {
            let bytes = self.store.get(key, limits::SLOT_MAX_BYTES as u64)?;
            if ObjectHash::of(&bytes) != names[number] {
                return Err(Error::damaged(key, "its bytes do not match its name"));
            }
            Slot::decode(&bytes).map_err(|error| Error::damaged(key, error))
        })?;
        let of_others = |slot: &&Slot| slot.repo != self.id();
        report.reclaimable.stray_slots = slots.iter().flatten().filter(of_others).count() as u64;
        for foreign in self.foreign_slots()? {
            report.foreign_slots.push((slot_key(&foreign.name), foreign.why.to_string()));
        }
        if self.slots()?.is_empty() {
            let detail = "no key slot is left: add a passphrase while the repository is still open";
            report.find(KEYS_FOLDER, Problem::Missing, detail, false);
        }
        Ok(())
    }

    pub(super) fn check_snapshots(
        &self,
        report: &mut CheckReport,
    ) -> Result<BTreeMap<SnapshotName, Snapshot>> {
        let names = self.snapshot_names()?;
        let keys: Vec<_> = names.iter().map(snapshot_key).collect();
        let snapshots = self.check_twice(&keys, report, |number, key| {
            let bytes = self.store.get(key, limits::SNAPSHOT_MAX_BYTES as u64)?;
            self.decode_snapshot(key, &names[number], &bytes)
        })?;
        let found: BTreeMap<_, _> = names
            .into_iter()
            .zip(snapshots)
            .filter_map(|(name, found)| Some((name, found?)))
            .collect();
        report.snapshots = found.len() as u64;
        report.foreign_marks = self.foreign_marks()?;
        Ok(found)
    }

    /// Lists that collections have left. One that cannot be read stops every writer, and is never taken for an empty
    /// one: whether packs are condemned is not known.
    pub(super) fn check_collections(&self, report: &mut CheckReport) -> Result<()> {
        for (key, read) in self.condemned_lists()? {
            if let Err(error) = read {
                report.file(&key, error, false)?;
            }
        }
        Ok(())
    }

    /// Reads both copies of objects and files what is wrong with either. `read` gets the place of an object among
    /// them, and the key of a copy; what it read comes in the order of `keys`.
    fn check_twice<T: Send>(
        &self,
        keys: &[String],
        report: &mut CheckReport,
        read: impl Fn(usize, &str) -> Result<T> + Sync,
    ) -> Result<Vec<Option<T>>> {
        let copies: Vec<(usize, String)> =
            keys.iter().enumerate().flat_map(|(at, key)| both(key).map(|key| (at, key))).collect();
        let reads = fetch_all(&*self.store, &copies, |(at, key)| Ok(read(*at, key)))?;
        let mut copies = reads.into_iter().zip(copies.into_iter().map(|(_, key)| key));
        let mut found = Vec::with_capacity(keys.len());
        while let (Some(first), Some(second)) = (copies.next(), copies.next()) {
            found.push(Self::settle_copies(first, second, report)?);
        }
        Ok(found)
    }

    fn settle_copies<T>(
        first: (Result<T>, String),
        second: (Result<T>, String),
        report: &mut CheckReport,
    ) -> Result<Option<T>> {
        let (has_first, has_second) = (first.0.is_ok(), second.0.is_ok());
        let mut found = None;
        for ((read, key), has_copy) in [(first, has_second), (second, has_first)] {
            match read {
                Ok(value) => found = Some(value),
                Err(Error::Store(error)) if error.is_not_found() && has_copy => {
                    report.single_copies.push(key);
                }
                Err(error) => report.file(&key, error, has_copy)?,
            }
        }
        Ok(found)
    }

    /// The records of all packs: from index objects, and from footers where one of those is damaged.
    pub(super) fn check_indexes(
        &self,
        snapshots: &BTreeMap<SnapshotName, Snapshot>,
        report: &mut CheckReport,
    ) -> Result<Packs> {
        let mut packs = Packs::default();
        let mut objects = self.index_objects()?;
        let missing = self.missing_indexes(&objects, snapshots.values());
        for hash in self.prove_missing(missing, &mut objects)? {
            let detail = "a snapshot names it; the footers of its packs take its place";
            report.find(&crate::index::index_key(&hash), Problem::Missing, detail, true);
        }
        for (hash, object) in objects {
            let key = crate::index::index_key(&hash);
            match object {
                Ok(object) => {
                    for record in object.packs {
                        if let Err(error) = crate::pack::Footer::parse(&record.body, record.size) {
                            report.find(&key, Problem::Damaged, error, true);
                        } else {
                            packs.records.insert(record.name, record);
                        }
                    }
                }
                // Its packs have footers that say the same.
                Err(error) => report.file(&key, error, true)?,
            }
        }
        Ok(packs)
    }

    pub(super) fn check_leftovers(
        &self,
        options: CheckOptions,
        report: &mut CheckReport,
    ) -> Result<()> {
        let intents = self.intents()?;
        let lapsed = intents.iter().filter(|intent| intent.is_lapsed(options.now_ms));
        report.reclaimable.lapsed_intents = lapsed.count() as u64;
        for file in self.store.leftovers()? {
            report.reclaimable.temporary_files += 1;
            report.reclaimable.temporary_bytes += file.size;
        }
        let rows = self.store.list("")?;
        let foreign = rows.iter().filter(|row| !is_repository_key(&row.key));
        report.reclaimable.foreign_objects = foreign.count() as u64;
        Ok(())
    }
}
