//! Which log.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_eventlog::Reader;

use crate::history::place;

/// Options that every verb of `holdfast session` takes.
#[derive(Debug, Args)]
pub struct Location {
    /// State directory of an operator; its log is read while it runs.
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "log")]
    state: Option<PathBuf>,
    /// A log's directory, or an export.
    #[arg(long, global = true, value_name = "PATH")]
    log: Option<PathBuf>,
}

impl Location {
    /// Where the log lies.
    ///
    /// # Errors
    /// When nothing says so, with the two ways to say it.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        let of_state = || self.state.as_deref().map(place::of_state);
        self.log
            .clone()
            .or_else(of_state)
            .context("which log? give --state DIR, or --log with a log's directory or an export")
    }

    /// The log, opened for reading.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(&self) -> anyhow::Result<Reader> {
        let path = self.path()?;
        place::open(&path).with_context(|| path.display().to_string())
    }
}
