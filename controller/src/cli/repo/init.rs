//! `holdfast repo init`.

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::repo::{InitOptions, Repo};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::clock;
use crate::repository::label;
use crate::show::lines;

/// Arguments of `holdfast repo init`.
#[derive(Debug, Args)]
pub struct Init {
    /// What the first key slot is called.
    #[arg(long, default_value = "first", value_parser = label)]
    label: String,
}

impl Init {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let url = location.url()?;
        let options =
            InitOptions { label: &self.label, now_ms: clock::now().0, ..InitOptions::default() };
        let (store, password) = (location.store()?, location.first_passphrase()?);
        let opened = Repo::at(store)
            .init(password.as_bytes(), options)
            .with_context(|| location.unopened())?;
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
