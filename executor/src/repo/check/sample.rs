//! Which packs a check reads whole, where it is to read a part of them.

use std::collections::BTreeSet;

use crate::digest::PackName;

/// Parts of a whole that a share is counted in.
const MYRIAD: u128 = 10_000;

/// Which packs are read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// All of them.
    All,
    /// One of so many groups, counted from 1. A pack is always in the same group: whoever goes through all
    /// numbers has read everything.
    Group {
        /// Which.
        number: u32,
        /// Of how many.
        of: u32,
    },
    /// So many of ten thousand bytes, of packs that the salt chooses.
    Share {
        /// Of ten thousand.
        per_myriad: u32,
        /// Another one chooses other packs.
        salt: u64,
    },
    /// So many bytes, of packs that the salt chooses.
    Bytes {
        /// How many; a pack more where they end within one.
        bytes: u64,
        /// Another one chooses other packs.
        salt: u64,
    },
}

impl Sample {
    /// Those of the packs, with their sizes, that are read whole: at least one, where there is one.
    pub(super) fn of(self, packs: &[(PackName, u64)]) -> BTreeSet<PackName> {
        let all: u128 = packs.iter().map(|(_, size)| u128::from(*size)).sum();
        match self {
            Self::All => packs.iter().map(|(name, _)| *name).collect(),
            Self::Group { number, of } => {
                let group = |name: &PackName| u32::from(name.0[0]) % of.max(1) + 1;
                packs.iter().map(|(name, _)| *name).filter(|name| group(name) == number).collect()
            }
            Self::Share { per_myriad, salt } => {
                draw(packs, (all * u128::from(per_myriad)).div_ceil(MYRIAD), salt)
            }
            Self::Bytes { bytes, salt } => draw(packs, bytes.into(), salt),
        }
    }
}

fn draw(packs: &[(PackName, u64)], bytes: u128, salt: u64) -> BTreeSet<PackName> {
    let lot = |name: &PackName| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&salt.to_le_bytes()).update(&name.0);
        *hasher.finalize().as_bytes()
    };
    let mut lots: Vec<_> = packs.iter().map(|(name, size)| (lot(name), *name, *size)).collect();
    lots.sort_unstable();
    let mut drawn = 0;
    lots.into_iter()
        .take_while(|(_, _, size)| {
            let wanted = drawn < bytes;
            drawn += u128::from(*size);
            wanted
        })
        .map(|(_, name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(count: u16) -> Vec<(PackName, u64)> {
        let name = |n: u16| PackName(*blake3::hash(&n.to_le_bytes()).as_bytes());
        (0..count).map(|n| (name(n), 1_000 + u64::from(n))).collect()
    }

    #[test]
    fn groups_share_all_packs_among_themselves() {
        let packs = packs(1_000);
        let groups: Vec<_> =
            (1..=7).map(|number| Sample::Group { number, of: 7 }.of(&packs)).collect();
        assert_eq!(groups.iter().map(BTreeSet::len).sum::<usize>(), 1_000);
        assert_eq!(groups.into_iter().flatten().collect::<BTreeSet<_>>().len(), 1_000);
    }

    #[test]
    fn a_share_is_that_share_of_the_bytes_and_another_one_each_time() {
        let packs = packs(1_000);
        let all: u64 = packs.iter().map(|(_, size)| size).sum();
        let size = |names: &BTreeSet<PackName>| {
            packs.iter().filter(|(name, _)| names.contains(name)).map(|(_, size)| size).sum::<u64>()
        };
        let [one, two] = [1, 2].map(|salt| Sample::Share { per_myriad: 250, salt }.of(&packs));
        assert_ne!(one, two);
        for drawn in [&one, &two, &Sample::Bytes { bytes: all / 40, salt: 3 }.of(&packs)] {
            assert!((all / 40..=all / 40 + 2_000).contains(&size(drawn)));
        }
        assert_eq!(Sample::Share { per_myriad: 10_000, salt: 1 }.of(&packs).len(), 1_000);
        assert_eq!(Sample::Share { per_myriad: 1, salt: 1 }.of(&packs[..3]).len(), 1);
        assert_eq!(Sample::All.of(&packs).len(), 1_000);
    }
}
