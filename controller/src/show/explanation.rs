//! Why something is what it is: the events behind it, numbered as in the log.

use holdfast_engine::explain::{Explanation, Step};
use serde_json::{Value, json};

use super::style::{Style, Tone, safe, tone_of};

/// The first cause in full, the others as alternatives.
#[must_use]
pub fn text(name: &str, explanation: &Explanation, style: Style) -> String {
    let word = explanation.what.rsplit('=').next().unwrap_or_default();
    let what = style.paint(tone_of(word), &explanation.what);
    let mut out = format!("{} is {what}", safe(name));
    let mut causes = explanation.causes.iter();
    match causes.next() {
        Some(cause) if !cause.is_empty() => {
            let events = if cause.len() == 1 { "this event" } else { "these events" };
            out.push_str(&format!(" because of {events}:\n"));
            steps(&mut out, cause, style);
        }
        _ => out.push_str(": nothing has happened that would make it anything else\n"),
    }
    for cause in causes {
        let instead = style.paint(Tone::Strong, "these alone would have been enough too:");
        out.push_str(&format!("{instead}\n"));
        steps(&mut out, cause, style);
    }
    if !explanation.complete {
        out.push_str("the search was cut short: there may be more, or shorter, explanations\n");
    }
    out
}

fn steps(out: &mut String, cause: &[Step], style: Style) {
    let width = cause.iter().map(|step| step.seq.to_string().len()).max().unwrap_or(0);
    for step in cause {
        let at = style.paint(Tone::Dim, &format!("{:#}", step.at));
        out.push_str(&format!("  #{:<width$}  {at}  {}\n", step.seq, safe(&step.says)));
    }
}

/// The same for programs.
#[must_use]
pub fn json(explanation: &Explanation) -> Value {
    let cause = |cause: &Vec<Step>| -> Value {
        let step = |step: &Step| json!({ "seq": step.seq, "at": format!("{:#}", step.at), "says": step.says });
        cause.iter().map(step).collect()
    };
    json!({
        "what": explanation.what,
        "causes": explanation.causes.iter().map(cause).collect::<Value>(),
        "complete": explanation.complete,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Timestamp;

    use super::*;

    fn step(seq: u64, says: &str) -> Step {
        Step { seq, at: Timestamp(1_500), says: says.into() }
    }

    #[test]
    fn the_first_cause_and_the_alternatives() {
        let causes =
            vec![vec![step(9, "a hook failed"), step(12, "it ended")], vec![step(10, "no worker")]];
        let failed = Explanation { what: "Failed".into(), causes, complete: false };
        let expected = "\
nightly is Failed because of these events:
  #9   1970-01-01T00:00:01.500Z  a hook failed
  #12  1970-01-01T00:00:01.500Z  it ended
these alone would have been enough too:
  #10  1970-01-01T00:00:01.500Z  no worker
the search was cut short: there may be more, or shorter, explanations
";
        assert_eq!(text("nightly", &failed, Style::plain()), expected);
        assert_eq!(json(&failed)["causes"][1][0]["seq"], 10);
    }

    #[test]
    fn a_phase_that_needs_no_event_says_so() {
        let pending =
            Explanation { what: "Pending".into(), causes: vec![Vec::new()], complete: true };
        let shown = text("new", &pending, Style::plain());
        assert!(shown.starts_with("new is Pending: nothing has happened"), "{shown}");
        assert_eq!(shown.lines().count(), 1);
    }
}
