//! Spans as lanes.

use holdfast_engine::Outcome;
use holdfast_engine::view::timeline::{Span, SpanKind, Timeline};
use holdfast_http::page::gantt::{self, Chart, Lane, Tone};
use holdfast_http::page::{Body, Section};

use crate::show::timeline::{depth, failure, nested, note};

/// Lanes that a reader can still take in; of more the newest are drawn.
const LANES: usize = 120;

pub(super) fn section(timeline: &Timeline, single: bool) -> Section {
    let left_out = if single { 0 } else { timeline.spans.len().saturating_sub(LANES) };
    let lanes = nested(timeline).into_iter().skip(left_out).map(lane).collect();
    let mut intro = String::from(if single {
        "What ran when. Point at a bar for its times, its result and the events that say so."
    } else {
        "One bar a session. Point at it for its times and its result."
    });
    if left_out > 0 {
        intro.push_str(&format!(" {left_out} older sessions are only in the table below."));
    }
    Section::new("Timeline", intro, Body::Gantt(Chart { lanes }))
}

fn lane(span: &Span) -> Lane {
    let mut title = format!("{}: {}, from {:#}", span.name, note(span), span.begin);
    if let Some(end) = span.end {
        title.push_str(&format!(" to {end:#}"));
    }
    if let Some(why) = failure(span) {
        title.push_str(&format!(". {why}"));
    }
    if !span.events.is_empty() {
        let events: Vec<String> = span.events.iter().map(|seq| format!("#{seq}")).collect();
        title.push_str(&format!(" ({})", events.join(", ")));
    }
    Lane {
        name: span.name.clone(),
        depth: depth(span.kind),
        note: note(span),
        spans: vec![gantt::Span {
            begin: span.begin.0,
            end: span.end.map(|end| end.0),
            tone: tone(span),
            title,
        }],
    }
}

fn tone(span: &Span) -> Tone {
    match (&span.outcome, span.end, span.kind) {
        (Some(Outcome::Failed(_)), ..) => Tone::Bad,
        (_, None, _) => Tone::Running,
        (_, _, SpanKind::Queue) => Tone::Waiting,
        _ => Tone::Good,
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::Timestamp;

    use super::*;

    fn session(number: i64) -> Span {
        Span {
            kind: SpanKind::Session,
            name: format!("s-{number}"),
            begin: Timestamp(number),
            end: Some(Timestamp(number + 5)),
            outcome: Some(Outcome::Succeeded),
            events: vec![1, 7],
        }
    }

    #[test]
    fn a_bar_tells_its_events() {
        let section = section(&Timeline { spans: vec![session(0)] }, true);
        let Body::Gantt(Chart { lanes }) = section.body else { panic!("not a chart") };
        assert!(lanes[0].spans[0].title.ends_with("(#1, #7)"), "{}", lanes[0].spans[0].title);
    }

    #[test]
    fn of_very_many_sessions_the_newest_are_drawn() {
        let spans = (0..130).map(session).collect();
        let section = section(&Timeline { spans }, false);
        let Body::Gantt(Chart { lanes }) = section.body else { panic!("not a chart") };
        assert_eq!((lanes.len(), lanes[0].name.as_str()), (LANES, "s-10"));
        assert!(section.intro.contains("10 older sessions"));
    }
}
