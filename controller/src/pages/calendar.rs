//! Snapshots on a calendar: what there is, and what the policies in force would remove.

use std::collections::BTreeMap;

use holdfast_engine::snapshot::phase::{Phase, phase};
use holdfast_engine::snapshot::state::Snapshot;
use holdfast_engine::view::fold::History;
use holdfast_http::page::calendar::{Calendar, Day, Month};
use holdfast_http::page::gantt::Tone;
use holdfast_http::page::{Body, Section};

use crate::history::simulation::Simulation;

/// Months that fit on a page; older ones are in the table of sessions.
const MONTHS: usize = 24;

/// Marks by day of the month.
type Days = BTreeMap<u8, Vec<(Tone, String)>>;

pub(super) fn section(history: &History, simulation: &Simulation) -> Section {
    let mut marks: BTreeMap<(i64, u8), Days> = BTreeMap::new();
    let mut snapshots: Vec<&Snapshot> = history.state.snapshots.values().collect();
    snapshots.sort_by_key(|snapshot| (snapshot.taken, snapshot.uid));
    for snapshot in snapshots {
        let at = snapshot.taken.civil();
        let days = marks.entry((at.year, at.month)).or_default();
        days.entry(at.day).or_default().push(mark(history, simulation, snapshot));
    }
    let months = between(marks.keys().next(), marks.keys().next_back());
    let left_out = months.len().saturating_sub(MONTHS);
    let months = months.into_iter().skip(left_out).filter_map(|(year, month)| {
        let days = marks.remove(&(year, month)).unwrap_or_default();
        self::month(year, month, days)
    });
    let calendar = Calendar { months: months.collect() };
    let totals = simulation.totals();
    let intro = match totals.removed {
        0 => "The policies in force would keep all of them now.".to_owned(),
        1 => "The policies in force would remove one of them now.".to_owned(),
        more => format!("The policies in force would remove {more} of them now."),
    };
    Section::new("Snapshots", format!("Days are UTC. {intro}"), Body::Calendar(calendar))
}

fn mark(history: &History, simulation: &Simulation, snapshot: &Snapshot) -> (Tone, String) {
    let (name, phase) = (&snapshot.key.name, phase(snapshot));
    let about = format!("{name}, {}, {}", snapshot.taken, phase.as_str());
    if let Some(gone) = history.forgotten.get(&snapshot.uid) {
        return (Tone::Waiting, format!("{about}, removed {gone}"));
    }
    let verdict = simulation.of(snapshot.uid);
    let (keep, why) = match verdict {
        Some(judged) => (judged.keep, judged.why.as_str()),
        None => (true, "no policy"),
    };
    let tone = match (keep, phase) {
        (false, _) => Tone::Skipped,
        (true, Phase::Failed) => Tone::Bad,
        (true, Phase::Succeeded) => Tone::Good,
        (true, Phase::Pending | Phase::Running) => Tone::Running,
    };
    (tone, format!("{about}, {}: {why}", if keep { "stays" } else { "would be removed" }))
}

/// The months from the first to the last, both inclusive.
fn between(first: Option<&(i64, u8)>, last: Option<&(i64, u8)>) -> Vec<(i64, u8)> {
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let next = |(year, month): &(i64, u8)| {
        Some(if *month == 12 { (year + 1, 1) } else { (*year, month + 1) })
    };
    std::iter::successors(Some(*first), next).take_while(|month| month <= last).collect()
}

/// None for a year that no calendar has.
fn month(year: i64, month: u8, mut marks: Days) -> Option<Month> {
    let (short, number) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?);
    let first = jiff::civil::Date::new(short, number, 1).ok()?;
    let days = 1..=u8::try_from(first.days_in_month()).ok()?;
    Some(Month {
        name: format!("{year:04}-{month:02}"),
        first_weekday: u32::try_from(first.weekday().to_monday_zero_offset()).ok()?,
        days: days.map(|day| Day { marks: marks.remove(&day).unwrap_or_default() }).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_without_snapshots_stand_between_those_with() {
        assert_eq!(
            between(Some(&(2025, 11)), Some(&(2026, 2))),
            [(2025, 11), (2025, 12), (2026, 1), (2026, 2)]
        );
        assert!(between(None, None).is_empty());
    }

    #[test]
    fn a_month_has_its_days_and_begins_on_its_weekday() {
        let marks = BTreeMap::from([(29, vec![(Tone::Good, "s".to_owned())])]);
        let february = month(2028, 2, marks).unwrap();
        assert_eq!((february.days.len(), february.first_weekday), (29, 1), "a Tuesday");
        assert_eq!(february.days[28].marks.len(), 1);
    }
}
