//! `holdfast repo check`.

use clap::Args;
use holdfast_executor::repo::{CheckOptions, Trees};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::clock;
use crate::show::lines;
use crate::show::progress;
use crate::show::repository::check as show;

/// Arguments of `holdfast repo check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Read every byte of every pack, open every block and recompute every id.
    #[arg(long)]
    read_data: bool,
}

impl Check {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let report = {
            let _bar = progress::bar("check", output.hides_progress());
            let options = CheckOptions { read_data: self.read_data, now_ms: clock::now().0 };
            repository.check(options, Some(&Trees))?
        };
        if output.json {
            lines::print(show::json(&report))?;
        } else {
            show::print(&report, self.read_data, output)?;
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Damaged })
    }
}
