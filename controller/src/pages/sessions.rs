//! All sessions, newest first.

use holdfast_engine::view::catalog::SessionRow;
use holdfast_http::page::{Body, Section};

use crate::history::name::qualified;

pub(super) fn section(sessions: &[SessionRow]) -> Section {
    if sessions.is_empty() {
        return Section::new("Sessions", String::new(), Body::Empty("no sessions yet".into()));
    }
    let header =
        ["namespace", "name", "kind", "of", "trigger", "phase", "took", "created", "error"];
    let rows = sessions.iter().map(|session| {
        vec![
            session.key.namespace.clone(),
            session.key.name.clone(),
            qualified(session),
            session.of.clone(),
            session.trigger.into(),
            session.phase.into(),
            session.duration.map(|span| span.whole_seconds().to_string()).unwrap_or_default(),
            session.created.to_string(),
            session.error.clone().unwrap_or_default(),
        ]
    });
    let body = Body::Table { header: header.map(String::from).to_vec(), rows: rows.collect() };
    Section::new("Sessions", "Newest first, archived ones too.".into(), body)
}
