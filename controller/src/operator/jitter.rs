//! How long to wait before another try: decorrelated jitter, so that those who failed together do not come back
//! together.

use std::time::Duration;

use crate::ports::ids;

/// The bounds of a wait.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Backoff {
    /// The wait after one of `last`: anything from the shortest to three times the last one.
    pub fn after(self, last: Option<Duration>, ids: &dyn ids::Ids) -> Duration {
        let Some(last) = last else { return self.least };
        let most = last.saturating_mul(3).clamp(self.least, self.most);
        let room = u64::try_from((most - self.least).as_millis()).unwrap_or(u64::MAX);
        // One more than the room, so that the longest is among them.
        self.least + Duration::from_millis(ids.chance() % room.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ids::tests::Seeded;

    const BACKOFF: Backoff =
        Backoff { least: Duration::from_millis(100), most: Duration::from_secs(10) };

    fn waits(seed: u64) -> Vec<Duration> {
        let ids = Seeded::of(seed);
        let mut last = None;
        let waits = (0..200).map(|_| {
            let wait = BACKOFF.after(last, &*ids);
            last = Some(wait);
            wait
        });
        waits.collect()
    }

    #[test]
    fn waits_follow_from_the_seed_and_stay_within_their_bounds() {
        let all = waits(7);
        assert_eq!(all, waits(7));
        assert_ne!(all, waits(8));
        assert_eq!(all[0], BACKOFF.least);
        assert!(all.iter().all(|wait| (BACKOFF.least..=BACKOFF.most).contains(wait)), "{all:?}");
        let pairs = all.windows(2);
        assert!(pairs.into_iter().all(|pair| pair[1] <= pair[0] * 3), "{all:?}");
        assert!(all.iter().any(|wait| *wait > BACKOFF.least * 10), "they grow: {all:?}");
    }
}
