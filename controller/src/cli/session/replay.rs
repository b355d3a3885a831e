//! `holdfast session replay`.

use std::time::Instant;

use clap::Args;
use holdfast_eventlog::{Fold, Until, drive};

use super::Location;
use crate::exit::Exit;
use crate::history::moment::Moment;
use crate::show::census::Census;
use crate::show::lines;
use crate::show::style::Style;

/// Arguments of `holdfast session replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// How far: an instant such as 2026-11-21T03:00:00Z, or the number of an event.
    #[arg(long, value_name = "T|SEQ")]
    until: Option<Moment>,
}

impl Replay {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        let until = self.until.map_or(Until::End, |moment| moment.0);
        let began = Instant::now();
        let state = if reader.first_seq() > 1 {
            // What was archived stands in a checkpoint.
            reader.state_at(until)?
        } else {
            let mut fold = Fold::default();
            drive(&reader, &mut fold, until)?;
            fold.state
        };
        let census = Census::of(&state, began.elapsed());
        if json {
            lines::print(census.json())?;
        } else {
            lines::print(census.text(Style::detect()).trim_end())?;
        }
        Ok(Exit::Done)
    }
}
