//! What a log without HEAD still proves, for people and for programs.

use holdfast_engine::Recorded;
use holdfast_eventlog::{Headless, Tail};
use serde_json::{Value, json};

use super::style::{Style, Tone, safe};

/// What is known, then what is not, then what can be done.
#[must_use]
pub fn text(found: Option<&Headless>, written: bool, style: Style) -> String {
    let Some(found) = found else {
        return format!("{}: HEAD is valid; nothing to repair\n", style.paint(Tone::Good, "ok"));
    };
    let verdict = if written {
        format!("{}: HEAD names event {}", style.paint(Tone::Good, "written"), found.end.seq)
    } else {
        format!("{}: neither slot of HEAD is valid", style.paint(Tone::Bad, "damaged"))
    };
    let mut out = format!("{verdict}\n");
    out.push_str(&match found.end.seq {
        0 => "  no event is left\n".into(),
        last => format!("  events {} to {last} are proven by the chain\n", found.first_seq),
    });
    if let Some(last) = &found.last {
        let says = safe(&event(last));
        out.push_str(&format!("  last event   #{} {:#} {says}\n", last.seq, last.at));
    }
    out.push_str(&format!("  chain value  {}\n", found.end.hash));
    out.push_str(&format!("  behind it    {}\n", tail(found.tail)));
    out.push_str(
        "  not known    whether later events were acknowledged: only HEAD said so. An export that \
         goes further,\n               or a chain value that was noted, would tell\n",
    );
    if !written {
        out.push_str(&match found.tail {
            Tail::Further { .. } => {
                "  to do        import an export (session import); HEAD is not written over a gap\n"
                    .into()
            }
            _ => format!(
                "  to do        stop the operator, keep a copy of the directory, and let the log end at \
                 event {}: --write\n",
                found.end.seq
            ),
        });
    }
    out
}

fn tail(tail: Tail) -> String {
    match tail {
        Tail::Nothing => "nothing".into(),
        Tail::Torn { bytes } => {
            format!("{bytes} bytes that are no whole frame: a torn write, or a damaged last event")
        }
        Tail::Further { seq } => {
            format!("whole frames up to event {seq} that do not continue the chain")
        }
    }
}

/// Its stream and its name, without its fields.
fn event(recorded: &Recorded) -> String {
    let shown = format!("{:?}", recorded.event);
    let name: Vec<&str> = shown.split(['(', ' ', '{', ')']).filter(|s| !s.is_empty()).collect();
    name.iter().take(2).copied().collect::<Vec<_>>().join(" ")
}

/// The same for programs.
#[must_use]
pub fn json(found: Option<&Headless>, written: bool) -> Value {
    let Some(found) = found else { return json!({ "headValid": true, "written": false }) };
    let (torn, further) = match found.tail {
        Tail::Nothing => (None, None),
        Tail::Torn { bytes } => (Some(bytes), None),
        Tail::Further { seq } => (None, Some(seq)),
    };
    json!({
        "headValid": written,
        "written": written,
        "first": found.first_seq,
        "last": found.end.seq,
        "at": format!("{:#}", found.last_at),
        "hash": found.end.hash.to_string(),
        "event": found.last.as_ref().map(event),
        "tornBytes": torn,
        "furtherEvents": further,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, Event, Timestamp, Uid, restore};
    use holdfast_eventlog::{Ledger, Options};

    use super::*;

    fn found(tail: Tail) -> Headless {
        let dir = tempfile::tempdir().unwrap();
        let end = Ledger::open(dir.path(), Options::default()).unwrap().head();
        let uid = Uid::default();
        let event = Event::Restore(restore::Event::Archived { uid });
        let (at, cause) = (Timestamp(5_000), CommandId::default());
        let last = Recorded { seq: 9, at, cause, epoch: 1, event };
        let end = holdfast_eventlog::Position { seq: 9, ..end };
        Headless { first_seq: 1, end, last_at: at, last: Some(last), tail }
    }

    #[test]
    fn it_says_what_is_known_and_what_is_not() {
        let shown = text(Some(&found(Tail::Torn { bytes: 7 })), false, Style::plain());
        for words in [
            "damaged: neither slot of HEAD is valid",
            "events 1 to 9 are proven",
            "#9 1970-01-01T00:00:05.000Z Restore Archived",
            "7 bytes that are no whole frame",
            "not known    whether later events were acknowledged",
            "let the log end at event 9: --write",
        ] {
            assert!(shown.contains(words), "{words:?} is missing in:\n{shown}");
        }
        assert_eq!(json(Some(&found(Tail::Torn { bytes: 7 })), false)["tornBytes"], 7);
    }

    #[test]
    fn a_gap_is_not_offered_to_be_written_over() {
        let shown = text(Some(&found(Tail::Further { seq: 40 })), false, Style::plain());
        assert!(shown.contains("up to event 40") && shown.contains("import an export"), "{shown}");
        assert!(!shown.contains("--write"), "{shown}");
    }

    #[test]
    fn what_is_done_is_not_offered_again() {
        let shown = text(Some(&found(Tail::Nothing)), true, Style::plain());
        assert!(shown.starts_with("written: HEAD names event 9\n"), "{shown}");
        assert!(!shown.contains("--write"), "{shown}");
        assert!(text(None, false, Style::plain()).contains("nothing to repair"));
    }
}
