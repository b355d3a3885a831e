//! Packs: that they are there, that their footers say what the index says, and with `read_data` that
//! every block opens to the blobs that it stands for.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckOptions, CheckReport, Packs, Problem, Sample, both};
use crate::block::BlockOpener;
use crate::digest::{BlobId, PackName};
use crate::error::{Error, Result};
use crate::limits;
use crate::pack::{Footer, FooterBlock, PackRecord, pack_key};
use crate::repo::{Open, Repo, fetch_all};
use crate::store::StoreError;

/// One copy of a pack that was looked at.
struct Looked {
    key: String,
    /// Numbers of the blocks that do not open to their blobs, ascending.
    bad_blocks: Vec<usize>,
    /// What is wrong with the copy as a whole.
    trouble: Option<(Problem, String)>,
    bytes_read: u64,
}

/// What reading a pack once showed.
#[derive(PartialEq, Eq)]
struct Reading {
    hash: [u8; 32],
    bad_blocks: Vec<usize>,
}

impl Repo<Open> {
    pub(super) fn check_packs(
        &self,
        options: CheckOptions,
        sample: Sample,
        packs: &mut Packs,
        report: &mut CheckReport,
    ) -> Result<()> {
        let stored: BTreeMap<PackName, u64> = self.stored_packs()?;
        let damaged_index =
            report.findings.iter().any(|f| f.object.starts_with(crate::index::INDEX_FOLDER));
        for (name, size) in &stored {
            if packs.records.contains_key(name) {
                continue;
            }
            match self.footer_of_any_copy(name, *size) {
                // It may belong to an index object that cannot be read.
                Ok(record) if damaged_index => {
                    packs.records.insert(*name, record);
                }
                Err(Error::Store(error)) if !error.permanent() => return Err(error.into()),
                Err(error) if damaged_index => report.file(&pack_key(name), error, false)?,
                _ => {
                    report.reclaimable.unindexed_packs += 1;
                    report.reclaimable.unindexed_bytes += size;
                }
            }
        }
        let records: Vec<&PackRecord> = packs.records.values().collect();
        let sizes: Vec<_> = records.iter().map(|record| (record.name, record.size)).collect();
        let whole = if options.read_data { sample.of(&sizes) } else { BTreeSet::new() };
        let looked = fetch_all(&*self.store, &records, |record| {
            let footer = Footer::parse(&record.body, record.size)
                .map_err(|error| Error::damaged(pack_key(&record.name), error))?;
            let keys = both(&pack_key(&record.name));
            let keys = keys.into_iter().take(if footer.kind.is_mirrored() { 2 } else { 1 });
            let copies = keys
                .map(|key| self.look_at(key, record, &footer, whole.contains(&record.name)))
                .collect::<Result<Vec<_>>>()?;
            Ok((footer, copies))
        })?;
        report.packs = records.len() as u64;
        report.bytes = records.iter().map(|record| record.size).sum();
        for (footer, copies) in looked {
            settle(&footer, copies, packs, report);
        }
        Ok(())
    }

    fn look_at(
        &self,
        key: String,
        record: &PackRecord,
        footer: &Footer,
        read_data: bool,
    ) -> Result<Looked> {
        let all = || (0..footer.blocks.len()).collect();
        let mut looked = Looked { key, bad_blocks: Vec::new(), trouble: None, bytes_read: 0 };
        let size = match self.store.stat(&looked.key) {
            Ok(meta) => meta.size,
            Err(error) if error.is_not_found() => {
                looked.bad_blocks = all();
                looked.trouble = Some((Problem::Missing, "is not there".to_owned()));
                return Ok(looked);
            }
            Err(error) => return Err(error.into()),
        };
        if size != record.size {
            let detail = format!("has {size} bytes instead of {}", record.size);
            looked.trouble = Some((Problem::Damaged, detail));
            looked.bad_blocks = self.bad_blocks_of(&looked.key, size, footer, read_data)?;
            return Ok(looked);
        }
        if !read_data {
            return self.look_at_footer(looked, record);
        }
        let first = self.read_pack(&looked.key, record, footer)?;
        looked.bytes_read = record.size;
        if first.hash != record.name.0 || !first.bad_blocks.is_empty() {
            let second = self.read_pack(&looked.key, record, footer)?;
            let problem = if first == second { Problem::Damaged } else { Problem::Unstable };
            let detail = match (&second.bad_blocks[..], second.hash == record.name.0) {
                ([], true) => "was read wrongly once".to_owned(),
                ([], false) => "does not match its name; all blocks are intact".to_owned(),
                (bad, _) => format!("{} of {} blocks are bad", bad.len(), footer.blocks.len()),
            };
            looked.trouble = Some((problem, detail));
            looked.bad_blocks = second.bad_blocks;
        }
        Ok(looked)
    }

    /// The footer of every copy has to say what the index says.
    fn look_at_footer(&self, mut looked: Looked, record: &PackRecord) -> Result<Looked> {
        let read = self.read_footer_at(&looked.key, &record.name, record.size);
        looked.trouble = match read {
            Ok(found) if found == *record => None,
            Ok(_) => Some((Problem::Misplaced, "its footer is not what the index says".to_owned())),
            Err(Error::Store(error)) if !error.permanent() => return Err(error.into()),
            Err(error) => Some((Problem::Damaged, error.to_string())),
        };
        Ok(looked)
    }

    /// Blocks that a copy of another size does not hold. It may be another object as a whole: with
    /// `read_data` each of them is opened.
    fn bad_blocks_of(
        &self,
        key: &str,
        size: u64,
        footer: &Footer,
        read_data: bool,
    ) -> Result<Vec<usize>> {
        let mut opener = BlockOpener::new(self.keys().clone())?;
        let mut bad = Vec::new();
        let mut blobs = &footer.blobs[..];
        for (number, block) in footer.blocks.iter().enumerate() {
            let (own, others) = blobs.split_at(block.count as usize);
            blobs = others;
            let is_there = u64::from(block.offset) + u64::from(block.sealed_len) <= size;
            let is_good = is_there
                && (!read_data || {
                    let (at, len) = (block.offset.into(), block.sealed_len as usize);
                    let sealed = self.store.get_range(key, at, len)?;
                    self.is_good_block(&mut opener, footer, &sealed, own)
                });
            if !is_good {
                bad.push(number);
            }
        }
        Ok(bad)
    }

    /// Reads all of a pack in runs of blocks, so that memory stays bounded.
    fn read_pack(&self, key: &str, record: &PackRecord, footer: &Footer) -> Result<Reading> {
        let mut opener = BlockOpener::new(self.keys().clone())?;
        let mut hasher = blake3::Hasher::new();
        let mut bad_blocks = Vec::new();
        let mut blobs = &footer.blobs[..];
        let (mut number, mut read) = (0, 0u64);
        while read < record.size {
            let (count, len) = next_run(&footer.blocks[number..], record.size - read);
            let bytes = self.store.get_range(key, read, len as usize)?;
            if bytes.len() as u64 != len {
                let (key, got) = (key.to_owned(), bytes.len() as u64);
                return Err(StoreError::ShortRead { key, offset: read, wanted: len, got }.into());
            }
            hasher.update(&bytes);
            let mut rest = &bytes[..];
            for block in &footer.blocks[number..number + count] {
                let (sealed, after) = rest.split_at(block.sealed_len as usize);
                let (own, others) = blobs.split_at(block.count as usize);
                if !self.is_good_block(&mut opener, footer, sealed, own) {
                    bad_blocks.push(number);
                }
                (rest, blobs, number) = (after, others, number + 1);
            }
            read += len;
        }
        Ok(Reading { hash: *hasher.finalize().as_bytes(), bad_blocks })
    }

    fn is_good_block(
        &self,
        opener: &mut BlockOpener,
        footer: &Footer,
        sealed: &[u8],
        blobs: &[(BlobId, u32)],
    ) -> bool {
        let Ok(block) = opener.open(footer.kind, footer.epoch, sealed) else { return false };
        let is = |content: &[u8], id| self.keys().blob_id(footer.kind, content) == id;
        block.len() == blobs.len() && block.blobs().zip(blobs).all(|(blob, (id, _))| is(blob, *id))
    }
}

/// How many blocks are read together, and how many bytes; without blocks it is what follows them.
fn next_run(blocks: &[FooterBlock], rest: u64) -> (usize, u64) {
    let (mut count, mut len) = (0, 0);
    for block in blocks {
        let more = len + u64::from(block.sealed_len);
        if count > 0 && more > limits::READ_MERGE_MAX_BYTES {
            break;
        }
        (count, len) = (count + 1, more);
    }
    if count == 0 { (0, rest.min(limits::READ_MERGE_MAX_BYTES)) } else { (count, len) }
}

/// A block is lost if no copy of its pack has it.
fn settle(footer: &Footer, copies: Vec<Looked>, packs: &mut Packs, report: &mut CheckReport) {
    let mut blobs = footer.blobs.iter();
    for (number, block) in footer.blocks.iter().enumerate() {
        let own = blobs.by_ref().take(block.count as usize);
        if copies.iter().any(|copy| copy.bad_blocks.binary_search(&number).is_err()) {
            own.for_each(|(id, _)| *packs.good.entry(*id).or_default() += 1);
        } else {
            packs.lost.extend(own.map(|(id, _)| *id));
        }
    }
    let troubled: Vec<bool> = copies.iter().map(|copy| copy.trouble.is_some()).collect();
    for (at, copy) in copies.into_iter().enumerate() {
        report.bytes_read += copy.bytes_read;
        if let Some((problem, detail)) = copy.trouble {
            let has_copy = troubled.iter().enumerate().any(|(other, bad)| other != at && !bad);
            report.find(&copy.key, problem, detail, has_copy);
        }
    }
}
