//! `holdfast session import`.

use std::path::PathBuf;

use clap::Args;
use holdfast_eventlog::{Export, Reader};

use super::Location;
use crate::exit::Exit;
use crate::show::lines;

/// Arguments of `holdfast session import`.
#[derive(Debug, Args)]
pub struct Import {
    /// An export.
    file: PathBuf,
}

impl Import {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let log = location.path()?;
        let key = location.key()?;
        Export::read(&self.file)?.import(&log, key.clone())?;
        let head = Reader::open(&log, key)?.head();
        if json {
            let (seq, hash) = (head.seq, head.hash.to_string());
            lines::print(serde_json::json!({ "seq": seq, "hash": hash, "log": log }))?;
        } else {
            lines::print(format_args!("{} has the log up to event {}", log.display(), head.seq))?;
            lines::print(format_args!("chain value {}", head.hash))?;
        }
        Ok(Exit::Done)
    }
}
