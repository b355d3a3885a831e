//! What an audit found, for people and for programs.

use holdfast_eventlog::audit::Report;
use serde_json::{Value, json};

use super::style::{Style, Tone, safe};

/// The verdict first, then what is wrong, then what can be compared with other copies.
#[must_use]
pub fn text(report: &Report, style: Style) -> String {
    let range = match report.events {
        0 => "no events".into(),
        _ => format!("events {} to {}", report.first, report.last),
    };
    let mut out = if report.is_clean() {
        format!("{}: {range} are as they were written\n", style.paint(Tone::Good, "ok"))
    } else {
        let found = report.findings.len();
        let things = if found == 1 { "finding" } else { "findings" };
        format!("{}: {found} {things}; {range} were read\n", style.paint(Tone::Bad, "damaged"))
    };
    for finding in &report.findings {
        out.push_str(&format!("  {}\n", safe(&finding.to_string())));
    }
    out.push_str(&format!("  chain value  {}\n", report.hash));
    if let Some(state) = &report.state {
        out.push_str(&format!("  state hash   {state}\n"));
    }
    out
}

/// The same for programs.
#[must_use]
pub fn json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({ "seq": finding.seq, "check": finding.check.to_string(), "what": finding.what })
        })
        .collect();
    json!({
        "clean": report.is_clean(),
        "first": report.first,
        "last": report.last,
        "events": report.events,
        "hash": report.hash.to_string(),
        "state": report.state.map(|hash| hash.to_string()),
        "findings": findings,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Hash;
    use holdfast_eventlog::audit::{Check, Finding};

    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        let hash = Hash([0xab; 32]);
        Report { events: 9, first: 1, last: 9, hash, state: Some(hash), findings }
    }

    #[test]
    fn the_event_is_named() {
        let what = "the frame does not continue\x1b[2J the chain".to_owned();
        let damaged = report(vec![Finding { seq: 9, check: Check::Chain, what }]);
        let shown = text(&damaged, Style::plain());
        assert!(
            shown.starts_with("damaged: 1 finding; events 1 to 9 were read\n  event 9: chain: ")
        );
        assert!(!shown.contains('\x1b'));
        assert_eq!(json(&damaged)["findings"][0]["seq"], 9);
    }

    #[test]
    fn a_clean_log_says_what_can_be_compared() {
        let shown = text(&report(Vec::new()), Style::plain());
        assert!(shown.starts_with("ok: events 1 to 9 are as they were written\n"));
        assert!(shown.contains(&format!("chain value  {}", "ab".repeat(32))));
    }
}
