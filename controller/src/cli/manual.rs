//! `holdfast man`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};

use crate::exit::Exit;

/// Arguments of `holdfast man`.
#[derive(Debug, Args)]
pub struct Manual {
    /// The directory that receives one page for each verb; made when missing.
    dir: PathBuf,
}

impl Manual {
    /// Writes them.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn run(self, command: Command) -> anyhow::Result<Exit> {
        let place = || format!("{}", self.dir.display());
        std::fs::create_dir_all(&self.dir).with_context(place)?;
        // Global options belong to every page: without this they would stand on the first one only.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        clap_mangen::generate_to(command, &self.dir).with_context(place)?;
        Ok(Exit::Done)
    }
}
