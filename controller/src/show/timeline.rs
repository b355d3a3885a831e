//! A session's spans on the terminal, and for programs.

use holdfast_engine::view::timeline::{Span, SpanKind, Timeline};
use holdfast_engine::{Millis, Outcome};
use serde_json::{Value, json};

use super::chart::{self, Lane};
use super::style::{Style, Tone, safe};

/// Columns where nobody says how wide the terminal is.
const COLUMNS: usize = 100;

/// How far a lane is indented: the session, what it does, and what that is made of.
#[must_use]
pub fn depth(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Session => 0,
        SpanKind::Queue
        | SpanKind::Survey
        | SpanKind::Hook
        | SpanKind::Component
        | SpanKind::Retention => 1,
        SpanKind::Upload => 2,
    }
}

/// What a reader sees beside a span: how long it took.
#[must_use]
pub fn note(span: &Span) -> String {
    match span.end {
        Some(end) => short(end.since(span.begin)),
        None => "goes on".into(),
    }
}

/// Why a span failed.
#[must_use]
pub fn failure(span: &Span) -> Option<String> {
    match &span.outcome {
        Some(Outcome::Failed(failure)) => Some(format!("{}: {}", failure.reason, failure.message)),
        Some(Outcome::Succeeded) | None => None,
    }
}

/// A span of time in three digits: `340ms`, `7.2s`, `3m20s`.
#[must_use]
pub fn short(span: Millis) -> String {
    match span.0 {
        0..1_000 => format!("{}ms", span.0),
        1_000..60_000 => format!("{}.{}s", span.0 / 1_000, span.0 % 1_000 / 100),
        _ => span.whole_seconds().to_string(),
    }
}

fn tone(span: &Span) -> Tone {
    match (&span.outcome, span.end, span.kind) {
        (Some(Outcome::Failed(_)), ..) => Tone::Bad,
        (_, None, _) => Tone::Active,
        (_, _, SpanKind::Queue) => Tone::Warn,
        _ => Tone::Good,
    }
}

/// The chart, as wide as the terminal.
#[must_use]
pub fn text(timeline: &Timeline, style: Style) -> String {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let spans = nested(timeline);
    let mut out = chart::render(&lanes(&spans), columns.unwrap_or(COLUMNS), style);
    for (name, why) in failures(&spans) {
        let word = style.paint(Tone::Bad, "failed");
        out.push_str(&format!("{word}  {}: {}\n", safe(name), safe(&why)));
    }
    out
}

/// The spans in the order of their begin, but each upload below its component.
#[must_use]
pub fn nested(timeline: &Timeline) -> Vec<&Span> {
    let (uploads, others): (Vec<&Span>, Vec<&Span>) =
        timeline.spans.iter().partition(|span| span.kind == SpanKind::Upload);
    let mut nested = Vec::new();
    let mut left = uploads;
    for span in others {
        nested.push(span);
        if span.kind == SpanKind::Component {
            let component = span.name.split(", attempt ").next().unwrap_or_default();
            let prefix = format!("{component} to ");
            let (mine, rest) = left.into_iter().partition(|span| span.name.starts_with(&prefix));
            nested.extend::<Vec<&Span>>(mine);
            left = rest;
        }
    }
    nested.extend(left);
    nested
}

/// Each failure once, where it arose: a session fails because of its parts.
fn failures<'s>(spans: &[&'s Span]) -> Vec<(&'s str, String)> {
    let mut failures: Vec<(&str, String)> = Vec::new();
    let parts = spans.iter().any(|s| s.kind != SpanKind::Session && failure(s).is_some());
    for span in spans.iter().filter(|span| !parts || span.kind != SpanKind::Session) {
        if let Some(why) = failure(span)
            && failures.iter().all(|(_, known)| *known != why)
        {
            failures.push((&span.name, why));
        }
    }
    failures
}

fn lanes(spans: &[&Span]) -> Vec<Lane> {
    let lanes = spans.iter().map(|span| Lane {
        name: span.name.clone(),
        depth: usize::from(depth(span.kind)),
        spans: vec![(span.begin.0, span.end.map(|end| end.0), tone(span))],
        note: note(span),
    });
    lanes.collect()
}

/// The same for programs.
#[must_use]
pub fn json(timeline: &Timeline) -> Value {
    let spans = timeline.spans.iter().map(|span| {
        json!({
            "kind": format!("{:?}", span.kind),
            "name": span.name,
            "begin": format!("{:#}", span.begin),
            "end": span.end.map(|end| format!("{end:#}")),
            "outcome": span.outcome.as_ref().map(|outcome| match outcome {
                Outcome::Succeeded => json!({ "succeeded": true }),
                Outcome::Failed(failure) => json!({
                    "succeeded": false,
                    "reason": failure.reason,
                    "message": failure.message,
                }),
            }),
            "events": span.events,
        })
    });
    spans.collect()
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Failure, Timestamp};

    use super::*;

    fn span(kind: SpanKind, name: &str, end: Option<i64>, outcome: Option<Outcome>) -> Span {
        let end = end.map(Timestamp);
        Span { kind, name: name.into(), begin: Timestamp(0), end, outcome, events: vec![1] }
    }

    #[test]
    fn what_failed_says_why_and_what_goes_on_says_so() {
        let failure = Failure { reason: "Source".into(), message: "gone".into(), permanent: true };
        let spans = vec![
            span(SpanKind::Session, "nightly", None, None),
            span(SpanKind::Component, "pod-0", Some(7_250), Some(Outcome::Failed(failure))),
            span(SpanKind::Upload, "pod-0 to repo", Some(200_000), Some(Outcome::Succeeded)),
        ];
        let text = text(&Timeline { spans }, Style::plain());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("nightly ") && lines[0].ends_with(" goes on"));
        assert!(lines[1].starts_with("  pod-0 ") && lines[1].ends_with(" 7.2s"));
        assert!(lines[2].starts_with("    pod-0 to repo ") && lines[2].ends_with(" 3m20s"));
        assert_eq!(lines[3], "failed  pod-0: Source: gone");
    }

    #[test]
    fn uploads_stand_below_their_component_and_a_failure_is_told_once() {
        let failed = || {
            let message = "the disk says no".into();
            Some(Outcome::Failed(Failure { reason: "Read".into(), message, permanent: true }))
        };
        let spans = vec![
            span(SpanKind::Session, "nightly", Some(9), failed()),
            span(SpanKind::Upload, "pod-1 to repo", Some(9), failed()),
            span(SpanKind::Upload, "pod-10 to repo", Some(9), None),
            span(SpanKind::Component, "pod-10", Some(9), None),
            span(SpanKind::Component, "pod-1, attempt 2", Some(9), failed()),
        ];
        let timeline = Timeline { spans };
        let nested = nested(&timeline);
        let names: Vec<&str> = nested.iter().map(|span| span.name.as_str()).collect();
        let expected = ["nightly", "pod-10", "pod-10 to repo", "pod-1, attempt 2", "pod-1 to repo"];
        assert_eq!(names, expected);
        let told = failures(&nested);
        assert_eq!(told, [("pod-1, attempt 2", "Read: the disk says no".to_owned())]);
    }

    #[test]
    fn three_digits_are_enough() {
        let cases = [(0, "0ms"), (999, "999ms"), (1_000, "1.0s"), (59_999, "59.9s")];
        for (millis, text) in cases {
            assert_eq!(short(Millis(millis)), text);
        }
        assert_eq!(short(Millis(3_600_000)), "1h0m0s");
    }
}
