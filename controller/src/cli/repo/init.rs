//! `holdfast repo init`.

use clap::Args;
use holdfast_executor::repo::{InitOptions, Repo};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::clock;
use crate::show::lines;

/// Arguments of `holdfast repo init`.
#[derive(Debug, Args)]
pub struct Init {
    /// What the first key slot is called.
    #[arg(long, default_value = "first")]
    label: String,
}

impl Init {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let store = location.store()?;
        let options =
            InitOptions { label: &self.label, now_ms: clock::now().0, ..InitOptions::default() };
        let opened = Repo::at(store).init(location.first_passphrase()?.as_bytes(), options)?;
        let url = location.url()?;
        if output.json {
            lines::print(serde_json::json!({ "id": opened.id().to_string(), "url": url }))?;
        } else {
            output.say(format_args!("created repository {} at {url}", opened.id()));
            output
                .say("without its password nothing in it can ever be read: keep it somewhere else");
        }
        Ok(Exit::Done)
    }
}
