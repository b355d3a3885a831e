//! `holdfast repo key change`.

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::slot::KdfCost;

use super::super::location::Location;
use super::super::output::Output;
use super::new::New;
use crate::exit::Exit;
use crate::ports::clock;
use crate::show::lines;

/// Arguments of `holdfast repo key change`.
#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    new: New,
}

impl Change {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let old = location.passphrase()?;
        let repository = location.open_with(&old, true)?;
        let slot =
            repository.slot_of(old.as_bytes())?.context("the slot of this password went away")?;
        let (new, now) = (self.new.passphrase()?, clock::now().0);
        // The old one goes last: at every moment one of the two opens the repository.
        let name = repository.add_slot(new.as_bytes(), &self.new.label, now, KdfCost::default())?;
        repository.drop_slot(&slot)?;
        if output.json {
            lines::print(
                serde_json::json!({ "added": name.to_string(), "removed": slot.to_string() }),
            )?;
        }
        output.say(format_args!(
            "the new password is in key slot {name}; the old one opens nothing any more"
        ));
        Ok(Exit::Done)
    }
}
