//! `holdfast session list`.

use clap::Args;
use holdfast_engine::view::catalog;
use holdfast_eventlog::Until;

use super::Location;
use crate::exit::Exit;
use crate::history::fold;
use crate::show::lines;
use crate::show::sessions;
use crate::show::style::Style;

/// Arguments of `holdfast session list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only sessions of this namespace.
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

impl List {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let history = fold::all(&location.open()?, Until::End)?;
        let mut rows = catalog::sessions(&history.state);
        rows.retain(|row| self.namespace.as_ref().is_none_or(|n| row.key.namespace == *n));
        rows.reverse();
        if json {
            lines::print(sessions::json(&history, &rows))?;
        } else {
            lines::print(sessions::table(&history, &rows, Style::detect()).trim_end())?;
        }
        Ok(Exit::Done)
    }
}
