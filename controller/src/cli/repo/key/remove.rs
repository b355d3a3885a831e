//! `holdfast repo key remove`.

use super::super::location::Location;
use super::super::output::Output;
use crate::exit::Exit;
use crate::show::lines;
use clap::Args;

/// Arguments of `holdfast repo key remove`.
#[derive(Debug, Args)]
pub struct Remove {
    /// A label, a name, or a unique prefix of one, as `key list` shows them.
    slot: String,
}

impl Remove {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let passphrase = location.passphrase()?;
        let repository = location.open_with(&passphrase, true)?;
        let slot = repository.find_slot(&self.slot)?;
        let own = repository.slot_of(passphrase.as_bytes())? == Some(slot.name);
        anyhow::ensure!(
            !own,
            "key remove: this password opened the repository now; remove it with another one, or use `key change`"
        );
        repository.drop_slot(&slot.name)?;
        if output.json {
            lines::print(serde_json::json!({ "removed": slot.name.to_string() }))?;
        }
        output.say(format_args!("removed key slot {}, called {:?}", slot.name, slot.label));
        output.say("if its password has leaked, `key rotate` keeps it from all that is written from now on");
        Ok(Exit::Done)
    }
}
