//! `holdfast retention`: what a policy would do, before anybody applies it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use holdfast_engine::Timestamp;
use holdfast_eventlog::Until;

use super::session::Location;
use crate::exit::Exit;
use crate::history::{fold, policy, simulation};
use crate::ports::clock;
use crate::show::lines;
use crate::show::simulation as text;
use crate::show::style::Style;

/// Arguments of `holdfast retention`.
#[derive(Debug, Args)]
pub struct Retention {
    #[command(flatten)]
    location: Location,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Judge the snapshots of a log by a policy that need not be in force.
    Simulate(Simulate),
}

/// Arguments of `holdfast retention simulate`.
#[derive(Debug, Args)]
struct Simulate {
    /// File with one RetentionPolicy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// As if it were this instant, such as 2026-12-24T00:00:00Z; without it: now.
    #[arg(long, value_name = "T")]
    at: Option<Timestamp>,
}

impl Retention {
    /// Carries the verb out.
    ///
    /// # Errors
    /// When the log or the policy cannot be read.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Verb::Simulate(Simulate { policy: file, at }) = self.verb;
        let spec = policy::read(&file).with_context(|| file.display().to_string())?;
        let reader = self.location.open()?;
        let (state, at) = (reader.state_at(Until::End)?, at.unwrap_or_else(clock::now));
        let waiting = simulation::waiting(&fold::all(&reader, Until::End)?);
        let simulation = simulation::simulate(&state, &spec, at)?;
        if self.json {
            lines::print(text::json(&simulation, waiting, at))?;
        } else {
            lines::print(text::text(&simulation, waiting, Style::detect()).trim_end())?;
        }
        Ok(Exit::Done)
    }
}
