//! Rebuilding the index: packs say themselves what they hold, so that index objects are never irreplaceable.

use std::collections::{BTreeMap, BTreeSet};

use super::{Excluded, Open, Repo, Writer, mirror_key};
use crate::digest::{ObjectHash, PackName};
use crate::error::{Error, Result};
use crate::index::{IndexObject, index_key};
use crate::limits;
use crate::pack::{Footer, PackRecord, pack_key};
use crate::seal::Purpose;
use crate::store::StoreError;

/// Bytes of a record beside its footer: name and two lengths.
const RECORD_BYTES: usize = PackName::LEN + 16;

/// What a repair found, and what it did about it. A rehearsal has found the same and done nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexRepair {
    /// Packs that no readable index object names, and that are named now.
    pub packs_added: u64,
    /// Packs that were named and are not there, or have another size: they are named no more.
    pub packs_dropped: Vec<PackName>,
    /// Packs whose own footer cannot be read: nobody knows what they hold.
    pub packs_unreadable: Vec<PackName>,
    /// Index objects that are damaged, lost, or name packs that are not there.
    pub objects_replaced: Vec<ObjectHash>,
    /// Index objects that were written.
    pub objects_written: u64,
    /// Replaced ones that the store did not let go.
    pub objects_kept: u64,
}

impl IndexRepair {
    /// Whether the index was as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.packs_added == 0 && self.packs_dropped.is_empty() && self.objects_replaced.is_empty()
    }
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    found: IndexRepair,
    records: Vec<PackRecord>,
}

impl Repo<Open> {
    /// Names every pack that is there, and no other, in readable index objects. With `rehearse` nothing is
    /// written. Packs that a collection is about to delete are left out.
    ///
    /// # Errors
    /// The store's; a condemned list that cannot be read.
    pub fn repair_index(&self, writer: Writer, rehearse: bool) -> Result<IndexRepair> {
        if rehearse {
            return Ok(self.plan_repair()?.found);
        }
        // From here on no collector takes away what is about to be named.
        let intent = self.put_intent(writer)?;
        let done = self.plan_repair().and_then(|plan| self.carry_out(plan));
        let released = intent.release(self);
        let done = done?;
        released?;
        Ok(done)
    }

    fn plan_repair(&self) -> Result<Plan> {
        let condemned = self.collection()?.condemned;
        let snapshots = self.snapshots()?.found;
        let mut objects = self.index_objects()?;
        let mut stored = self.stored_packs()?;
        let missing =
            self.missing_indexes(&objects, snapshots.iter().map(|(_, snapshot)| snapshot));
        let mut plan = Plan::default();
        plan.found.objects_replaced.extend(self.prove_missing(missing, &mut objects)?);
        self.add_unlisted(&objects, &mut stored)?;
        let (mut known, mut dropped) = (BTreeSet::new(), BTreeSet::new());
        let mut rewritten = BTreeMap::new();
        for (hash, object) in objects {
            let Ok(object) = object else {
                plan.found.objects_replaced.push(hash);
                continue;
            };
            let (good, bad): (Vec<_>, Vec<_>) =
                object.packs.into_iter().partition(|record| is_as_named(record, &stored));
            dropped.extend(bad.iter().map(|record| record.name));
            if bad.is_empty() {
                known.extend(good.iter().map(|record| record.name));
            } else {
                plan.found.objects_replaced.push(hash);
                rewritten.extend(good.into_iter().map(|record| (record.name, record)));
            }
        }
        rewritten.retain(|name, _| !known.contains(name));
        known.extend(rewritten.keys());
        plan.records.extend(rewritten.into_values());
        self.add_unnamed(&stored, &known, &condemned, &mut plan)?;
        let now: BTreeSet<PackName> = plan.records.iter().map(|record| record.name).collect();
        dropped.retain(|name| !known.contains(name) && !now.contains(name));
        plan.found.packs_dropped = dropped.into_iter().collect();
        plan.found.objects_replaced.sort();
        Ok(plan)
    }

    fn add_unnamed(
        &self,
        stored: &BTreeMap<PackName, u64>,
        known: &BTreeSet<PackName>,
        condemned: &Excluded,
        plan: &mut Plan,
    ) -> Result<()> {
        for (name, size) in stored {
            if known.contains(name) || condemned.contains(name) {
                continue;
            }
            match self.footer_of_any_copy(name, *size) {
                Ok(record) => {
                    plan.found.packs_added += 1;
                    plan.records.push(record);
                }
                Err(Error::Store(error)) if !error.permanent() => return Err(error.into()),
                Err(_) => plan.found.packs_unreadable.push(*name),
            }
        }
        Ok(())
    }

    /// Packs that an index object names and no listing has shown, if they are there all the same.
    fn add_unlisted(
        &self,
        objects: &[(ObjectHash, Result<IndexObject>)],
        stored: &mut BTreeMap<PackName, u64>,
    ) -> Result<()> {
        let named = objects.iter().flat_map(|(_, object)| object).flat_map(|object| &object.packs);
        for record in named {
            let key = pack_key(&record.name);
            for key in [mirror_key(&key), key] {
                if stored.contains_key(&record.name) {
                    break;
                }
                match self.store.stat(&key) {
                    Ok(found) => drop(stored.insert(record.name, found.size)),
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn carry_out(&self, plan: Plan) -> Result<IndexRepair> {
        let Plan { mut found, records } = plan;
        if found.is_clean() {
            return Ok(found);
        }
        let mut object =
            IndexObject { replaces: found.objects_replaced.clone(), packs: Vec::new() };
        if object.replaces.len() > limits::INDEX_MAX_REPLACES {
            let (limit, number) = (limits::INDEX_MAX_REPLACES as u64, object.replaces.len() as u64);
            return Err(Error::Limit { what: "damaged index objects", limit, found: number });
        }
        let mut bytes = object.replaces.len() * ObjectHash::LEN;
        let mut written = BTreeSet::new();
        for record in records {
            let more = RECORD_BYTES + record.body.len();
            if !object.packs.is_empty() && bytes + more > limits::INDEX_TARGET_BYTES {
                written.insert(self.put_index(&std::mem::take(&mut object))?);
                bytes = 0;
            }
            bytes += more;
            object.packs.push(record);
        }
        written.insert(self.put_index(&object)?);
        found.objects_written = written.len() as u64;
        // Not before the new ones are there.
        for hash in &found.objects_replaced {
            match self.store.delete(&index_key(hash)) {
                Ok(()) => {}
                Err(StoreError::Denied { .. }) => found.objects_kept += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    fn put_index(&self, object: &IndexObject) -> Result<ObjectHash> {
        let bytes = self.seal_object(Purpose::Index, None, |out| object.encode(out))?;
        let hash = ObjectHash::of(&bytes);
        self.store.put_new(&index_key(&hash), &bytes)?;
        Ok(hash)
    }
}

/// Whether a record can be believed: its pack is there with that size, and it does not contradict itself.
fn is_as_named(record: &PackRecord, stored: &BTreeMap<PackName, u64>) -> bool {
    stored.get(&record.name) == Some(&record.size)
        && Footer::parse(&record.body, record.size).is_ok()
}
