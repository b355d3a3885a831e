//! The only file that rolls dice.

use std::sync::Arc;

use holdfast_engine::{CommandId, Uid};

/// What makes names that nobody has given before, and chooses where any choice will do.
pub trait Ids: Send + Sync {
    /// Sixteen bytes that nobody has seen before.
    fn fresh(&self) -> [u8; 16];

    /// A uid for an object that no API server has named.
    fn uid(&self) -> Uid {
        Uid(self.fresh())
    }

    /// An id for a command.
    fn command_id(&self) -> CommandId {
        CommandId(self.fresh())
    }

    /// A number that nobody can foresee, where one of many is to be chosen.
    fn chance(&self) -> u64 {
        let [_, _, _, _, _, _, _, _, last @ ..] = self.fresh();
        u64::from_be_bytes(last)
    }
}

/// A source of names that can be handed on.
pub type Handle = Arc<dyn Ids>;

/// The dice of this machine.
pub struct Machine;

impl Ids for Machine {
    fn fresh(&self) -> [u8; 16] {
        *uuid::Uuid::new_v4().as_bytes()
    }
}

/// A uid for an object that no API server has named.
#[must_use]
pub fn uid() -> Uid {
    Machine.uid()
}

/// A number that nobody can foresee, where one of many is to be chosen.
#[must_use]
pub fn chance() -> u64 {
    Machine.chance()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Dice whose throws follow from a seed.
    pub(crate) struct Seeded {
        seed: u64,
        thrown: AtomicU64,
    }

    impl Seeded {
        /// Dice of this seed.
        pub(crate) fn of(seed: u64) -> Handle {
            Arc::new(Self { seed, thrown: AtomicU64::new(0) })
        }
    }

    impl Ids for Seeded {
        fn fresh(&self) -> [u8; 16] {
            let thrown = self.thrown.fetch_add(1, Ordering::Relaxed);
            let said = [self.seed.to_le_bytes(), thrown.to_le_bytes()].concat();
            let mut fresh = [0; 16];
            fresh.copy_from_slice(&blake3::hash(&said).as_bytes()[..16]);
            fresh
        }
    }

    #[test]
    fn dice_of_one_seed_fall_alike_and_never_twice_the_same() {
        let (one, same, other) = (Seeded::of(1), Seeded::of(1), Seeded::of(2));
        let throws = |ids: &Handle| (0..50).map(|_| ids.fresh()).collect::<Vec<_>>();
        let mut thrown = throws(&one);
        assert_eq!(thrown, throws(&same));
        assert_ne!(thrown, throws(&other));
        thrown.sort_unstable();
        thrown.dedup();
        assert_eq!(thrown.len(), 50);
        assert_ne!(Machine.uid(), Machine.uid());
    }
}
