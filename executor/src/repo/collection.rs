//! What collections of garbage have announced. A pack on a condemned list that was not swept yet is
//! there, but nobody may begin to rely on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Excluded, Open, Repo};
use crate::digest::PackName;
use crate::error::{Error, Malformed, Result};
use crate::limits;
use crate::seal::Purpose;
use crate::store::ObjectMeta;
use crate::wire::{Reader, Write};

const PREFIX: &str = "meta/gc/";

/// The newest collection and what all unfinished ones have condemned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Number of the newest one; 0 before the first.
    pub generation: u64,
    /// Packs that count as absent for writers.
    pub condemned: Excluded,
}

fn record_key(generation: u64, what: &str) -> String {
    format!("{PREFIX}{generation:010}/{what}")
}

/// The plaintext of a condemned list.
fn encode_condemned(generation: u64, packs: &BTreeSet<PackName>, out: &mut Vec<u8>) {
    out.u64(generation);
    out.varint(packs.len() as u64);
    packs.iter().for_each(|name| out.bytes(name.as_bytes()));
}

fn decode_condemned(bytes: &[u8]) -> Result<(u64, Vec<PackName>), Malformed> {
    let mut reader = Reader::new(bytes);
    let generation = reader.u64("collection")?;
    let count = reader.count("condemned packs", limits::GC_RECORD_MAX_BYTES, PackName::LEN)?;
    let mut packs = Vec::with_capacity(count);
    for _ in 0..count {
        packs.push(PackName(reader.array("pack name")?));
    }
    reader.end("condemned list")?;
    Ok((generation, packs))
}

/// Of each collection, whether its list is there and whether it was swept.
fn records(rows: &[ObjectMeta]) -> BTreeMap<u64, (bool, bool)> {
    let mut records: BTreeMap<u64, (bool, bool)> = BTreeMap::new();
    for key in rows.iter().filter_map(|row| row.key.strip_prefix(PREFIX)) {
        let Some((number, what)) = key.split_once('/') else { continue };
        let Ok(number) = number.parse() else { continue };
        let record = records.entry(number).or_default();
        record.0 |= what == "condemned";
        record.1 |= what == "swept";
    }
    records
}

impl Repo<Open> {
    /// What collections have announced so far. A list that cannot be read is an error, never taken for
    /// an empty one.
    ///
    /// # Errors
    /// `Damaged`, or the store's.
    pub fn collection(&self) -> Result<Collection> {
        self.read_collection(&self.store.list(PREFIX)?)
    }

    /// Every condemned list that was not swept, by its key, as far as it can be read.
    pub(super) fn condemned_lists(&self) -> Result<Vec<(String, Result<Vec<PackName>>)>> {
        let records = records(&self.store.list(PREFIX)?);
        let open = records.into_iter().filter(|(_, (list, swept))| *list && !*swept);
        Ok(open
            .map(|(number, _)| (record_key(number, "condemned"), self.read_condemned(number)))
            .collect())
    }

    /// The same from a listing that holds the records among others.
    pub(super) fn read_collection(&self, rows: &[ObjectMeta]) -> Result<Collection> {
        let records = records(rows);
        let generation = records.last_key_value().map_or(0, |(number, _)| *number);
        let mut condemned = Excluded::new();
        for (number, _) in records.iter().filter(|(_, (list, swept))| *list && !*swept) {
            condemned.extend(self.read_condemned(*number)?);
        }
        Ok(Collection { generation, condemned })
    }

    fn read_condemned(&self, generation: u64) -> Result<Vec<PackName>> {
        let key = record_key(generation, "condemned");
        let bytes = self.store.get(&key, limits::GC_RECORD_MAX_BYTES as u64)?;
        let plain = self.open_object(&key, Purpose::Collection, Some(&key), &bytes)?;
        let (number, packs) =
            decode_condemned(&plain).map_err(|error| Error::damaged(&key, error))?;
        if number != generation {
            return Err(Error::binding(key, format!("is the list of collection {number}")));
        }
        Ok(packs)
    }

    /// Announces a collection: the first half of two-phase deletion. Whether these packs may go is the
    /// collector's to decide; from here on no writer begins to rely on them.
    ///
    /// # Errors
    /// The store's; `Invalid` if another collector has used the number.
    pub fn condemn(&self, generation: u64, packs: &BTreeSet<PackName>) -> Result<()> {
        let key = record_key(generation, "condemned");
        let bytes = self.seal_object(Purpose::Collection, Some(&key), |out| {
            encode_condemned(generation, packs, out);
        })?;
        match self.store.put_new(&key, &bytes)? {
            crate::store::PutOutcome::Created => Ok(()),
            crate::store::PutOutcome::Exists => Err(Error::Invalid {
                field: "collection",
                reason: format!("{generation} was announced by another collector"),
            }),
        }
    }
}
