//! `holdfast repo check`.

use clap::Args;
use holdfast_executor::repo::{CheckOptions, Sample, Trees};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::repository::Subset;
use crate::show::lines;
use crate::show::progress;
use crate::show::repository::check as show;

/// Arguments of `holdfast repo check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Read every byte of every pack, open every block and recompute every id.
    #[arg(long)]
    read_data: bool,
    /// The same for a part of the packs: one of some groups (1/5), a share (2.5%) or a size (10G) that is another
    /// one each time.
    #[arg(long, value_name = "PART", conflicts_with = "read_data")]
    read_data_subset: Option<Subset>,
}

impl Check {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let read_data = self.read_data || self.read_data_subset.is_some();
        let report = {
            let _bar = progress::bar("check", output.hides_progress());
            let options = CheckOptions { read_data, now_ms: clock::now().0 };
            let sample =
                self.read_data_subset.map_or(Sample::All, |part| part.sample(ids::chance()));
            repository.check_sampled(options, sample, Some(&Trees))?
        };
        if output.json {
            lines::print(show::json(&report))?;
        } else {
            show::print(&report, read_data, output)?;
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Damaged })
    }
}
