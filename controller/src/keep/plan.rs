//! From snapshots and rules to what stays and what goes.

use holdfast_executor::report::SnapshotInfo;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::group::{GroupBy, Key};
use super::{Rules, Verdict, judge};

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
}

impl Choice {
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
            let mut verdicts = judge(&choice.rules, &snapshots, now, &choice.zone);
            if choice.rules.is_empty() {
                verdicts.iter_mut().for_each(|verdict| verdict.reasons.clear());
            }
            let stays = verdicts.iter().any(|verdict| !verdict.reasons.is_empty());
            if !stays && !choice.allow_remove_all {
                let (group, count) = (key.to_string(), verdicts.len());
                return Err(PlanError::WholeGroup { group, count });
            }
            Ok(Group { key, verdicts })
        })
        .collect()
}

impl Group {
    /// Snapshots that were named to go.
    #[must_use]
    pub fn named(snapshots: Vec<SnapshotInfo>) -> Vec<Self> {
        let gone = |info| Verdict { info, reasons: Vec::new() };
        let verdicts = snapshots.into_iter().rev().map(gone).collect();
        vec![Self { key: Key::default(), verdicts }]
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
}
