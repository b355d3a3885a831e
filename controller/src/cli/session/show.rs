//! `holdfast session show`.

use anyhow::Context as _;
use clap::Args;
use holdfast_engine::view::catalog;
use holdfast_eventlog::Until;

use super::Location;
use crate::exit::Exit;
use crate::history::{fold, name, object};
use crate::show::document;
use crate::show::lines;

/// Arguments of `holdfast session show`.
#[derive(Debug, Args)]
pub struct Show {
    /// NAME, NAMESPACE/NAME, KIND/NAMESPACE/NAME, or a uid.
    name: String,
}

impl Show {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        let history = fold::all(&reader, Until::End)?;
        let sessions = catalog::sessions(&history.state);
        let session = name::resolve(&sessions, &self.name)?;
        let object = object::of(&reader, &history, session, Until::End)?
            .with_context(|| format!("{}: not in the log", self.name))?;
        lines::print(document::render(&object, json)?.trim_end())?;
        Ok(Exit::Done)
    }
}
