//! `holdfast repo key`: who can open the repository.

mod add;
mod change;
mod list;
mod new;
mod remove;
mod rotate;

use clap::{Args, Subcommand};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;

/// Arguments of `holdfast repo key`.
#[derive(Debug, Args)]
pub struct Key {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the passwords that open the repository, oldest first.
    List,
    /// Add a password.
    Add(add::Add),
    /// Remove a password. Whoever has it and was here before may know the secrets: see `rotate`.
    Remove(remove::Remove),
    /// Replace the password that opens the repository now by another one.
    #[command(alias = "passwd")]
    Change(change::Change),
    /// Begin new secrets for all that is written from now on, and leave passwords behind that have leaked.
    Rotate(rotate::Rotate),
}

impl Key {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::List => list::run(location, output),
            Verb::Add(verb) => verb.run(location, output),
            Verb::Remove(verb) => verb.run(location, output),
            Verb::Change(verb) => verb.run(location, output),
            Verb::Rotate(verb) => verb.run(location, output),
        }
    }
}
