//! The engine's read models as pages.

mod calendar;
mod facts;
mod gantt;
mod reasons;
mod sessions;
mod size;

use holdfast_engine::retention::period::PeriodError;
use holdfast_engine::view::catalog::SessionRow;
use holdfast_engine::view::fold::History;
use holdfast_engine::view::timeline::Timeline;
use holdfast_engine::{State, explain};
use holdfast_http::page::Page;

use crate::history::name::kind;
use crate::history::simulation;

/// What the page's timeline is of.
pub struct Drawn<'a> {
    /// The session; absent: all of them.
    pub session: Option<&'a SessionRow>,
    /// Its spans.
    pub timeline: Timeline,
    /// Why it has its phase.
    pub why: Option<explain::Explanation>,
}

/// A log on one page: the timeline, the snapshots and what retention would remove, the repositories'
/// sizes, the sessions. It shows the log's own last instant, so that it can be made again.
///
/// # Errors
/// [`PeriodError`] when the period of a policy in force cannot be read.
pub fn history(
    history: &History,
    sessions: &[SessionRow],
    drawn: &Drawn<'_>,
) -> Result<Page, PeriodError> {
    let state = &history.state;
    let simulation = simulation::in_force(&live(history), state.last_at)?;
    let mut sections = vec![gantt::section(&drawn.timeline, drawn.session.is_some())];
    sections.extend(drawn.why.as_ref().map(reasons::section));
    sections.push(calendar::section(history, &simulation));
    sections.extend(size::sections(state));
    sections.push(sessions::section(sessions));
    let (title, subtitle) = titles(drawn, history);
    Ok(Page { title, subtitle, facts: facts::of(history, sessions, &simulation), sections })
}

fn titles(drawn: &Drawn<'_>, history: &History) -> (String, String) {
    let log = format!("the log up to event {}, {}", history.state.seq, history.state.last_at);
    match drawn.session {
        None => ("Backups and restores".into(), format!("From {log}.")),
        Some(session) => {
            let how = match session.duration {
                Some(span) => format!("{} after {}", session.phase, span.whole_seconds()),
                None => session.phase.into(),
            };
            let kind = kind(session.kind);
            (session.key.to_string(), format!("{kind}, {how}. From {log}."))
        }
    }
}

/// The state without the snapshots that are gone.
fn live(history: &History) -> State {
    let mut state = history.state.clone();
    state.snapshots.retain(|uid, _| !history.forgotten.contains_key(uid));
    state
}
