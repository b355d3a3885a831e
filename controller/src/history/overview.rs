//! All sessions as one timeline: a span each.

use holdfast_engine::view::catalog::SessionRow;
use holdfast_engine::view::timeline::{Span, SpanKind, Timeline};
use holdfast_engine::{Failure, Outcome};

/// One span a session, oldest first.
#[must_use]
pub fn of(sessions: &[SessionRow]) -> Timeline {
    let mut spans: Vec<Span> = sessions.iter().map(span).collect();
    spans.sort_by_key(|span| span.begin);
    Timeline { spans }
}

fn span(session: &SessionRow) -> Span {
    let failure = || Failure {
        reason: session.phase.into(),
        message: session.error.clone().unwrap_or_else(|| "it did not succeed".into()),
        permanent: true,
    };
    let outcome = session.duration.map(|_| match session.phase {
        "Failed" | "Invalid" => Outcome::Failed(failure()),
        _ => Outcome::Succeeded,
    });
    Span {
        kind: SpanKind::Session,
        name: session.key.to_string(),
        begin: session.created,
        end: session.duration.map(|span| session.created.plus(span)),
        outcome,
        events: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::view::catalog::SessionKind;
    use holdfast_engine::{Group, Key, Millis, Timestamp, Uid};

    use super::*;

    #[test]
    fn sessions_stand_in_the_order_of_time_and_only_failures_fail() {
        let row = |number: u8, phase, duration| SessionRow {
            uid: Uid([number; 16]),
            kind: SessionKind::BackupSession,
            key: Key::new(Group::KubeStash, "demo", format!("s-{number}")),
            of: String::new(),
            session: String::new(),
            trigger: "slot",
            phase,
            created: Timestamp(i64::from(number) * 1_000),
            duration,
            error: None,
        };
        let rows = [
            row(3, "Running", None),
            row(2, "Skipped", Some(Millis(0))),
            row(1, "Failed", Some(Millis(500))),
        ];
        let spans = of(&rows).spans;
        let ends: Vec<Option<i64>> = spans.iter().map(|span| span.end.map(|end| end.0)).collect();
        assert_eq!(ends, [Some(1_500), Some(2_000), None]);
        assert!(matches!(spans[0].outcome, Some(Outcome::Failed(_))));
        assert_eq!(spans[1].outcome, Some(Outcome::Succeeded));
        assert_eq!(spans[2].outcome, None);
    }
}
