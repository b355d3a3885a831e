//! From snapshots and rules to what stays and what goes.

use std::collections::BTreeMap;

use holdfast_executor::report::SnapshotInfo;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::group::{GroupBy, Key};
use super::{Rules, Trust, Verdict, judge};

/// What a user asked for.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What stays.
    pub rules: Rules,
    /// What is judged together.
    pub group_by: GroupBy,
    /// Whose hours, days and weeks.
    pub zone: TimeZone,
    /// A group may lose all its snapshots.
    pub allow_remove_all: bool,
    /// Only some snapshots are looked at.
    pub filtered: bool,
    /// Whose times count.
    pub trust: Trust,
}

impl Choice {
    /// Judges one group by the times that count. What is shown are the times that are claimed.
    fn judge(&self, group: &[SnapshotInfo], now: Timestamp) -> Vec<Verdict> {
        let timed: Vec<SnapshotInfo> = group
            .iter()
            .map(|info| SnapshotInfo {
                at: self.trust.time_of(info).unwrap_or(info.at),
                ..info.clone()
            })
            .collect();
        let claimed: BTreeMap<&str, i64> =
            group.iter().map(|info| (info.id.as_str(), info.at)).collect();
        let mut verdicts = judge(&self.rules, &timed, now, &self.zone);
        for verdict in &mut verdicts {
            verdict.info.at = claimed.get(verdict.info.id.as_str()).copied().unwrap_or_default();
        }
        verdicts
    }

    /// Refuses what says nothing of what stays.
    ///
    /// # Errors
    /// `NoRule`, `Everything`.
    pub fn check(&self) -> Result<(), PlanError> {
        match (self.rules.is_empty(), self.allow_remove_all, self.filtered) {
            (true, false, _) => Err(PlanError::NoRule),
            (true, true, false) => Err(PlanError::Everything),
            _ => Ok(()),
        }
    }
}

/// One group and its verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What its snapshots share.
    pub key: Key,
    /// Newest first.
    pub verdicts: Vec<Verdict>,
    /// Snapshots whose times are in doubt. While there are any the group loses none.
    pub doubted: Vec<SnapshotInfo>,
}

/// Why nothing is removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing says what stays.
    #[error("no rule was given, so nothing is removed: name snapshots, or give a --keep-… option")]
    NoRule,
    /// Everything of a repository would go.
    #[error(
        "without a rule and without --host, --tag or --path everything would go: nothing is removed"
    )]
    Everything,
    /// A group would lose all its snapshots.
    #[error(
        "all {count} snapshots of {group} would go, so nothing is removed: allow it with --unsafe-allow-remove-all"
    )]
    WholeGroup {
        /// What they share.
        group: String,
        /// How many they are.
        count: usize,
    },
}

/// Judges all groups, as of a moment in milliseconds since 1970. Nothing is removed if one of them is in doubt.
///
/// # Errors
/// See [`PlanError`].
pub fn plan(
    choice: &Choice,
    snapshots: &[SnapshotInfo],
    now_ms: i64,
) -> Result<Vec<Group>, PlanError> {
    choice.check()?;
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX);
    let groups = choice.group_by.groups(snapshots).into_iter();
    groups
        .map(|(key, snapshots)| {
            let mut verdicts = choice.judge(&snapshots, now);
            if choice.rules.is_empty() {
                verdicts.iter_mut().for_each(|verdict| verdict.reasons.clear());
            }
            let stays = verdicts.iter().any(|verdict| !verdict.reasons.is_empty());
            if !stays && !choice.allow_remove_all {
                let (group, count) = (key.to_string(), verdicts.len());
                return Err(PlanError::WholeGroup { group, count });
            }
            let doubted = hold(choice, &snapshots, &mut verdicts);
            Ok(Group { key, verdicts, doubted })
        })
        .collect()
}

/// Where a time is in doubt, what would go stays: a snapshot that claims to be of another day may be what pushes it
/// out. Returns those that are in doubt, if anything would go.
fn hold(
    choice: &Choice,
    snapshots: &[SnapshotInfo],
    verdicts: &mut [Verdict],
) -> Vec<SnapshotInfo> {
    let is_doubted = |info: &&SnapshotInfo| choice.trust.time_of(info).is_none();
    let doubted: Vec<SnapshotInfo> = snapshots.iter().filter(is_doubted).cloned().collect();
    let mut gone = verdicts.iter_mut().filter(|verdict| verdict.reasons.is_empty()).peekable();
    if doubted.is_empty() || gone.peek().is_none() {
        return Vec::new();
    }
    gone.for_each(|verdict| verdict.reasons.push("a time is in doubt".to_owned()));
    doubted
}

impl Group {
    /// Snapshots that were named to go.
    #[must_use]
    pub fn named(snapshots: Vec<SnapshotInfo>) -> Vec<Self> {
        let gone = |info| Verdict { info, reasons: Vec::new() };
        let verdicts = snapshots.into_iter().rev().map(gone).collect();
        vec![Self { key: Key::default(), verdicts, doubted: Vec::new() }]
    }

    /// Those that stay, newest first.
    pub fn kept(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.reasons.is_empty())
    }

    /// Those that go, oldest first: a removal that stops half-way then leaves the newer ones.
    pub fn removed(&self) -> impl Iterator<Item = &SnapshotInfo> {
        let gone = self.verdicts.iter().rev().filter(|verdict| verdict.reasons.is_empty());
        gone.map(|verdict| &verdict.info)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = vec![self.component.clone()];
        parts.extend((!self.host.is_empty()).then(|| format!("host {}", self.host)));
        parts.extend((!self.paths.is_empty()).then(|| format!("paths {}", self.paths.join(" "))));
        parts.extend((!self.tags.is_empty()).then(|| format!("tags {}", self.tags.join(","))));
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use holdfast_executor::digest::SnapshotName;
    use holdfast_executor::repo::describe;
    use holdfast_executor::snapshot::Snapshot;

    use super::super::Count;
    use super::*;

    fn info(number: u8, host: &str, component: &str) -> SnapshotInfo {
        let snapshot = Snapshot {
            started_ms: i64::from(number) * 1_000,
            host: host.to_owned(),
            component: component.to_owned(),
            ..Snapshot::default()
        };
        describe(&SnapshotName([number; 16]), &snapshot)
    }

    fn choice(last: u32, group_by: &str) -> Choice {
        Choice {
            rules: Rules { last: Some(Count::Some(last)), ..Rules::default() },
            group_by: group_by.parse().unwrap(),
            zone: TimeZone::UTC,
            allow_remove_all: false,
            filtered: false,
            trust: Trust::Both,
        }
    }

    fn removed(choice: &Choice, snapshots: &[SnapshotInfo]) -> Result<Vec<u8>, PlanError> {
        let groups = plan(choice, snapshots, i64::MAX)?;
        let gone = groups.iter().flat_map(Group::removed);
        Ok(gone.map(|info| (info.at / 1_000_000_000) as u8).collect())
    }

    #[test]
    fn each_group_is_judged_by_itself_and_components_never_share_one() {
        let all = [
            info(1, "a", "x"),
            info(2, "a", "x"),
            info(3, "b", "x"),
            info(4, "a", "y"),
            info(5, "a", "x"),
        ];
        assert_eq!(removed(&choice(1, "host,paths"), &all).unwrap(), [1, 2]);
        assert_eq!(removed(&choice(1, ""), &all).unwrap(), [1, 2, 3]);
        assert_eq!(
            "host,hots".parse::<GroupBy>().unwrap_err().to_string(),
            "\"hots\" is none of host, paths and tags"
        );
    }

    #[test]
    fn what_is_in_doubt_removes_nothing() {
        let all = [info(1, "a", "x"), info(2, "b", "x")];
        assert_eq!(removed(&choice(0, ""), &all), Err(PlanError::NoRule));
        let allowed = Choice { allow_remove_all: true, ..choice(0, "") };
        assert_eq!(removed(&allowed, &all), Err(PlanError::Everything));
        let filtered = Choice { filtered: true, ..allowed };
        assert_eq!(removed(&filtered, &all), Ok(vec![1, 2]));
        let tagged = Rules { tags: vec![vec!["none has it".to_owned()]], ..Rules::default() };
        let tagged = Choice { rules: tagged, ..choice(0, "host") };
        let error = removed(&tagged, &all).unwrap_err();
        assert_eq!(error, PlanError::WholeGroup { group: "x, host a".to_owned(), count: 1 });
    }

    /// Whoever has a worker's credentials can put what it likes, and delete nothing.
    #[test]
    fn s08_snapshots_with_times_of_somebodys_choosing_push_no_other_out() {
        let day = |number: u8| i64::from(number) * 86_400_000_000_000;
        let stored = |number: u8, claimed: u8, stored: u8| SnapshotInfo {
            at: day(claimed),
            ended_at: Some(day(claimed)),
            stored_at: Some(day(stored)),
            ..info(number, "a", "x")
        };
        let good = [stored(1, 40, 40), stored(2, 41, 41)];
        let forged = [stored(3, 42, 50), stored(4, 43, 50), stored(5, 90, 50)];
        let all = [&good[..], &forged].concat();
        let removes = |trust: Trust, all: &[SnapshotInfo]| {
            let groups =
                plan(&Choice { trust, ..choice(2, "") }, all, i64::MAX / 2_000_000).unwrap();
            let gone = groups.iter().flat_map(Group::removed).map(|info| info.id[..2].to_owned());
            (gone.collect::<Vec<_>>(), groups[0].doubted.len())
        };
        assert_eq!(removes(Trust::Both, &all), (vec![], 3));
        assert_eq!(removes(Trust::Both, &good), (vec![], 0));
        assert_eq!(removes(Trust::Claimed, &all).0, ["01", "02", "03"]);
        // What loses nothing by anybody's times is not held up.
        assert_eq!(removes(Trust::Both, &all[1..3]), (vec![], 0));
    }
}
