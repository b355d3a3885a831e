//! `holdfast session at`.

use anyhow::Context as _;
use clap::Args;
use holdfast_engine::view::catalog;

use super::Location;
use crate::exit::Exit;
use crate::history::moment::Moment;
use crate::history::{fold, name, object};
use crate::show::lines;
use crate::show::style::Style;
use crate::show::{document, sessions};

/// Arguments of `holdfast session at`.
#[derive(Debug, Args)]
pub struct At {
    /// An instant such as 2026-11-21T03:00:00Z, or the number of an event.
    #[arg(value_name = "TIME")]
    moment: Moment,
    /// The session; without it, all that were known.
    name: Option<String>,
}

impl At {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        let history = fold::all(&reader, self.moment.0)?;
        let mut rows = catalog::sessions(&history.state);
        let Some(name) = self.name else {
            rows.reverse();
            if json {
                lines::print(sessions::json(&history, &rows))?;
            } else {
                lines::print(sessions::table(&history, &rows, Style::detect()).trim_end())?;
            }
            return Ok(Exit::Done);
        };
        let session = name::resolve(&rows, &name).context("at that moment")?;
        let object = object::of(&reader, &history, session, self.moment.0)?
            .with_context(|| format!("{name}: not in the log at that moment"))?;
        lines::print(document::render(&object, json)?.trim_end())?;
        Ok(Exit::Done)
    }
}
