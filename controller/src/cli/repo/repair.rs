//! `holdfast repo repair`.

use crate::ports::environment;
use clap::{Args, Subcommand};
use holdfast_executor::repo::{CheckOptions, Writer};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::show::lines;
use crate::show::progress;
use crate::show::repository::repair as show;

/// Arguments of `holdfast repo repair`.
#[derive(Debug, Args)]
pub struct Repair {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Rebuild the index from the packs: name every pack that is there, and no other.
    Index {
        /// Change nothing: say what would be done.
        #[arg(long, short = 'n')]
        dry_run: bool,
    },
    /// Put back second copies that are missing or damaged, from those that are intact.
    Copies {
        /// Change nothing: say what would be done.
        #[arg(long, short = 'n')]
        dry_run: bool,
        /// Look at every byte of packs, not only at their ends.
        #[arg(long)]
        read_data: bool,
    },
}

impl Repair {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::Index { dry_run } => index(location, output, dry_run),
            Verb::Copies { dry_run, read_data } => copies(location, output, dry_run, read_data),
        }
    }
}

fn index(location: &Location, output: Output, dry_run: bool) -> anyhow::Result<Exit> {
    let writer = Writer {
        session: ids::uid().to_string(),
        component: "repair index".into(),
        host: environment::hostname(),
        started_ms: clock::now().0,
        gc_generation: 0,
    };
    let repository = location.open_with(&location.passphrase()?, !dry_run)?;
    let done = {
        let _bar = progress::bar("repair index", output.hides_progress());
        repository.repair_index(writer, dry_run)?
    };
    if output.json {
        lines::print(show::json(&done, dry_run))?;
    }
    show::say(&done, dry_run, output);
    Ok(if done.packs_unreadable.is_empty() { Exit::Done } else { Exit::Damaged })
}

fn copies(
    location: &Location,
    output: Output,
    dry_run: bool,
    read_data: bool,
) -> anyhow::Result<Exit> {
    let repository = location.open_with(&location.passphrase()?, !dry_run)?;
    let done = {
        let _bar = progress::bar("repair copies", output.hides_progress());
        let report = repository.check(CheckOptions { read_data, now_ms: clock::now().0 }, None)?;
        repository.mend_copies(&report, dry_run)?
    };
    if output.json {
        lines::print(show::copies_json(&done, dry_run))?;
    }
    show::say_copies(&done, dry_run, output);
    Ok(if done.left.is_empty() { Exit::Done } else { Exit::Damaged })
}
