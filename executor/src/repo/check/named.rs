//! Config, key slots, snapshots, index objects and leftovers.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckOptions, CheckReport, Packs, Problem, both};
use crate::config::{CONFIG_KEY, Config};
use crate::digest::{ObjectHash, SnapshotName};
use crate::error::{Error, Result};
use crate::limits;
use crate::repo::{Open, Repo, is_repository_key};
use crate::slot::{Slot, slot_key};
use crate::snapshot::{Snapshot, snapshot_key};

/// Where key slots lie.
const KEYS_FOLDER: &str = "keys/";

impl Repo<Open> {
    pub(super) fn check_config(&self, report: &mut CheckReport) -> Result<()> {
        self.check_twice(CONFIG_KEY, report, |key| {
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
        let mut names = BTreeSet::new();
        for prefix in both(KEYS_FOLDER) {
            for row in self.store.list(&prefix)? {
                names.extend(ObjectHash::from_hex(&row.key[prefix.len()..]));
            }
        }
        let mut own = 0;
        for name in names {
            let slot = self.check_twice(&slot_key(&name), report, |key| {
                let bytes = self.store.get(key, limits::SLOT_MAX_BYTES as u64)?;
                if ObjectHash::of(&bytes) != name {
                    return Err(Error::damaged(key, "its bytes do not match its name"));
                }
                Slot::decode(&bytes).map_err(|error| Error::damaged(key, error))
            })?;
            match slot {
                Some(slot) if slot.repo == self.id() => own += 1,
                Some(_) => report.reclaimable.stray_slots += 1,
                None => {}
            }
        }
        if own == 0 {
            let detail = "no key slot is left: add a passphrase while the repository is still open";
            report.find(KEYS_FOLDER, Problem::Missing, detail, false);
        }
        Ok(())
    }

    pub(super) fn check_snapshots(
        &self,
        report: &mut CheckReport,
    ) -> Result<BTreeMap<SnapshotName, Snapshot>> {
        let mut found = BTreeMap::new();
        for name in self.snapshot_names()? {
            let snapshot = self.check_twice(&snapshot_key(&name), report, |key| {
                let bytes = self.store.get(key, limits::SNAPSHOT_MAX_BYTES as u64)?;
                self.decode_snapshot(key, &name, &bytes)
            })?;
            found.extend(snapshot.map(|snapshot| (name, snapshot)));
        }
        report.snapshots = found.len() as u64;
        Ok(found)
    }

    /// Reads both copies of an object and files what is wrong with either.
    fn check_twice<T>(
        &self,
        key: &str,
        report: &mut CheckReport,
        read: impl Fn(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        let [first, second] = both(key).map(|key| (read(&key), key));
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
