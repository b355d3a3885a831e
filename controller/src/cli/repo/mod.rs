//! `holdfast repo`: a repository by hand, without Kubernetes.

mod backup;
mod check;
mod forget;
mod init;
mod location;
mod ls;
mod progress;
mod restore;
mod snapshots;
mod summary;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use location::Location;

/// Arguments of `holdfast repo`.
#[derive(Debug, Args)]
pub struct Repo {
    #[command(flatten)]
    location: Location,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a repository at an empty place.
    Init(init::Init),
    /// Back up paths, or standard input.
    Backup(backup::Backup),
    /// Restore a snapshot, or a part of one.
    Restore(restore::Restore),
    /// List snapshots, oldest first.
    Snapshots(snapshots::Snapshots),
    /// List what a snapshot holds.
    Ls(ls::Ls),
    /// Check that everything that snapshots need is there and intact.
    Check(check::Check),
    /// Remove snapshots; their data waits to be reclaimed.
    Forget(forget::Forget),
}

impl Repo {
    /// Carries the verb out.
    ///
    /// # Errors
    /// What the verb says; the exit code says which class it is.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Self { location, json, verb } = self;
        match verb {
            Verb::Init(verb) => verb.run(&location, json),
            Verb::Backup(verb) => verb.run(&location, json),
            Verb::Restore(verb) => verb.run(&location, json),
            Verb::Snapshots(verb) => verb.run(&location, json),
            Verb::Ls(verb) => verb.run(&location, json),
            Verb::Check(verb) => verb.run(&location, json),
            Verb::Forget(verb) => verb.run(&location, json),
        }
    }
}
