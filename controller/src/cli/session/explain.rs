//! `holdfast session explain`.

use anyhow::Context as _;
use clap::Args;
use holdfast_engine::view::catalog;
use holdfast_eventlog::Until;

use super::Location;
use crate::exit::Exit;
use crate::history::{condition, fold, name};
use crate::show::explanation;
use crate::show::lines;
use crate::show::style::Style;

/// Arguments of `holdfast session explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// NAME, NAMESPACE/NAME, KIND/NAMESPACE/NAME, or a uid.
    name: String,
    /// Explain this condition instead of the phase, such as BackupExecutorEnsured.
    #[arg(long, value_name = "TYPE")]
    condition: Option<String>,
}

impl Explain {
    pub(super) fn run(self, location: &Location, json: bool) -> anyhow::Result<Exit> {
        let reader = location.open()?;
        let sessions = catalog::sessions(&fold::all(&reader, Until::End)?.state);
        let session = name::resolve(&sessions, &self.name)?;
        let fold = fold::one(&reader, session.uid, Until::End)?;
        let found = match &self.condition {
            None => holdfast_engine::explain::phase(fold.events(), session.uid),
            Some(wanted) => {
                let kind = condition::of(&fold, wanted)?;
                holdfast_engine::explain::condition(fold.events(), session.uid, kind)
            }
        };
        let found =
            found.with_context(|| format!("{}: no event says anything of it", self.name))?;
        if json {
            lines::print(explanation::json(&found))?;
        } else {
            lines::print(
                explanation::text(&session.key.to_string(), &found, Style::detect()).trim_end(),
            )?;
        }
        Ok(Exit::Done)
    }
}
