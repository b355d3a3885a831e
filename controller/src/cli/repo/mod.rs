//! `holdfast repo`: a repository by hand, without Kubernetes.

mod backup;
mod check;
mod choose;
mod diff;
mod dump;
mod excludes;
mod find;
mod forget;
mod habits;
mod init;
mod keep;
mod key;
mod location;
mod ls;
mod output;
mod repair;
mod restore;
mod selection;
mod snapshots;
mod stats;
mod workers;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::show::repository::failure;
pub use habits::{answer, habit, habits};
use location::Location;
pub use output::Output;

/// Arguments of `holdfast repo`.
#[derive(Debug, Args)]
pub struct Repo {
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    granted: habits::Granted,
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
    /// Nothing: there are no locks, and scripts for restic ask for this.
    #[command(hide = true)]
    Unlock {
        /// There is none of other hosts either.
        #[arg(long, hide = true)]
        remove_all: bool,
    },
}

impl Repo {
    /// Carries the verb out, and says what went wrong.
    #[must_use]
    pub fn run(self) -> Exit {
        let json = self.output.json;
        self.carry_out().unwrap_or_else(|error| failure::print(&error, json))
    }

    fn carry_out(self) -> anyhow::Result<Exit> {
        let Self { mut location, output, granted: _, verb } = self;
        location.json = output.json;
        location.settle()?;
        let done = verb.run(&location, output);
        location.tell_notices();
        done
    }
}

impl Verb {
    fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        match self {
            Self::Init(verb) => verb.run(location, output),
            Self::Backup(verb) => verb.run(location, output),
            Self::Restore(verb) => verb.run(location, output),
            Self::Snapshots(verb) => verb.run(location, output),
            Self::Ls(verb) => verb.run(location, output),
            Self::Find(verb) => verb.run(location, output),
            Self::Diff(verb) => verb.run(location, output),
            Self::Dump(verb) => verb.run(location, output),
            Self::Stats(verb) => verb.run(location, output),
            Self::Check(verb) => verb.run(location, output),
            Self::Forget(verb) => verb.run(location, output),
            Self::Key(verb) => verb.run(location, output),
            Self::Repair(verb) => verb.run(location, output),
            Self::Unlock { remove_all: _ } => {
                output.say("there are no locks, so nothing was to be done");
                Ok(Exit::Done)
            }
        }
    }
}
