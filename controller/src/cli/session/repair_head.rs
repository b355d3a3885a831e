//! `holdfast session repair-head`.

use anyhow::{Context as _, bail};
use clap::Args;
use holdfast_eventlog::{Headless, headless, write_head};

use super::Location;
use crate::exit::Exit;
use crate::history::end;
use crate::show::head as text;
use crate::show::lines;
use crate::show::style::Style;

/// Arguments of `holdfast session repair-head`.
#[derive(Debug, Args)]
pub struct RepairHead {
    /// Write HEAD anew; without this, what would be written is shown. The operator must not be running.
    #[arg(long)]
    write: bool,
}

impl RepairHead {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let (log, key) = (location.path()?, location.key()?);
        let found = headless(&log, key.clone()).with_context(|| log.display().to_string())?;
        let Some(found) = found else {
            say(json, None, false)?;
            return Ok(Exit::Done);
        };
        if let Some(export) = location.export()? {
            end::hold_against(&location.open_alone()?, &export)
                .context("held against the export; the log was not changed")?;
        }
        if self.write {
            let written = write_head(&log, key).context("the log was not changed")?;
            if written.end != found.end {
                bail!(
                    "the log changed while it was looked at; HEAD names event {}",
                    written.end.seq
                );
            }
        }
        say(json, Some(&found), self.write)?;
        Ok(if self.write { Exit::Done } else { Exit::Damaged })
    }
}

fn say(json: bool, found: Option<&Headless>, written: bool) -> std::io::Result<()> {
    match json {
        true => lines::print(text::json(found, written)),
        false => lines::print(text::text(found, written, Style::detect()).trim_end()),
    }
}
