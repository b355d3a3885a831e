//! `holdfast repo key rotate`.

use super::super::location::Location;
use super::super::output::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::repository::{failure, slots};
use clap::Args;

/// Arguments of `holdfast repo key rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// Leave this password behind: a label, a name, or a unique prefix of one. Can be repeated.
    #[arg(long, value_name = "SLOT")]
    drop: Vec<String>,
}

impl Rotate {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let passphrase = location.passphrase()?;
        let repository = location.open_with(&passphrase, true)?;
        let mut dropped = Vec::new();
        for text in &self.drop {
            dropped.push(repository.find_slot(text)?.name);
        }
        let own = repository.slot_of(passphrase.as_bytes())?;
        let safe = own.is_none_or(|own| !dropped.contains(&own));
        anyhow::ensure!(
            safe,
            "key rotate: this password opened the repository now; leave it behind with another one"
        );
        for foreign in repository.foreign_slots()? {
            failure::warn(&slots::foreign(&foreign), output.json);
        }
        let rotated = repository.rotate(&dropped)?;
        let (epoch, slots) = (rotated.keys().newest_epoch(), rotated.slots()?.len());
        if output.json {
            lines::print(
                serde_json::json!({ "epoch": epoch, "slots": slots, "dropped": dropped.len() }),
            )?;
        }
        output.say(format_args!(
            "epoch {epoch} begins: {slots} key slots have its secrets, {} were left behind",
            dropped.len()
        ));
        output.say("what was written before stays readable for whoever had the secrets before");
        Ok(Exit::Done)
    }
}
