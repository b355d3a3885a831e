//! Blocks that one read fetches together: neighbours of a pack, with what little lies between them.

use std::ops::Range;
use std::sync::Arc;

use super::reader::{BlobReader, OpenedBlock};
use crate::digest::Kind;
use crate::error::{Error, Result};
use crate::index::{Index, Location};
use crate::pack::pack_key;
use crate::store::StoreError;

/// What may lie between two blocks that are fetched together: a request to a store that is far away takes as long
/// as so many bytes.
const GAP_MAX_BYTES: u64 = 128 * 1024;

/// Cuts blocks, which are in the order of packs and offsets, into runs of at most `most` bytes. A block that is
/// larger is a run alone.
pub(crate) fn runs(index: &Index, blocks: &[Location], most: u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (number, at) in blocks.iter().enumerate() {
        let joins = runs.last().is_some_and(|run| {
            let (first, last) = (blocks[run.start], blocks[run.end - 1]);
            let (from, (begin, end)) = (span(index, last).1, span(index, *at));
            first.pack == at.pack
                && begin.saturating_sub(from) <= GAP_MAX_BYTES
                && end - span(index, first).0 <= most
        });
        match runs.last_mut() {
            Some(run) if joins => run.end = number + 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs
}

/// Where a block begins in its pack, and where it ends.
fn span(index: &Index, at: Location) -> (u64, u64) {
    let block = index.block(at);
    let begin = u64::from(block.offset);
    (begin, begin + u64::from(block.sealed_len))
}

impl BlobReader {
    /// The blocks of a run, one after the other. What the common read does not give is read alone: from a copy, or
    /// from other packs.
    ///
    /// # Errors
    /// A store that does not answer; whatever `each` returns. Other errors are given to `each`.
    pub(crate) fn blocks(
        &self,
        kind: Kind,
        run: &[Location],
        mut each: impl FnMut(usize, Result<Arc<OpenedBlock>>) -> Result<()>,
    ) -> Result<()> {
        let mut read = None;
        for (number, at) in run.iter().enumerate() {
            let block = match self.kept(*at) {
                Some(block) => Ok(block),
                None => {
                    let read = match &mut read {
                        Some(read) => read,
                        none => none.insert(self.read_together(kind, &run[number..])?),
                    };
                    let cut = read.as_ref().and_then(|read| self.cut(kind, *at, read));
                    cut.map_or_else(|| self.passing(kind, *at), Ok)
                }
            };
            match block {
                Err(error) if is_silence(&error) => return Err(error),
                block => each(number, block)?,
            }
        }
        Ok(())
    }

    /// The block at a location, for whoever needs it once.
    fn passing(&self, kind: Kind, at: Location) -> Result<Arc<OpenedBlock>> {
        match self.kept(at) {
            Some(block) => Ok(block),
            None => Ok(self.kept_if_wanted(kind, at, self.fetch(kind, at)?)),
        }
    }

    /// Data is read once a window, and would only push trees and lists out of the cache.
    fn kept_if_wanted(&self, kind: Kind, at: Location, block: OpenedBlock) -> Arc<OpenedBlock> {
        if kind == Kind::Data { Arc::new(block) } else { self.keep(at, block) }
    }

    /// Where the bytes begin, and the bytes; nothing where they cannot be had together.
    fn read_together(&self, kind: Kind, run: &[Location]) -> Result<Option<(u64, Vec<u8>)>> {
        let [first, .., last] = run else { return Ok(None) };
        let pack = self.index().pack(*first);
        if pack.kind != kind {
            return Ok(None);
        }
        let (begin, end) = (span(self.index(), *first).0, span(self.index(), *last).1);
        let read = self.store().get_range(&pack_key(&pack.name), begin, (end - begin) as usize);
        match read.map_err(Error::from) {
            Ok(bytes) => Ok(Some((begin, bytes))),
            Err(error) if is_silence(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn cut(&self, kind: Kind, at: Location, read: &(u64, Vec<u8>)) -> Option<Arc<OpenedBlock>> {
        let (begin, end) = span(self.index(), at);
        let range = begin.checked_sub(read.0)? as usize..end.checked_sub(read.0)? as usize;
        let key = pack_key(&self.index().pack(at).name);
        let opened = self.open_checked(&key, kind, at, read.1.get(range)?).ok()?;
        Some(self.kept_if_wanted(kind, at, opened))
    }
}

/// Whether a store does not answer at all: what it holds is neither there nor lost.
fn is_silence(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Unavailable { .. } | StoreError::Busy { .. }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{BlobId, PackName};
    use crate::index::IndexBuilder;
    use crate::pack::PackRecord;
    use crate::wire::Write;

    /// Packs with blocks of these lengths, one blob each.
    fn index(packs: &[Vec<u64>]) -> Index {
        let mut builder = IndexBuilder::default();
        for (number, lens) in packs.iter().enumerate() {
            let mut body = vec![Kind::Data as u8, 1, 0, 0, 0];
            body.varint(lens.len() as u64);
            for len in lens {
                body.varint(*len);
                body.varint(9);
                body.varint(1);
            }
            for block in 0..lens.len() {
                let hash = blake3::hash(&[number as u8, block as u8]);
                body.bytes(BlobId(*hash.as_bytes().first_chunk().unwrap()).as_bytes());
                body.varint(9);
            }
            let record = PackRecord { name: PackName([number as u8; 32]), size: 64 << 20, body };
            builder.add(&record).unwrap();
        }
        builder.build()
    }

    proptest! {
        #[test]
        fn runs_hold_every_block_once_and_are_one_read_each(
            packs in prop::collection::vec(prop::collection::vec(100u64..400_000, 1..30), 1..4),
            left_out in prop::collection::vec(any::<bool>(), 120),
            most in 0u64..2_000_000,
        ) {
            let index = index(&packs);
            let all = (0..packs.len() as u32).flat_map(|pack| index.blocks_of(pack));
            let all = all.map(|(at, _)| at).zip(left_out).filter(|(_, out)| !out);
            let blocks: Vec<Location> = all.map(|(at, _)| at).collect();
            let runs = runs(&index, &blocks, most);
            prop_assert!(runs.iter().cloned().flatten().eq(0..blocks.len()));
            for run in &runs {
                let own = &blocks[run.clone()];
                let bytes = span(&index, own[own.len() - 1]).1 - span(&index, own[0]).0;
                prop_assert!(own.len() == 1 || bytes <= most, "{} bytes", bytes);
                for pair in own.windows(2) {
                    prop_assert_eq!(pair[0].pack, pair[1].pack);
                    let gap = span(&index, pair[1]).0 - span(&index, pair[0]).1;
                    prop_assert!(gap <= GAP_MAX_BYTES);
                }
            }
            // Two runs are two for a reason.
            for pair in runs.windows(2) {
                let (first, end) = (blocks[pair[0].start], blocks[pair[0].end - 1]);
                let next = blocks[pair[1].start];
                let is_apart = || {
                    let gap = span(&index, next).0 - span(&index, end).1;
                    gap > GAP_MAX_BYTES || span(&index, next).1 - span(&index, first).0 > most
                };
                prop_assert!(first.pack != next.pack || is_apart());
            }
        }
    }
}
