//! `holdfast session timeline`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_engine::explain;
use holdfast_engine::view::catalog;
use holdfast_eventlog::Until;

use super::Location;
use crate::exit::Exit;
use crate::history::{fold, name, overview};
use crate::pages::{self, Drawn};
use crate::show::lines;
use crate::show::style::Style;
use crate::show::timeline as text;

/// Arguments of `holdfast session timeline`.
#[derive(Debug, Args)]
pub struct Timeline {
    /// The session; without it, all of them.
    name: Option<String>,
    /// Write a page to this file instead: with snapshots, sizes and the list of sessions.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Timeline {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        let history = fold::all(&reader, Until::End)?;
        let rows = catalog::sessions(&history.state);
        let drawn = match &self.name {
            None => Drawn { session: None, timeline: overview::of(&rows), why: None },
            Some(name) => {
                let row = name::resolve(&rows, name)?;
                let fold = fold::one(&reader, row.uid, Until::End)?;
                let why = explain::phase(fold.events(), row.uid);
                Drawn { session: Some(row), timeline: fold.timeline(), why }
            }
        };
        if let Some(file) = &self.html {
            let page = pages::history(&history, &rows, &drawn)?.render();
            std::fs::write(file, page).with_context(|| file.display().to_string())?;
            lines::print(format_args!("wrote {}", file.display()))?;
        } else if json {
            lines::print(text::json(&drawn.timeline))?;
        } else {
            lines::print(text::text(&drawn.timeline, Style::detect()).trim_end())?;
        }
        Ok(Exit::Done)
    }
}
