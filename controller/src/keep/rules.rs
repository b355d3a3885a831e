//! The rules, and what they say of the snapshots of one group.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use holdfast_executor::repo::has_tags;
use holdfast_executor::report::SnapshotInfo;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Span;

/// How many places a rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Some(u32),
    /// As many as there are.
    Unlimited,
}

/// Why a text is no number of snapshots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a number, or `unlimited`")]
pub struct NotACount;

impl FromStr for Count {
    type Err = NotACount;

    fn from_str(text: &str) -> Result<Self, NotACount> {
        match text {
            "unlimited" | "-1" => Ok(Self::Unlimited),
            text => text.parse().map(Self::Some).map_err(|_| NotACount),
        }
    }
}

/// What is kept; what is absent keeps nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The newest.
    pub last: Option<Count>,
    /// The newest of each of the newest hours, days, ISO weeks, months and years that have one.
    pub newest: [Option<Count>; 5],
    /// All that are younger, counted from the newest.
    pub within: Option<Span>,
    /// The newest of each hour, day, week, month and year that are younger.
    pub newest_within: [Option<Span>; 5],
    /// Those with all tags of one of these lists.
    pub tags: Vec<Vec<String>>,
}

/// The calendar's units, in the order of the arrays above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const UNITS: [(Unit, &str); 5] = [
    (Unit::Hour, "hourly"),
    (Unit::Day, "daily"),
    (Unit::Week, "weekly"),
    (Unit::Month, "monthly"),
    (Unit::Year, "yearly"),
];

impl Rules {
    /// Whether no rule is given at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // A count of nothing keeps nothing.
        let none = |count: &Option<Count>| count.is_none_or(|count| count == Count::Some(0));
        none(&self.last)
            && self.newest.iter().all(none)
            && self.within.is_none()
            && self.newest_within.iter().all(Option::is_none)
            && self.tags.is_empty()
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let mut counted = |count: Option<Count>, what: &str| match count {
            None | Some(Count::Some(0)) => {}
            Some(Count::Some(count)) => words.push(format!("{count} {what}")),
            Some(Count::Unlimited) => words.push(format!("all {what}")),
        };
        counted(self.last, "latest");
        for ((_, word), count) in UNITS.iter().zip(self.newest) {
            counted(count, word);
        }
        words.extend(self.within.map(|span| format!("all within {span}")));
        for ((_, word), span) in UNITS.iter().zip(self.newest_within) {
            words.extend(span.map(|span| format!("{word} within {span}")));
        }
        words.extend(self.tags.iter().map(|list| format!("tagged {}", list.join(","))));
        f.write_str(&words.join(", "))
    }
}

/// What becomes of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The snapshot.
    pub info: SnapshotInfo,
    /// Why it stays; it goes if there is no reason.
    pub reasons: Vec<String>,
}

/// One bucket of the calendar, or one snapshot.
type Bucket = (i16, i16, i8);

/// A rule on its way through the snapshots.
struct Place {
    unit: Option<Unit>,
    what: String,
    left: Count,
    /// Only snapshots after this.
    after: Option<Timestamp>,
    last: Option<Bucket>,
}

/// Judges the snapshots of one group; the verdicts are newest first.
#[must_use]
pub fn judge(
    rules: &Rules,
    group: &[SnapshotInfo],
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Verdict> {
    let mut ordered: Vec<&SnapshotInfo> = group.iter().collect();
    ordered.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    // A clock that was wrong once must not make everything old, and neither do runs that came to part of it only.
    let newest = |complete: bool| {
        let counted = ordered.iter().filter(|info| !(complete && info.partial));
        counted.map(|info| taken(info)).find(|at| *at <= now).unwrap_or(Timestamp::MIN)
    };
    let (latest, latest_complete) = (newest(false), newest(true));
    let within = |info: &SnapshotInfo| {
        let latest = if info.partial { latest } else { latest_complete };
        rules.within.filter(|span| taken(info) > span.before(latest, zone))
    };
    // Twice, so that neither pushes the other out: complete ones among themselves, and all of them, where a partial
    // one stands for a bucket that has no complete one.
    let mut of_complete = places(rules, latest_complete, zone);
    let mut of_all = places(rules, latest, zone);
    let served: Vec<BTreeSet<Bucket>> = of_all
        .iter()
        .map(|place| {
            let complete = ordered.iter().filter(|info| !info.partial);
            complete.filter_map(|info| place.bucket(info, zone)).collect()
        })
        .collect();
    let oldest_complete = ordered.iter().rposition(|info| !info.partial);
    let mut verdicts = Vec::new();
    for (number, &info) in ordered.iter().enumerate() {
        let mut reasons = Vec::new();
        let tagged = rules.tags.iter().filter(|list| has_tags(info, list));
        reasons.extend(tagged.map(|list| format!("has tags {}", list.join(","))));
        reasons.extend(within(info).map(|span| format!("within {span}")));
        let is_oldest = number + 1 == ordered.len();
        for ((one, all), served) in of_complete.iter_mut().zip(&mut of_all).zip(&served) {
            let is_served = |bucket: Bucket| info.partial && served.contains(&bucket);
            let mut reason = match all.bucket(info, zone).is_some_and(is_served) {
                true => None,
                false => all.take(info, is_oldest, zone),
            };
            if !info.partial {
                let own = one.take(info, oldest_complete == Some(number), zone);
                reason = reason.or(own);
            }
            reasons.extend(reason);
        }
        verdicts.push(Verdict { info: info.clone(), reasons });
    }
    verdicts
}

fn taken(info: &SnapshotInfo) -> Timestamp {
    Timestamp::from_nanosecond(info.at.into()).unwrap_or(Timestamp::MIN)
}

fn places(rules: &Rules, latest: Timestamp, zone: &TimeZone) -> Vec<Place> {
    let place = |unit, what: &str, left, after| Place {
        unit,
        what: what.to_owned(),
        left,
        after,
        last: None,
    };
    let mut places: Vec<Place> =
        rules.last.iter().map(|count| place(None, "last snapshot", *count, None)).collect();
    for ((unit, word), count) in UNITS.iter().zip(rules.newest) {
        let what = format!("{word} snapshot");
        places.extend(count.map(|count| place(Some(*unit), &what, count, None)));
    }
    for ((unit, word), span) in UNITS.iter().zip(rules.newest_within) {
        places.extend(span.map(|span| {
            let after = span.before(latest, zone);
            place(Some(*unit), &format!("{word} within {span}"), Count::Unlimited, Some(after))
        }));
    }
    places
}

impl Place {
    /// Where the rule counts a snapshot; nothing where each counts for itself.
    fn bucket(&self, info: &SnapshotInfo, zone: &TimeZone) -> Option<Bucket> {
        self.unit.map(|unit| bucket(unit, taken(info), zone))
    }

    /// Whether the rule keeps this snapshot, as its reason; they must come newest first. With places left the
    /// oldest one is kept as well, so that history reaches as far back as it can.
    fn take(&mut self, info: &SnapshotInfo, oldest: bool, zone: &TimeZone) -> Option<String> {
        let at = taken(info);
        if self.left == Count::Some(0) || self.after.is_some_and(|after| at <= after) {
            return None;
        }
        let bucket = self.bucket(info, zone);
        let new = bucket.is_none() || self.last != bucket;
        if !new && !oldest {
            return None;
        }
        self.last = bucket;
        if let Count::Some(left) = &mut self.left {
            *left -= 1;
        }
        Some(if new { self.what.clone() } else { format!("oldest {}", self.what) })
    }
}

fn bucket(unit: Unit, at: Timestamp, zone: &TimeZone) -> Bucket {
    let at = at.to_zoned(zone.clone());
    let day = i16::from(at.month()) * 100 + i16::from(at.day());
    match unit {
        Unit::Hour => (at.year(), day, at.hour()),
        Unit::Day => (at.year(), day, 0),
        Unit::Week => {
            let week = at.date().iso_week_date();
            (week.year(), week.week().into(), 0)
        }
        Unit::Month => (at.year(), at.month().into(), 0),
        Unit::Year => (at.year(), 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use holdfast_executor::digest::SnapshotName;
    use holdfast_executor::repo::describe;
    use holdfast_executor::snapshot::Snapshot;
    use proptest::prelude::*;

    use super::*;

    fn info(number: u8, at: Timestamp, partial: bool) -> SnapshotInfo {
        let started_ms = at.as_millisecond();
        describe(
            &SnapshotName([number; 16]),
            &Snapshot { started_ms, partial, ..Snapshot::default() },
        )
    }

    fn kept(verdicts: &[Verdict]) -> BTreeSet<String> {
        let kept = verdicts.iter().filter(|verdict| !verdict.reasons.is_empty());
        kept.map(|verdict| verdict.info.id.clone()).collect()
    }

    /// Says the same in other words: buckets as texts in a map, the newest of each, the newest N, and the
    /// oldest snapshot where fewer than N buckets are filled.
    fn oracle(rules: &Rules, group: &[SnapshotInfo]) -> BTreeSet<String> {
        let mut all: Vec<&SnapshotInfo> = group.iter().collect();
        all.sort_by_key(|info| (info.at, info.id.clone()));
        let mut kept = BTreeSet::new();
        let formats = ["%Y-%m-%d %H", "%Y-%m-%d", "%G-%V", "%Y-%m", "%Y"];
        let counts = formats.map(Some).into_iter().zip(rules.newest).chain([(None, rules.last)]);
        for (format, count) in counts {
            let places = match count {
                None => 0,
                Some(Count::Some(count)) => count as usize,
                Some(Count::Unlimited) => usize::MAX,
            };
            let bucket = |info: &SnapshotInfo| {
                let at = taken(info).to_zoned(TimeZone::UTC);
                match format {
                    Some(format) => at.strftime(format).to_string(),
                    None => format!("{:020} {}", info.at, info.id),
                }
            };
            let complete: BTreeMap<String, &SnapshotInfo> =
                all.iter().filter(|info| !info.partial).map(|info| (bucket(info), *info)).collect();
            let mut every: BTreeMap<String, &SnapshotInfo> =
                all.iter().map(|info| (bucket(info), *info)).collect();
            every.extend(complete.clone());
            let stands =
                |info: &SnapshotInfo| !info.partial || !complete.contains_key(&bucket(info));
            for (buckets, oldest) in [
                (&complete, all.iter().find(|info| !info.partial)),
                (&every, all.first().filter(|info| stands(info))),
            ] {
                if buckets.len() < places {
                    kept.extend(oldest.map(|info| info.id.clone()));
                }
                kept.extend(buckets.values().rev().take(places).map(|info| info.id.clone()));
            }
        }
        kept
    }

    fn any_count() -> impl Strategy<Value = Option<Count>> {
        prop_oneof![
            3 => Just(None),
            4 => (0..5u32).prop_map(|count| Some(Count::Some(count))),
            1 => Just(Some(Count::Unlimited)),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_oracle(
            last in any_count(),
            newest in proptest::array::uniform5(any_count()),
            taken in proptest::collection::vec((0..22_000i64, proptest::bool::weighted(0.2)), 0..40),
        ) {
            let group: Vec<SnapshotInfo> = taken
                .iter()
                .zip(0u8..)
                .map(|((hours, partial), number)| {
                    let at = Timestamp::from_second(1_700_000_400 + hours * 3_600).unwrap();
                    info(number, at, *partial)
                })
                .collect();
            let rules = Rules { last, newest, ..Rules::default() };
            let verdicts = judge(&rules, &group, Timestamp::MAX, &TimeZone::UTC);
            prop_assert_eq!(kept(&verdicts), oracle(&rules, &group));
            prop_assert_eq!(verdicts.len(), group.len());
            // What stays, stays again: asking twice removes nothing more.
            let rest: Vec<SnapshotInfo> = verdicts
                .iter()
                .filter(|verdict| !verdict.reasons.is_empty())
                .map(|verdict| verdict.info.clone())
                .collect();
            let again = judge(&rules, &rest, Timestamp::MAX, &TimeZone::UTC);
            prop_assert_eq!(kept(&again), kept(&verdicts));
        }
    }

    #[test]
    fn k03_a_partial_snapshot_pushes_no_complete_one_out() {
        let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
        let group = [
            info(1, at(1), false),
            info(2, at(2), true),
            info(3, at(3), false),
            info(4, at(4), true),
        ];
        let rules = Rules { last: Some(Count::Some(1)), ..Rules::default() };
        let verdicts = judge(&rules, &group, Timestamp::MAX, &TimeZone::UTC);
        let said: Vec<(u8, &[String])> = verdicts
            .iter()
            .map(|verdict| (verdict.info.id.as_bytes()[1] - b'0', &verdict.reasons[..]))
            .collect();
        let last = ["last snapshot".to_owned()];
        assert_eq!(said, [(4, &last[..]), (3, &last[..]), (2, &[]), (1, &[])]);
    }

    /// A year in which one file could never be read, and then it could.
    #[test]
    fn k03_partial_snapshots_are_the_history_where_there_is_no_other() {
        let month = |number: i64| Timestamp::from_second(number * 31 * 86_400).unwrap();
        let mut group: Vec<SnapshotInfo> =
            (1u8..13).map(|number| info(number, month(number.into()), true)).collect();
        let rules =
            Rules { newest: [None, None, None, Some(Count::Some(6)), None], ..Rules::default() };
        let keeps =
            |group: &[SnapshotInfo]| kept(&judge(&rules, group, Timestamp::MAX, &TimeZone::UTC));
        assert_eq!(keeps(&group).len(), 6, "they do not pile up");
        let day = |days: i64| Timestamp::from_second(12 * 31 * 86_400 + days * 86_400).unwrap();
        group.push(info(20, day(1), false));
        assert_eq!(keeps(&group).len(), 6, "the month of the complete one, and five others");
        assert!(!keeps(&group).contains(&"0c".repeat(16)), "a complete one serves that month");
        group.push(info(21, day(2), true));
        assert!(!keeps(&group).contains(&"15".repeat(16)), "the same for one that is newer");
    }

    /// A source that has become unreadable: what runs come to part of it makes no complete one old.
    #[test]
    fn k03_spans_of_complete_snapshots_are_counted_from_the_newest_complete_one() {
        let day = |days: i64| Timestamp::from_second(days * 86_400).unwrap();
        let mut group = vec![info(1, day(100), false), info(2, day(104), false)];
        group.extend((0..30u8).map(|days| info(10 + days, day(106 + i64::from(days)), true)));
        let span = || Some("7d".parse().unwrap());
        let mut rules = vec![Rules { within: span(), ..Rules::default() }];
        for unit in 0..UNITS.len() {
            let mut one = Rules::default();
            one.newest_within[unit] = span();
            rules.push(one);
        }
        for rules in rules {
            let kept = kept(&judge(&rules, &group, Timestamp::MAX, &TimeZone::UTC));
            assert!(kept.contains(&"02".repeat(16)), "{rules}: {kept:?}");
            assert!(kept.len() <= 12, "{rules}: partial ones do not pile up: {kept:?}");
        }
    }

    #[test]
    fn a_snapshot_of_the_future_makes_nothing_old() {
        let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
        let group = [info(1, at(10), false), info(2, at(1_000), false)];
        let rules = Rules { within: Some("2h".parse().unwrap()), ..Rules::default() };
        assert_eq!(kept(&judge(&rules, &group, at(11), &TimeZone::UTC)).len(), 2);
        assert_eq!(kept(&judge(&rules, &group, at(1_001), &TimeZone::UTC)).len(), 1);
    }
}
