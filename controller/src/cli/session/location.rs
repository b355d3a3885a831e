//! Which log.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use holdfast_eventlog::{ChainKey, Error, Reader};

use crate::chain_key;
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
    /// The key of the log's chain, if it has one: a file with 32 bytes, or with 64 hexadecimal digits.
    #[arg(long, global = true, value_name = "FILE")]
    chain_key_file: Option<PathBuf>,
    /// An export of the same log, to read what was archived since.
    #[arg(long, global = true, value_name = "PATH")]
    export: Option<PathBuf>,
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

    /// The key of the chain.
    ///
    /// # Errors
    /// When a file is named that holds none.
    pub fn key(&self) -> anyhow::Result<Option<ChainKey>> {
        Ok(chain_key::read(self.chain_key_file.as_deref())?)
    }

    /// The log, opened for reading, with the export behind it.
    ///
    /// # Errors
    /// When there is none, or the key does not fit.
    pub fn open(&self) -> anyhow::Result<Reader> {
        let reader = self.open_alone()?;
        match self.export()? {
            None => Ok(reader),
            Some(export) => Ok(reader.behind(export)?),
        }
    }

    /// The log without an export behind it.
    ///
    /// # Errors
    /// As [`Location::open`].
    pub fn open_alone(&self) -> anyhow::Result<Reader> {
        let path = self.path()?;
        self.read(&path)
    }

    /// The export, if one is named.
    ///
    /// # Errors
    /// As [`Location::open`].
    pub fn export(&self) -> anyhow::Result<Option<Reader>> {
        self.export.as_deref().map(|path| self.read(path)).transpose()
    }

    fn read(&self, path: &Path) -> anyhow::Result<Reader> {
        place::open(path, self.key()?).map_err(|error| {
            let advice = match error {
                Error::Key { keyed: true } => "; --chain-key-file names it",
                _ => "",
            };
            let shown = path.display().to_string();
            match error.to_string().contains(&shown) {
                // It names the place itself.
                true => error.into(),
                false => anyhow::Error::new(error).context(format!("{shown}{advice}")),
            }
        })
    }
}
