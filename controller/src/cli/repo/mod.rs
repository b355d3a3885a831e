//! `holdfast repo`: a repository by hand, without Kubernetes.

mod backup;
mod check;
mod choose;
mod diff;
mod dump;
mod excludes;
mod find;
mod forget;
mod init;
mod instant;
mod keep;
mod key;
mod location;
mod ls;
mod output;
mod password;
mod progress;
mod repair;
mod restore;
mod snapshots;
mod stats;
mod summary;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use location::Location;
use output::Output;

/// Arguments of `holdfast repo`.
#[derive(Debug, Args)]
pub struct Repo {
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    output: Output,
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
    /// Look for names in snapshots.
    Find(find::Find),
    /// Say what changed between two snapshots.
    Diff(diff::Diff),
    /// Write a file to standard output, or a directory as a tar archive.
    Dump(dump::Dump),
    /// Say what snapshots and the repository take.
    Stats(stats::Stats),
    /// Check that everything that snapshots need is there and intact.
    Check(check::Check),
    /// Remove snapshots, by name or by rules; their data waits to be reclaimed.
    Forget(forget::Forget),
    /// Say who can open the repository, and change that.
    Key(key::Key),
    /// Mend what can be mended from what is there.
    Repair(repair::Repair),
}

impl Repo {
    /// Carries the verb out.
    ///
    /// # Errors
    /// What the verb says; the exit code says which class it is.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Self { location, output, verb } = self;
        match verb {
            Verb::Init(verb) => verb.run(&location, output),
            Verb::Backup(verb) => verb.run(&location, output),
            Verb::Restore(verb) => verb.run(&location, output),
            Verb::Snapshots(verb) => verb.run(&location, output),
            Verb::Ls(verb) => verb.run(&location, output),
            Verb::Find(verb) => verb.run(&location, output),
            Verb::Diff(verb) => verb.run(&location, output),
            Verb::Dump(verb) => verb.run(&location, output),
            Verb::Stats(verb) => verb.run(&location, output),
            Verb::Check(verb) => verb.run(&location, output),
            Verb::Forget(verb) => verb.run(&location, output),
            Verb::Key(verb) => verb.run(&location, output),
            Verb::Repair(verb) => verb.run(&location, output),
        }
    }
}

/// The name of this machine.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
