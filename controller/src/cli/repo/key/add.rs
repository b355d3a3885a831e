//! `holdfast repo key add`.

use clap::Args;
use holdfast_executor::slot::KdfCost;

use super::super::location::Location;
use super::super::output::Output;
use super::new::New;
use crate::exit::Exit;
use crate::ports::clock;
use crate::show::lines;

/// Arguments of `holdfast repo key add`.
#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    new: New,
}

impl Add {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open_for_writing()?;
        let (new, now) = (self.new.passphrase()?, clock::now().0);
        let name = repository.add_slot(new.as_bytes(), &self.new.label, now, KdfCost::default())?;
        if output.json {
            lines::print(
                serde_json::json!({ "added": name.to_string(), "label": self.new.label }),
            )?;
        }
        output.say(format_args!("added key slot {name}, called {:?}", self.new.label));
        Ok(Exit::Done)
    }
}
