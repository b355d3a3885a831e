//! Whose times rules go by. Whoever makes snapshots says when: a clock that was wrong, or a worker whose credentials
//! somebody has stolen, can put a year of them before the good ones. The store says when it got them, and nobody who
//! cannot delete changes that; but a repository that was copied has new times.

use holdfast_executor::repo::CLOCKS_APART_MS;
use holdfast_executor::report::SnapshotInfo;

/// Whose times are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Trust {
    /// Those of whoever made a snapshot, as far as the store bears them out.
    #[default]
    Both,
    /// Those of whoever made it, whatever the store says.
    Claimed,
    /// Those of the store.
    Store,
}

impl Trust {
    /// When a snapshot was taken, nanoseconds since 1970, or nothing where claim and store contradict each other.
    #[must_use]
    pub fn time_of(self, info: &SnapshotInfo) -> Option<i64> {
        let Some(stored) = info.stored_at else { return Some(info.at) };
        let apart = i128::from(CLOCKS_APART_MS) * 1_000_000;
        let is_near = |at: &i64| (i128::from(*at) - i128::from(stored)).abs() <= apart;
        match self {
            Self::Claimed => Some(info.at),
            Self::Store => Some(stored),
            // A backup may take days: then its end is what the store bears out.
            Self::Both => [info.at, info.ended_at.unwrap_or(info.at)].into_iter().find(is_near),
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_executor::digest::SnapshotName;
    use holdfast_executor::repo::describe;
    use holdfast_executor::snapshot::Snapshot;

    use super::*;

    #[test]
    fn s08_a_time_counts_where_the_store_bears_it_out() {
        let days = |days: i64| days * 86_400_000;
        let info = |began: i64, ended: i64, stored: Option<i64>| {
            let (started_ms, ended_ms) = (days(began), days(ended));
            let snapshot = Snapshot { started_ms, ended_ms, ..Snapshot::default() };
            let stored_at = stored.map(|day| days(day) * 1_000_000);
            SnapshotInfo { stored_at, ..describe(&SnapshotName([1; 16]), &snapshot) }
        };
        let day = |trust: Trust, info: &SnapshotInfo| {
            trust.time_of(info).map(|at| at / days(1) / 1_000_000)
        };
        for (one, both) in [
            (info(10, 10, Some(10)), Some(10)),
            (info(10, 10, Some(11)), Some(10)),
            (info(10, 10, None), Some(10)),
            (info(10, 14, Some(14)), Some(14)),
            (info(10, 10, Some(300)), None),
            (info(300, 300, Some(10)), None),
            (info(10, 300, Some(20)), None),
        ] {
            assert_eq!(day(Trust::Both, &one), both, "{one:?}");
            assert_eq!(day(Trust::Claimed, &one), Some(one.at / days(1) / 1_000_000));
        }
        assert_eq!(day(Trust::Store, &info(10, 10, Some(300))), Some(300));
    }
}
