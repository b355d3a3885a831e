//! HEAD: how far the log is acknowledged. Two slots in different blocks, written in turn, so that a
//! torn write leaves the other one.

use std::path::PathBuf;

use crate::chain::Chain;
use crate::error::{Context, Error};
use crate::files::File;
use crate::journal::directory::Directory;
use crate::journal::position::{Position, SLOT_BYTES, Slot};

/// Distance of the slots: no disk tears across it.
const SLOT_DISTANCE: usize = 4096;

/// The valid slot with the higher generation; `None` if neither is valid.
pub(crate) fn newest(bytes: &[u8], chain: &Chain) -> Option<(u64, Position)> {
    [0, SLOT_DISTANCE]
        .into_iter()
        .filter_map(|at| bytes.get(at..at + SLOT_BYTES))
        .filter_map(|slot| Position::decode(Slot::Head, chain, slot))
        .max_by_key(|(generation, _)| *generation)
}

/// The writer's hold on HEAD.
pub(crate) struct Head {
    file: Box<dyn File>,
    path: PathBuf,
    generation: u64,
}

impl Head {
    /// Makes the file; both slots name the same place.
    pub(crate) fn create(dir: &Directory, chain: &Chain, at: &Position) -> Result<Self, Error> {
        let mut bytes = at.encode(Slot::Head, chain, 0);
        bytes.resize(SLOT_DISTANCE, 0);
        bytes.extend(at.encode(Slot::Head, chain, 1));
        bytes.resize(SLOT_DISTANCE * 2, 0);
        dir.files.write_whole(&dir.head_path(), &bytes)?;
        Self::open(dir, 1)
    }

    /// Opens the file whose newest slot has this generation.
    pub(crate) fn open(dir: &Directory, generation: u64) -> Result<Self, Error> {
        let path = dir.head_path();
        let file = dir.files.open(&path)?;
        Ok(Self { file, path, generation })
    }

    /// Acknowledges everything before a place. Returns once it is on disk.
    pub(crate) fn advance(&mut self, chain: &Chain, at: &Position) -> Result<(), Error> {
        let generation = self.generation + 1;
        let offset = if generation.is_multiple_of(2) { 0 } else { SLOT_DISTANCE as u64 };
        let slot = at.encode(Slot::Head, chain, generation);
        self.file.write_at(&slot, offset).context("write", &self.path)?;
        self.file.sync_data().context("sync", &self.path)?;
        self.generation = generation;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let dir = Directory::disk(root.path());
        let chain = Chain::default();
        let mut at = Position::genesis(&chain);
        let mut head = Head::create(&dir, &chain, &at).unwrap();
        for seq in 1..=5 {
            let before = at;
            at.seq = seq;
            head.advance(&chain, &at).unwrap();
            let mut bytes = std::fs::read(dir.head_path()).unwrap();
            let (generation, newest_at) = newest(&bytes, &chain).unwrap();
            assert_eq!(newest_at, at);
            let slot = if generation % 2 == 0 { 0 } else { SLOT_DISTANCE };
            bytes[slot + 40] ^= 1;
            assert_eq!(newest(&bytes, &chain), Some((generation - 1, before)));
        }
    }
}
