//! Why a session has its phase.

use holdfast_engine::explain::Explanation;
use holdfast_http::page::{Body, Section};

pub(super) fn section(explanation: &Explanation) -> Section {
    let heading = format!("Why {}", explanation.what);
    let cause = explanation.causes.first().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<String>> = cause
        .iter()
        .map(|step| vec![format!("#{}", step.seq), format!("{:#}", step.at), step.says.clone()])
        .collect();
    if rows.is_empty() {
        let why = "nothing has happened that would make it anything else".into();
        return Section::new(&heading, String::new(), Body::Empty(why));
    }
    let header = vec!["event".into(), "decided".into(), "what it says".into()];
    let mut intro = String::from("The fewest events from which this follows.");
    let others = explanation.causes.len() - 1;
    if others > 0 {
        intro.push_str(&format!(" {others} others would have been enough too."));
    }
    Section::new(&heading, intro, Body::Table { header, rows })
}
