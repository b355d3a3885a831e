//! Sessions as a table.

use holdfast_engine::Uid;
use holdfast_engine::view::catalog::SessionRow;
use holdfast_engine::view::fold::History;
use serde_json::{Value, json};

use super::style::Style;
use super::table::Table;
use crate::history::name::{kind, qualified};

/// One line a session; the last column only when something is wrong somewhere.
#[must_use]
pub fn table(history: &History, rows: &[SessionRow], style: Style) -> String {
    if rows.is_empty() {
        return "no sessions yet\n".into();
    }
    let mut header = vec!["NAMESPACE", "NAME", "KIND", "PHASE", "DURATION", "CREATED", "SNAPSHOTS"];
    if rows.iter().any(|row| row.error.is_some()) {
        header.push("ERROR");
    }
    let mut table = Table::new(&header);
    for row in rows {
        let made = snapshots(history, row.uid);
        let cells = [
            row.key.namespace.clone(),
            row.key.name.clone(),
            qualified(row),
            row.phase.into(),
            row.duration.map_or_else(|| "-".into(), |span| span.whole_seconds().to_string()),
            row.created.to_string(),
            if made > 0 { made.to_string() } else { "-".into() },
            row.error.clone().unwrap_or_default(),
        ];
        table.row(cells.into_iter().take(header.len()));
    }
    table.render(style)
}

/// Snapshots that a session made, forgotten ones too.
fn snapshots(history: &History, session: Uid) -> usize {
    history.state.backups.get(&session).map_or(0, |backup| backup.snapshots.len())
}

/// The same for programs.
#[must_use]
pub fn json(history: &History, rows: &[SessionRow]) -> Value {
    let entries = rows.iter().map(|row| {
        json!({
            "kind": kind(row.kind),
            "group": row.key.group.as_str(),
            "namespace": row.key.namespace,
            "name": row.key.name,
            "uid": row.uid.to_string(),
            "of": row.of,
            "session": row.session,
            "trigger": row.trigger,
            "phase": row.phase,
            "created": format!("{:#}", row.created),
            "durationMs": row.duration.map(|span| span.0),
            "snapshots": snapshots(history, row.uid),
            "archived": history.archived.contains_key(&row.uid),
            "error": row.error,
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use holdfast_engine::view::catalog::SessionKind;
    use holdfast_engine::{Group, Key, Millis, Timestamp};

    use super::*;

    fn ended() -> SessionRow {
        SessionRow {
            uid: Uid([1; 16]),
            kind: SessionKind::BackupSession,
            key: Key::new(Group::KubeStash, "demo", "nightly"),
            of: "app".into(),
            session: "nightly".into(),
            trigger: "slot",
            phase: "Succeeded",
            created: Timestamp(0),
            duration: Some(Millis(61_400)),
            error: None,
        }
    }

    #[test]
    fn a_line_says_how_it_went_and_a_running_one_has_no_duration() {
        let kind = SessionKind::RestoreSession;
        let running = SessionRow { kind, phase: "Running", duration: None, ..ended() };
        let text = table(&History::default(), &[ended(), running], Style::plain());
        let expected = "\
NAMESPACE   NAME      KIND             PHASE       DURATION   CREATED                SNAPSHOTS
demo        nightly   BackupSession    Succeeded   1m1s       1970-01-01T00:00:00Z   -
demo        nightly   RestoreSession   Running     -          1970-01-01T00:00:00Z   -
";
        assert_eq!(text, expected);
        assert_eq!(json(&History::default(), &[ended()])[0]["durationMs"], 61_400);
    }

    #[test]
    fn an_error_gets_a_column_and_an_empty_log_says_so() {
        let error = Some("1 entry could not be read: /data/a".into());
        let failed = SessionRow { phase: "Failed", error, ..ended() };
        let text = table(&History::default(), &[failed], Style::plain());
        assert!(text.lines().next().unwrap().ends_with("   ERROR"));
        assert!(text.ends_with("1 entry could not be read: /data/a\n"));
        assert_eq!(table(&History::default(), &[], Style::plain()), "no sessions yet\n");
    }
}
