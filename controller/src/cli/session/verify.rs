//! `holdfast session verify`.

use clap::Args;
use holdfast_eventlog::audit;

use super::Location;
use crate::exit::Exit;
use crate::show::audit as text;
use crate::show::lines;
use crate::show::style::Style;

/// Arguments of `holdfast session verify`.
#[derive(Debug, Args)]
pub struct Verify {}

impl Verify {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let report = audit::audit(&location.open()?)?;
        if json {
            lines::print(text::json(&report))?;
        } else {
            lines::print(text::text(&report, Style::detect()).trim_end())?;
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Damaged })
    }
}
