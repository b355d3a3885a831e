//! Reads back what a session wrote, before anybody calls it done.

use std::sync::Arc;

use super::{Open, Repo, Written};
use crate::digest::{Kind, PackName};
use crate::error::{Error, Result};
use crate::index::IndexBuilder;
use crate::limits;
use crate::pack::pack_key;
use crate::report::ReadBack;

/// One data block in this many is read back.
const SAMPLE_ONE_IN: usize = 100;

/// But at least so many blocks: small sessions are read back as a whole.
const SAMPLE_LEAST_BLOCKS: usize = 16;

/// And at most so many sealed bytes: a first backup of terabytes must end some day.
const SAMPLE_MOST_BYTES: u64 = 256 * 1024 * 1024;

impl Repo<Open> {
    /// Reads the session's index objects and packs of trees and lists, the sizes of all packs, and a sample of
    /// the data blocks: from the medium, not from the machine's memory, where the store can tell them apart.
    ///
    /// # Errors
    /// `ReadBack` with the first object that is not what was written; the store's.
    pub fn read_back(&self, written: &Written) -> Result<ReadBack> {
        let mut done = ReadBack::default();
        let mut builder = IndexBuilder::default();
        for hash in &written.indexes {
            let key = crate::index::index_key(hash);
            self.store.drop_cached(&key);
            let object = self.read_index(hash).map_err(|error| differs(&key, error))?;
            done.bytes += object.packs.iter().map(|pack| pack.body.len() as u64).sum::<u64>();
            for record in &object.packs {
                builder.add(record).map_err(|error| differs(&key, error))?;
            }
        }
        let index = Arc::new(builder.build());
        for (name, size) in &written.packs {
            let key = pack_key(name);
            if self.store.stat(&key)?.size != *size {
                return Err(Error::ReadBack { object: key });
            }
        }
        let mut data = Vec::new();
        for (number, pack) in index.packs().iter().enumerate() {
            if pack.kind.is_mirrored() {
                done.bytes += self.whole_pack(&pack.name)?;
            } else {
                self.store.drop_cached(&pack_key(&pack.name));
                data.extend(index.blocks_of(number as u32));
            }
        }
        done.data_blocks_written = data.len() as u64;
        let reader = self.with_index(index.clone()).reader();
        let wanted = (data.len() / SAMPLE_ONE_IN).max(SAMPLE_LEAST_BLOCKS).min(data.len());
        let mut left = SAMPLE_MOST_BYTES;
        for (at, block) in spread(&data, wanted) {
            let len = u64::from(block.sealed_len);
            if len > left {
                break;
            }
            left -= len;
            let key = pack_key(&index.pack(at).name);
            reader.block(Kind::Data, at).map_err(|error| differs(&key, error))?;
            done.data_blocks_read += 1;
            done.bytes += len;
        }
        Ok(done)
    }

    /// A whole pack, whose name is the hash of its bytes.
    fn whole_pack(&self, name: &PackName) -> Result<u64> {
        let key = pack_key(name);
        self.store.drop_cached(&key);
        let bytes = self.store.get(&key, limits::PACK_MAX_BYTES * 2)?;
        if *blake3::hash(&bytes).as_bytes() != name.0 {
            return Err(Error::ReadBack { object: key });
        }
        Ok(bytes.len() as u64)
    }
}

/// Errors of the store stay what they are; everything else says that the bytes are not ours.
fn differs(key: &str, error: Error) -> Error {
    match error {
        Error::Store(error) => Error::Store(error),
        _ => Error::ReadBack { object: key.to_owned() },
    }
}

/// So many of the items, evenly spread from the first on.
fn spread<T: Copy>(items: &[T], wanted: usize) -> impl Iterator<Item = T> + '_ {
    (0..wanted).map(move |i| items[i * items.len() / wanted])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_and_never_repeats() {
        let items: Vec<u32> = (0..1_000).collect();
        let sample: Vec<_> = spread(&items, 16).collect();
        assert_eq!(sample.len(), 16);
        assert!(sample.windows(2).all(|pair| pair[1] - pair[0] >= 62));
        assert_eq!(spread(&items[..3], 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(&items[..0], 0).count(), 0);
    }
}
