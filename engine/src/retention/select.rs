//! Which snapshots a policy keeps, and why.
//!
//! The documents leave the buckets open; these are restic's: each class keeps the newest snapshot of
//! each of its N newest buckets that hold one, classes are united, weeks are ISO 8601, all in UTC.
//! A class that is absent or zero is not used; with no class used only the period applies.
//! Decided here: the period removes whatever the classes say, also the last snapshot, as its
//! description promises; failed ones, partial ones among them, are counted by `failedSnapshots.last`
//! alone; what is still being written is never judged.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::period::{self, PeriodError};
use super::{Keep, Spec};
use crate::ids::Uid;
use crate::time::Timestamp;

/// A snapshot as retention sees it; all of one repository and one session name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The snapshot.
    pub uid: Uid,
    /// Its name, for equal times.
    pub name: String,
    /// `status.snapshotTime`.
    pub taken: Timestamp,
    /// How it ended.
    pub standing: Standing,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// It has not ended.
    Unfinished,
    /// Phase Succeeded.
    Succeeded,
    /// Phase Failed, partial ones included.
    Failed,
}

/// Why a snapshot stays or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Kept: it is still being written.
    Unfinished,
    /// Kept: no class is used, and it is within the period.
    NoClass,
    /// Kept: one of the newest.
    Last,
    /// Kept: newest of its hour.
    Hourly,
    /// Kept: newest of its day.
    Daily,
    /// Kept: newest of its ISO week.
    Weekly,
    /// Kept: newest of its month.
    Monthly,
    /// Kept: newest of its year.
    Yearly,
    /// Kept: one of the newest failed ones.
    FailedLast,
    /// Removed: older than the period.
    Expired,
    /// Removed: no class asks for it.
    NotSelected,
    /// Removed: enough newer failed ones are kept.
    FailedSurplus,
}

/// What becomes of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The snapshot.
    pub uid: Uid,
    /// Its name.
    pub name: String,
    /// When it was taken.
    pub taken: Timestamp,
    /// It stays.
    pub keep: bool,
    /// Why; every class that keeps it, or the one reason why it goes.
    pub reasons: Vec<Reason>,
}

/// One verdict for each snapshot, newest first.
///
/// # Errors
/// [`PeriodError`] when the policy's period cannot be read; nothing may be removed then.
pub fn judge(
    spec: &Spec,
    now: Timestamp,
    snapshots: &[Candidate],
) -> Result<Vec<Verdict>, PeriodError> {
    let oldest = period::parse(&spec.max_period)?.map(|period| now.minus(period));
    let mut ordered: Vec<&Candidate> = snapshots.iter().collect();
    ordered.sort_by(|a, b| (b.taken, &b.name, b.uid).cmp(&(a.taken, &a.name, a.uid)));
    let mut classes = Classes::new(spec.successful);
    let mut failed_left = spec.failed_last;
    let verdicts = ordered.into_iter().map(|snapshot| {
        let (keep, reasons) = match snapshot.standing {
            Standing::Unfinished => (true, vec![Reason::Unfinished]),
            _ if oldest.is_some_and(|oldest| snapshot.taken < oldest) => {
                (false, vec![Reason::Expired])
            }
            Standing::Succeeded => classes.judge(snapshot.taken),
            Standing::Failed if failed_left > 0 => {
                failed_left -= 1;
                (true, vec![Reason::FailedLast])
            }
            Standing::Failed => (false, vec![Reason::FailedSurplus]),
        };
        let (uid, name, taken) = (snapshot.uid, snapshot.name.clone(), snapshot.taken);
        Verdict { uid, name, taken, keep, reasons }
    });
    Ok(verdicts.collect())
}

/// The snapshots that go, oldest first: a removal that stops half-way then leaves the newer ones.
///
/// # Errors
/// [`PeriodError`] as for [`judge`].
pub fn removals(
    spec: &Spec,
    now: Timestamp,
    snapshots: &[Candidate],
) -> Result<Vec<Uid>, PeriodError> {
    let verdicts = judge(spec, now, snapshots)?;
    Ok(verdicts.into_iter().rev().filter(|v| !v.keep).map(|v| v.uid).collect())
}

/// A bucket, as numbers that differ exactly when the buckets do.
type Bucket = (i64, i64, i64);

struct Classes {
    /// Why it keeps, how many buckets are left, the last bucket that was counted.
    rules: Vec<(Reason, u32, Option<Bucket>)>,
}

impl Classes {
    fn new(keep: Option<Keep>) -> Self {
        let keep = keep.unwrap_or_default();
        let rules = [
            (Reason::Last, keep.last),
            (Reason::Hourly, keep.hourly),
            (Reason::Daily, keep.daily),
            (Reason::Weekly, keep.weekly),
            (Reason::Monthly, keep.monthly),
            (Reason::Yearly, keep.yearly),
        ];
        let used = rules
            .into_iter()
            .filter_map(|(reason, count)| Some((reason, count.filter(|n| *n > 0)?, None)));
        Self { rules: used.collect() }
    }

    /// Snapshots must come newest first: the first of a bucket is then its newest.
    fn judge(&mut self, taken: Timestamp) -> (bool, Vec<Reason>) {
        if self.rules.is_empty() {
            return (true, vec![Reason::NoClass]);
        }
        let mut reasons = Vec::new();
        for (reason, left, counted) in &mut self.rules {
            let bucket = bucket(*reason, taken);
            if *left > 0 && (bucket.is_none() || *counted != bucket) {
                *left -= 1;
                *counted = bucket;
                reasons.push(*reason);
            }
        }
        if reasons.is_empty() { (false, vec![Reason::NotSelected]) } else { (true, reasons) }
    }
}

/// The bucket of an instant; absent for `last`, where each snapshot is one.
fn bucket(class: Reason, taken: Timestamp) -> Option<Bucket> {
    let at = taken.civil();
    let day = i64::from(at.month) * 100 + i64::from(at.day);
    match class {
        Reason::Hourly => Some((at.year, day, i64::from(at.hour))),
        Reason::Daily => Some((at.year, day, 0)),
        Reason::Weekly => {
            let (year, week) = taken.iso_week();
            Some((year, i64::from(week), 0))
        }
        Reason::Monthly => Some((at.year, i64::from(at.month), 0)),
        Reason::Yearly => Some((at.year, 0, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn policy(period: &str, successful: Option<Keep>, failed_last: u32) -> Spec {
        Spec {
            max_period: period.into(),
            successful,
            failed_last,
            usage: None,
            default: false,
            invalid: None,
        }
    }

    fn candidate(n: u8, taken: &str, standing: Standing) -> Candidate {
        Candidate {
            uid: Uid([n; 16]),
            name: format!("s-{n:03}"),
            taken: taken.parse().unwrap(),
            standing,
        }
    }

    /// `+` kept, `-` removed, with the reasons; newest first.
    fn shown(spec: &Spec, now: &str, snapshots: &[Candidate]) -> Vec<String> {
        let verdicts = judge(spec, now.parse().unwrap(), snapshots).unwrap();
        verdicts
            .iter()
            .map(|v| format!("{}{} {:?}", if v.keep { '+' } else { '-' }, v.uid.0[0], v.reasons))
            .collect()
    }

    #[test]
    fn newest_per_bucket_and_union_of_classes() {
        use Standing::Succeeded;
        let snapshots = [
            candidate(1, "2025-12-28T23:00:00Z", Succeeded),
            candidate(2, "2025-12-31T08:00:00Z", Succeeded),
            candidate(3, "2026-01-01T08:00:00Z", Succeeded),
            candidate(4, "2026-01-01T09:00:00Z", Succeeded),
            candidate(5, "2026-01-02T09:10:00Z", Succeeded),
            candidate(6, "2026-01-02T09:50:00Z", Succeeded),
        ];
        let keep = Keep {
            last: Some(1),
            daily: Some(2),
            weekly: Some(2),
            yearly: Some(2),
            ..Keep::default()
        };
        assert_eq!(
            shown(&policy("", Some(keep), 0), "2026-01-03T00:00:00Z", &snapshots),
            [
                "+6 [Last, Daily, Weekly, Yearly]",
                "-5 [NotSelected]",
                "+4 [Daily]",
                "-3 [NotSelected]",
                "+2 [Yearly]",
                "+1 [Weekly]",
            ]
        );
    }

    #[test]
    fn the_period_wins_and_failed_ones_are_counted_apart() {
        use Standing::{Failed, Succeeded, Unfinished};
        let snapshots = [
            candidate(1, "2026-01-01T00:00:00Z", Succeeded),
            candidate(2, "2026-01-01T00:00:01Z", Unfinished),
            candidate(3, "2026-01-08T00:00:00Z", Succeeded),
            candidate(4, "2026-01-08T01:00:00Z", Failed),
            candidate(5, "2026-01-08T02:00:00Z", Failed),
        ];
        let keep = Keep { last: Some(9), ..Keep::default() };
        assert_eq!(
            shown(&policy("1w", Some(keep), 1), "2026-01-15T00:00:00Z", &snapshots),
            [
                "+5 [FailedLast]",
                "-4 [FailedSurplus]",
                "+3 [Last]",
                "+2 [Unfinished]",
                "-1 [Expired]"
            ]
        );
    }

    #[test]
    fn the_period_includes_its_first_instant() {
        use Standing::{Failed, Succeeded};
        let snapshots = [
            candidate(1, "2026-01-07T23:59:59Z", Succeeded),
            candidate(2, "2026-01-08T00:00:00Z", Succeeded),
            candidate(3, "2026-01-07T23:59:59Z", Failed),
            candidate(4, "2026-01-08T00:00:00Z", Failed),
        ];
        assert_eq!(
            shown(&policy("1w", None, 9), "2026-01-15T00:00:00Z", &snapshots),
            ["+4 [FailedLast]", "+2 [NoClass]", "-3 [Expired]", "-1 [Expired]"]
        );
    }

    #[test]
    fn one_of_each_kind_is_what_a_live_repository_held() {
        use Standing::{Failed, Succeeded};
        let snapshots = [
            candidate(1, "2026-01-01T00:00:00Z", Succeeded),
            candidate(2, "2026-01-02T00:00:00Z", Failed),
            candidate(3, "2026-01-03T00:00:00Z", Succeeded),
            candidate(4, "2026-01-04T00:00:00Z", Failed),
        ];
        let keep = Keep { last: Some(1), ..Keep::default() };
        assert_eq!(
            shown(&policy("1mo", Some(keep), 1), "2026-01-05T00:00:00Z", &snapshots),
            ["+4 [FailedLast]", "+3 [Last]", "-2 [FailedSurplus]", "-1 [NotSelected]"]
        );
        let none = [(Some(keep), 0), (None, 0)].map(|(keep, failed)| {
            removals(&policy("", keep, failed), Timestamp(0), &snapshots).unwrap().len()
        });
        assert_eq!(none, [3, 2], "no failed one is kept where none is asked for");
    }

    #[test]
    fn borders_of_every_class_are_those_of_utc() {
        use Standing::Succeeded;
        let class = |set: fn(&mut Keep)| {
            let mut keep = Keep::default();
            set(&mut keep);
            policy("", Some(keep), 0)
        };
        // A class of two, and two instants that are one second apart: in two buckets, or in one.
        type Set = fn(&mut Keep);
        let cases: [(Set, &str, &str, bool); 10] = [
            (|k| k.hourly = Some(2), "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z", true),
            (|k| k.hourly = Some(2), "2026-01-01T01:00:00Z", "2026-01-01T01:59:59Z", false),
            (|k| k.daily = Some(2), "2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z", true),
            (|k| k.daily = Some(2), "2026-01-01T00:00:00Z", "2026-01-01T23:59:59Z", false),
            (|k| k.weekly = Some(2), "2026-01-04T23:59:59Z", "2026-01-05T00:00:00Z", true),
            // The first days of January belong to the last week of the year before, or the other way.
            (|k| k.weekly = Some(2), "2025-12-29T00:00:00Z", "2026-01-04T23:59:59Z", false),
            (|k| k.monthly = Some(2), "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z", true),
            (|k| k.monthly = Some(2), "2025-01-31T00:00:00Z", "2026-01-31T00:00:00Z", true),
            (|k| k.yearly = Some(2), "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", true),
            (|k| k.yearly = Some(2), "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z", false),
        ];
        for (set, older, newer, both) in cases {
            let snapshots = [candidate(1, older, Succeeded), candidate(2, newer, Succeeded)];
            let gone = removals(&class(set), Timestamp(i64::MAX / 2), &snapshots).unwrap();
            assert_eq!(gone.is_empty(), both, "{older} {newer}");
        }
    }

    #[test]
    fn of_equal_times_the_later_name_is_the_newer() {
        let snapshots = [
            candidate(1, "2026-01-01T00:00:00Z", Standing::Succeeded),
            candidate(2, "2026-01-01T00:00:00Z", Standing::Succeeded),
        ];
        let keep = Keep { last: Some(1), ..Keep::default() };
        assert_eq!(
            shown(&policy("", Some(keep), 0), "2026-01-02T00:00:00Z", &snapshots),
            ["+2 [Last]", "-1 [NotSelected]"]
        );
    }

    #[test]
    fn without_classes_only_the_period_applies() {
        let snapshots = [
            candidate(1, "2026-01-01T00:00:00Z", Standing::Succeeded),
            candidate(2, "2026-01-10T00:00:00Z", Standing::Succeeded),
        ];
        for successful in
            [None, Some(Keep::default()), Some(Keep { last: Some(0), ..Keep::default() })]
        {
            assert_eq!(
                shown(&policy("1w", successful, 1), "2026-01-15T00:00:00Z", &snapshots),
                ["+2 [NoClass]", "-1 [Expired]"]
            );
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_removes_nothing() {
        let snapshots = [candidate(1, "2020-01-01T00:00:00Z", Standing::Failed)];
        assert_eq!(
            removals(&policy("10", None, 0), Timestamp(0), &snapshots).unwrap_err().to_string(),
            "maxRetentionPeriod: no unit at byte 2; the units are y, mo, w, d, h and m"
        );
    }

    #[test]
    fn removals_begin_with_the_oldest() {
        let snapshots: Vec<Candidate> = (1..5)
            .map(|n| candidate(n, &format!("2026-01-0{n}T00:00:00Z"), Standing::Failed))
            .collect();
        let removed = removals(&policy("", None, 2), Timestamp(0), &snapshots).unwrap();
        assert_eq!(removed, [Uid([1; 16]), Uid([2; 16])]);
    }

    /// Says the same in other words: for each class gather buckets in a map, take the newest N.
    fn oracle(spec: &Spec, now: Timestamp, snapshots: &[Candidate]) -> BTreeSet<Uid> {
        let oldest =
            period::parse(&spec.max_period).unwrap().map(|p| now.0 - i64::try_from(p.0).unwrap());
        let fresh = |s: &&Candidate| oldest.is_none_or(|oldest| s.taken.0 >= oldest);
        let of = |standing| {
            let mut list: Vec<&Candidate> =
                snapshots.iter().filter(|s| s.standing == standing).filter(fresh).collect();
            list.sort_by_key(|s| core::cmp::Reverse((s.taken, s.name.clone(), s.uid)));
            list
        };
        let mut kept: BTreeSet<Uid> = snapshots
            .iter()
            .filter(|s| s.standing == Standing::Unfinished)
            .map(|s| s.uid)
            .collect();
        kept.extend(of(Standing::Failed).iter().take(spec.failed_last as usize).map(|s| s.uid));
        let good = of(Standing::Succeeded);
        let keep = spec.successful.unwrap_or_default();
        let text = |s: &Candidate, length: usize| s.taken.to_string()[..length].to_string();
        let week = |s: &Candidate| {
            let (year, week) = s.taken.iso_week();
            format!("{year:04}-{week:02}")
        };
        let name = |s: &Candidate| format!("{} {} {}", s.taken, s.name, s.uid);
        type Key<'a> = &'a dyn Fn(&Candidate) -> String;
        let classes: [(Option<u32>, Key); 6] = [
            (keep.last, &name),
            (keep.hourly, &|s| text(s, 13)),
            (keep.daily, &|s| text(s, 10)),
            (keep.weekly, &week),
            (keep.monthly, &|s| text(s, 7)),
            (keep.yearly, &|s| text(s, 4)),
        ];
        if classes.iter().all(|(count, _)| count.unwrap_or(0) == 0) {
            kept.extend(good.iter().map(|s| s.uid));
        }
        for (count, key) in classes {
            let mut buckets: BTreeMap<String, &Candidate> = BTreeMap::new();
            for snapshot in good.iter().rev() {
                buckets.insert(key(snapshot), snapshot);
            }
            kept.extend(buckets.values().rev().take(count.unwrap_or(0) as usize).map(|s| s.uid));
        }
        kept
    }

    fn any_snapshots() -> impl Strategy<Value = Vec<Candidate>> {
        let standing = prop_oneof![1 => Just(Standing::Unfinished), 6 => Just(Standing::Succeeded), 2 => Just(Standing::Failed)];
        // Two and a half years in whole hours, so that buckets are shared and borders are met.
        proptest::collection::vec((0i64..22_000, standing), 0..40).prop_map(|list| {
            let numbered = list.into_iter().zip(0u8..);
            numbered
                .map(|((hour, standing), n)| Candidate {
                    uid: Uid([n; 16]),
                    name: format!("s-{n:03}"),
                    taken: Timestamp(1_700_000_000_000 / 3_600_000 * 3_600_000 + hour * 3_600_000),
                    standing,
                })
                .collect()
        })
    }

    prop_compose! {
        fn any_policy()(
            counts in proptest::array::uniform6(proptest::option::of(0u32..5)),
            period in prop_oneof![Just(""), Just("1y"), Just("2mo"), Just("500d")],
            failed_last in 0u32..4,
        ) -> Spec {
            let [last, hourly, daily, weekly, monthly, yearly] = counts;
            policy(period, Some(Keep { last, hourly, daily, weekly, monthly, yearly }), failed_last)
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_oracle(spec in any_policy(), snapshots in any_snapshots()) {
            let now = Timestamp(1_780_000_000_000);
            let verdicts = judge(&spec, now, &snapshots).unwrap();
            let kept: BTreeSet<Uid> = verdicts.iter().filter(|v| v.keep).map(|v| v.uid).collect();
            prop_assert_eq!(kept, oracle(&spec, now, &snapshots));
            prop_assert_eq!(verdicts.len(), snapshots.len());
        }

        #[test]
        fn applying_twice_removes_nothing_more(spec in any_policy(), snapshots in any_snapshots()) {
            let now = Timestamp(1_780_000_000_000);
            let gone = removals(&spec, now, &snapshots).unwrap();
            let rest: Vec<Candidate> =
                snapshots.into_iter().filter(|s| !gone.contains(&s.uid)).collect();
            prop_assert_eq!(removals(&spec, now, &rest).unwrap(), Vec::new());
        }

        #[test]
        fn order_of_input_does_not_matter(spec in any_policy(), snapshots in any_snapshots()) {
            let reversed: Vec<Candidate> = snapshots.iter().rev().cloned().collect();
            let now = Timestamp(1_780_000_000_000);
            prop_assert_eq!(judge(&spec, now, &snapshots), judge(&spec, now, &reversed));
        }
    }
}
