//! The bytes of a file in memory, as a disk keeps them: what was synced is there, of what was only written
//! each sector is there or not, whichever was written first.

use std::collections::BTreeMap;

/// What a disk writes whole.
pub(super) const SECTOR_BYTES: usize = 512;

/// A choice below a bound.
pub(super) type Choose<'a> = dyn FnMut(u64) -> u64 + 'a;

/// A file's content: as programs see it, and all that a disk may hold of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// What was written to a sector since it was synced, in order.
    written: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Lengths that the file had since it was synced.
    lengths: Vec<usize>,
    /// What a failed sync may or may not have brought to the disk. The kernel holds it for clean: only
    /// writing it again makes a later sync mean something.
    doubtful: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.seen.resize(end, 0);
            self.lengths.push(end);
        }
        if let Some(place) = self.seen.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let version = sector_of(&self.seen, sector).to_vec();
            self.written.entry(sector).or_default().push(version);
        }
    }

    pub(super) fn truncate(&mut self) {
        self.seen.clear();
        self.lengths.push(0);
        self.written.clear();
    }

    /// Everything that was written is on the disk, except what an earlier sync failed to bring there.
    pub(super) fn sync(&mut self) {
        if !self.lengths.is_empty() {
            self.synced.resize(self.seen.len(), 0);
            self.lengths.clear();
        }
        for (sector, versions) in std::mem::take(&mut self.written) {
            self.doubtful.remove(&sector);
            if let Some(newest) = versions.last() {
                put(&mut self.synced, sector, newest);
            }
        }
    }

    /// Nobody knows what of it is on the disk.
    pub(super) fn fail_to_sync(&mut self) {
        for (sector, versions) in std::mem::take(&mut self.written) {
            self.doubtful.entry(sector).or_default().extend(versions);
        }
    }

    /// What the disk holds when the power returns.
    pub(super) fn survivor(&self, choose: &mut Choose<'_>) -> Self {
        let mut left = self.synced.clone();
        let lengths: Vec<usize> = std::iter::once(left.len()).chain(self.lengths.clone()).collect();
        left.resize(*pick(&lengths, choose).unwrap_or(&0), 0);
        let mut sectors = self.doubtful.clone();
        for (sector, versions) in &self.written {
            sectors.entry(*sector).or_default().extend(versions.iter().cloned());
        }
        for (sector, versions) in sectors {
            let chosen = choose(versions.len() as u64 + 1);
            if let Some(version) = usize::try_from(chosen).ok().and_then(|n| versions.get(n)) {
                put(&mut left, sector, version);
            }
        }
        Self { seen: left.clone(), synced: left, ..Self::default() }
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let start = sector * SECTOR_BYTES;
    bytes.get(start..bytes.len().min(start + SECTOR_BYTES)).unwrap_or_default()
}

/// Writes a sector as far as the file reaches.
fn put(bytes: &mut [u8], sector: usize, version: &[u8]) {
    let start = sector * SECTOR_BYTES;
    let end = bytes.len().min(start + version.len());
    if let (Some(place), Some(new)) =
        (bytes.get_mut(start..end), version.get(..end.saturating_sub(start)))
    {
        place.copy_from_slice(new);
    }
}

fn pick<'a, T>(all: &'a [T], choose: &mut Choose<'_>) -> Option<&'a T> {
    let chosen = choose(all.len() as u64);
    usize::try_from(chosen).ok().and_then(|n| all.get(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survivors(content: &Content) -> std::collections::BTreeSet<Vec<u8>> {
        (0..64)
            .map(|seed| {
                let mut bits: u64 = seed;
                let mut choose = |bound: u64| {
                    let chosen = bits % bound.max(1);
                    bits /= bound.max(1);
                    chosen
                };
                content
                    .survivor(&mut choose)
                    .bytes()
                    .iter()
                    .step_by(SECTOR_BYTES)
                    .copied()
                    .collect()
            })
            .collect()
    }

    fn of(versions: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(&[0; 2 * SECTOR_BYTES], 0);
        content.sync();
        for version in versions {
            content.write(&[*version; 2 * SECTOR_BYTES], 0);
        }
        content
    }

    #[test]
    fn unsynced_sectors_survive_in_any_mixture_and_synced_ones_as_they_are() {
        let mut content = of(&[1, 2]);
        let all: Vec<Vec<u8>> = (0..3).flat_map(|a| (0..3).map(move |b| vec![a, b])).collect();
        assert!(survivors(&content).into_iter().eq(all));
        content.sync();
        assert!(survivors(&content).into_iter().eq([vec![2, 2]]));
    }

    #[test]
    fn after_a_failed_sync_only_what_is_written_again_is_safe() {
        let mut content = of(&[1]);
        content.fail_to_sync();
        content.sync();
        assert_eq!(survivors(&content).len(), 4);
        content.write(&[1; SECTOR_BYTES], 0);
        content.sync();
        assert!(survivors(&content).into_iter().eq([vec![1, 0], vec![1, 1]]));
    }

    #[test]
    fn a_length_that_was_not_synced_may_be_the_old_one() {
        let mut content = of(&[]);
        content.write(&[1; SECTOR_BYTES], 2 * SECTOR_BYTES);
        let lengths: std::collections::BTreeSet<_> =
            survivors(&content).into_iter().map(|s| s.len()).collect();
        assert!(lengths.into_iter().eq([2, 3]));
        content.truncate();
        assert!(survivors(&content).contains(&Vec::new()));
    }
}
