//! Options that say what stays, with restic's names and meaning.

use clap::Args;
use jiff::tz::TimeZone;

use super::choose::Choose;
use crate::keep::{Choice, Count, GroupBy, Rules, Span, Trust};
use crate::repository::choosing_tags;

/// The rules.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
pub struct Keep {
    /// Keep the newest N. N may be `unlimited`, here and below.
    #[arg(long, short = 'l', value_name = "N", allow_negative_numbers = true)]
    keep_last: Option<Count>,
    /// Keep the newest of each of the newest N hours that have one.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_hourly: Option<Count>,
    /// The same for days.
    #[arg(long, short = 'd', value_name = "N", allow_negative_numbers = true)]
    keep_daily: Option<Count>,
    /// The same for ISO weeks.
    #[arg(long, short = 'w', value_name = "N", allow_negative_numbers = true)]
    keep_weekly: Option<Count>,
    /// The same for months.
    #[arg(long, short = 'm', value_name = "N", allow_negative_numbers = true)]
    keep_monthly: Option<Count>,
    /// The same for years.
    #[arg(long, short = 'y', value_name = "N", allow_negative_numbers = true)]
    keep_yearly: Option<Count>,
    /// Keep all that are younger than SPAN, such as 1y6m or 30d12h, counted from the newest.
    #[arg(long, value_name = "SPAN")]
    keep_within: Option<Span>,
    /// Keep the newest of each hour within SPAN.
    #[arg(long, value_name = "SPAN")]
    keep_within_hourly: Option<Span>,
    /// The same for days.
    #[arg(long, value_name = "SPAN")]
    keep_within_daily: Option<Span>,
    /// The same for weeks.
    #[arg(long, value_name = "SPAN")]
    keep_within_weekly: Option<Span>,
    /// The same for months.
    #[arg(long, value_name = "SPAN")]
    keep_within_monthly: Option<Span>,
    /// The same for years.
    #[arg(long, value_name = "SPAN")]
    keep_within_yearly: Option<Span>,
    /// Keep those with all of these tags. Can be repeated.
    #[arg(long, value_name = "TAG[,TAG…]", value_parser = choosing_tags)]
    keep_tag: Vec<Vec<String>>,
    /// Judge snapshots together that share these: host, paths, tags.
    #[arg(long, short = 'g', value_name = "LIST", default_value = "host,paths")]
    group_by: GroupBy,
    /// Whose hours and days count, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: TimeZone,
    /// Whose times count: those that snapshots claim, as long as they are within a day of when the store got them; or
    /// either of the two alone. A copy of a repository has new times: there `claimed` is right.
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t)]
    trust_times: Trust,
    /// Let a group lose all its snapshots.
    #[arg(long)]
    unsafe_allow_remove_all: bool,
}

impl Keep {
    /// The rules as values.
    #[must_use]
    pub fn choice(&self, choose: &Choose) -> Choice {
        let newest = [
            self.keep_hourly,
            self.keep_daily,
            self.keep_weekly,
            self.keep_monthly,
            self.keep_yearly,
        ];
        let newest_within = [
            self.keep_within_hourly,
            self.keep_within_daily,
            self.keep_within_weekly,
            self.keep_within_monthly,
            self.keep_within_yearly,
        ];
        let (last, within) = (self.keep_last, self.keep_within);
        let tags = self.keep_tag.clone();
        Choice {
            rules: Rules { last, newest, within, newest_within, tags },
            group_by: self.group_by,
            zone: self.time_zone.clone(),
            allow_remove_all: self.unsafe_allow_remove_all,
            filtered: !choose.filter().is_empty(),
            trust: self.trust_times,
        }
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "give a name such as UTC or Europe/Berlin".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use holdfast_executor::digest::SnapshotName;
    use holdfast_executor::repo::describe;
    use holdfast_executor::report::SnapshotInfo;
    use holdfast_executor::snapshot::Snapshot;
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::keep::judge;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        keep: Keep,
    }

    /// What restic keeps was recorded from `restic forget --dry-run --json`, version 0.19, in UTC.
    #[test]
    fn the_rules_are_restics() {
        let golden = include_str!("../../../tests/golden/restic-forget.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let infos: Vec<SnapshotInfo> = golden["snapshots"]
            .as_array()
            .unwrap()
            .iter()
            .zip(0u8..)
            .map(|(one, number)| {
                let tags = one["tags"].as_array().unwrap().iter();
                let snapshot = Snapshot {
                    started_ms: one["at"].as_i64().unwrap() * 1_000,
                    tags: tags.map(|tag| tag.as_str().unwrap().to_owned()).collect(),
                    ..Snapshot::default()
                };
                describe(&SnapshotName([number; 16]), &snapshot)
            })
            .collect();
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let cases = golden["cases"].as_array().unwrap();
        for case in cases {
            let flags = case["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
            let keep = Line::parse_from(["forget"].into_iter().chain(flags)).keep;
            let verdicts =
                judge(&keep.choice(&Choose::default()).rules, &infos, now, &TimeZone::UTC);
            let mut kept: Vec<usize> = verdicts
                .iter()
                .filter(|verdict| !verdict.reasons.is_empty())
                .map(|verdict| infos.iter().position(|info| info.id == verdict.info.id).unwrap())
                .collect();
            kept.sort_unstable();
            let wanted: Vec<usize> = case["keep"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_u64().unwrap() as usize)
                .collect();
            assert_eq!(kept, wanted, "{}", case["flags"]);
        }
        assert_eq!(cases.len(), 68);
    }
}
