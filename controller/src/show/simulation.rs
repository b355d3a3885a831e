//! What a policy would do, snapshot by snapshot.

use holdfast_engine::Timestamp;
use holdfast_engine::units::format_size;
use serde_json::{Value, json};

use super::style::{Style, Tone, safe};
use super::table::Table;
use crate::history::simulation::{Group, Simulation};

/// A table for each repository and session name, and the sum.
#[must_use]
pub fn text(simulation: &Simulation, waiting: u64, style: Style) -> String {
    if simulation.groups.is_empty() {
        return "there are no snapshots to judge\n".into();
    }
    let mut out = String::new();
    for group in &simulation.groups {
        let heading = format!("{}, session {}", safe(&group.repository), safe(&group.session));
        out.push_str(&format!("{}\n", style.paint(Tone::Strong, &heading)));
        out.push_str(&table(group).render(style));
        out.push('\n');
    }
    let totals = simulation.totals();
    let (kept, removed) = (totals.kept, totals.removed);
    let removed_word = if removed == 0 { Tone::Good } else { Tone::Warn };
    let verdict = style.paint(removed_word, &format!("{removed} would be removed"));
    out.push_str(&format!("{verdict}, {kept} would stay\n"));
    if removed > 0 {
        let freed = format_size(totals.freed_at_most);
        out.push_str(&format!(
            "at most {freed} would be freed: what newer snapshots share stays\n"
        ));
    }
    if waiting > 0 {
        let waiting = format_size(waiting);
        out.push_str(&format!(
            "at most {waiting} of snapshots removed earlier wait for collection\n"
        ));
    }
    out
}

fn table(group: &Group) -> Table {
    let mut table = Table::new(&["VERDICT", "SNAPSHOT", "TAKEN", "PHASE", "UPLOADED", "WHY"]);
    for judged in &group.snapshots {
        table.row([
            if judged.keep { "keep".into() } else { "remove".into() },
            judged.name.clone(),
            judged.taken.to_string(),
            judged.phase.into(),
            format_size(judged.uploaded),
            judged.why.clone(),
        ]);
    }
    table
}

/// The same for programs.
#[must_use]
pub fn json(simulation: &Simulation, waiting: u64, at: Timestamp) -> Value {
    let groups = simulation.groups.iter().map(|group| {
        let snapshots = group.snapshots.iter().map(|judged| {
            json!({
                "name": judged.name,
                "uid": judged.uid.to_string(),
                "taken": judged.taken.to_string(),
                "phase": judged.phase,
                "keep": judged.keep,
                "why": judged.why,
                "uploadedBytes": judged.uploaded,
            })
        });
        json!({
            "repository": group.repository,
            "session": group.session,
            "snapshots": snapshots.collect::<Value>(),
        })
    });
    let totals = simulation.totals();
    json!({
        "at": at.to_string(),
        "groups": groups.collect::<Value>(),
        "kept": totals.kept,
        "removed": totals.removed,
        "freedBytesAtMost": totals.freed_at_most,
        "waitingBytesAtMost": waiting,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Uid;

    use super::*;
    use crate::history::simulation::Judged;

    fn judged(number: u8, keep: bool) -> Judged {
        Judged {
            uid: Uid([number; 16]),
            name: format!("s-{number}"),
            taken: Timestamp(i64::from(number) * 1_000),
            phase: "Succeeded",
            keep,
            why: if keep { "last".into() } else { "no class asks for it".into() },
            uploaded: 2_048,
        }
    }

    #[test]
    fn each_snapshot_has_its_verdict_and_what_is_freed_is_a_bound() {
        let snapshots = vec![judged(2, true), judged(1, false)];
        let group = Group { repository: "demo/repo".into(), session: "daily".into(), snapshots };
        let simulation = Simulation { groups: vec![group] };
        let expected = "\
demo/repo, session daily
VERDICT   SNAPSHOT   TAKEN                  PHASE       UPLOADED    WHY
keep      s-2        1970-01-01T00:00:02Z   Succeeded   2.000 KiB   last
remove    s-1        1970-01-01T00:00:01Z   Succeeded   2.000 KiB   no class asks for it

1 would be removed, 1 would stay
at most 2.000 KiB would be freed: what newer snapshots share stays
at most 1024 B of snapshots removed earlier wait for collection
";
        assert_eq!(text(&simulation, 1_024, Style::plain()), expected);
        assert_eq!(json(&simulation, 0, Timestamp(0))["freedBytesAtMost"], 2_048);
    }

    #[test]
    fn nothing_to_judge_says_so() {
        let text = text(&Simulation::default(), 0, Style::plain());
        assert_eq!(text, "there are no snapshots to judge\n");
    }
}
