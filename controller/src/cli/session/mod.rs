//! `holdfast session`: what happened, why, and what was known when. Only `import` and `repair-head --write`
//! change a log.

mod at;
mod explain;
mod export;
mod import;
mod list;
mod location;
mod repair_head;
mod replay;
mod show;
mod timeline;
mod verify;

use clap::{Args, Subcommand};

use crate::exit::Exit;
pub use location::Location;

/// Arguments of `holdfast session`.
#[derive(Debug, Args)]
pub struct Session {
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
    /// List all sessions, oldest first, archived ones too.
    List(list::List),
    /// Print a session as the operator shows it.
    Show(show::Show),
    /// Draw what happened when; on the terminal, or as a page.
    Timeline(timeline::Timeline),
    /// Say which events made a session what it is.
    Explain(explain::Explain),
    /// Print what was known at an instant, or after an event.
    At(at::At),
    /// Fold the log again, and say what it comes to.
    Replay(replay::Replay),
    /// Prove the log: chain, order, laws, documents.
    Verify(verify::Verify),
    /// Write the log to one file.
    Export(export::Export),
    /// Make a log directory (--log) of an export.
    Import(import::Import),
    /// Say where a log ends whose HEAD is lost, and let it end there.
    RepairHead(repair_head::RepairHead),
}

impl Session {
    /// Carries the verb out.
    ///
    /// # Errors
    /// What the verb says; the exit code says which class it is.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Self { location, json, verb } = self;
        match verb {
            Verb::List(verb) => verb.run(&location, json),
            Verb::Show(verb) => verb.run(&location, json),
            Verb::Timeline(verb) => verb.run(&location, json),
            Verb::Explain(verb) => verb.run(&location, json),
            Verb::At(verb) => verb.run(&location, json),
            Verb::Replay(verb) => verb.run(&location, json),
            Verb::Verify(verb) => verb.run(&location, json),
            Verb::Export(verb) => verb.run(&location, json),
            Verb::Import(verb) => verb.run(&location, json),
            Verb::RepairHead(verb) => verb.run(&location, json),
        }
    }
}
