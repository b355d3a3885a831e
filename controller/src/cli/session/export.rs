//! `holdfast session export`.

use std::path::PathBuf;

use clap::Args;
use holdfast_eventlog::Export as Exported;

use super::Location;
use crate::exit::Exit;
use crate::show::lines;

/// Arguments of `holdfast session export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The file to write.
    file: PathBuf,
}

impl Export {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        Exported::of(&reader)?.write_file(&self.file)?;
        let (head, file) = (reader.head(), self.file.display());
        if json {
            let (seq, hash) = (head.seq, head.hash.to_string());
            lines::print(serde_json::json!({ "seq": seq, "hash": hash, "file": self.file }))?;
        } else {
            lines::print(format_args!(
                "wrote events {} to {} to {file}",
                reader.first_seq(),
                head.seq
            ))?;
            lines::print(format_args!("chain value {}", head.hash))?;
        }
        Ok(Exit::Done)
    }
}
