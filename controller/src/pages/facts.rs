//! The numbers at the head of the page.

use holdfast_engine::units::format_size;
use holdfast_engine::view::catalog::{self, SessionRow};
use holdfast_engine::view::fold::History;

use crate::history::simulation::{self, Simulation};

pub(super) fn of(
    history: &History,
    sessions: &[SessionRow],
    simulation: &Simulation,
) -> Vec<(String, String)> {
    let bad = |row: &&SessionRow| matches!(row.phase, "Failed" | "Invalid");
    let live = history.state.snapshots.len() - history.forgotten.len();
    let sizes: Vec<u64> =
        catalog::repositories(&history.state).iter().filter_map(|row| row.size).collect();
    let mut facts = vec![
        ("sessions", sessions.len().to_string()),
        ("failed", sessions.iter().filter(bad).count().to_string()),
        ("snapshots", live.to_string()),
        ("to be removed", simulation.totals().removed.to_string()),
    ];
    if !sizes.is_empty() {
        facts.push(("stored", format_size(sizes.iter().fold(0, |sum, n| sum.saturating_add(*n)))));
    }
    let waiting = simulation::waiting(history);
    if waiting > 0 {
        facts.push(("to be collected", format!("at most {}", format_size(waiting))));
    }
    facts.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}
