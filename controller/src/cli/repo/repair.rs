//! `holdfast repo repair`.

use clap::{Args, Subcommand};
use holdfast_executor::repo::{IndexRepair, Writer};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::show::lines;
use crate::show::progress;

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
}

impl Repair {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let Verb::Index { dry_run } = self.verb;
        let writer = Writer {
            session: ids::uid().to_string(),
            component: "repair index".into(),
            host: super::hostname(),
            started_ms: clock::now().0,
            gc_generation: 0,
        };
        let repository = location.open_for_writing()?;
        let done = {
            let _bar = progress::bar("repair index", output.hides_progress());
            repository.repair_index(writer, dry_run)?
        };
        if output.json {
            lines::print(document(&done, dry_run))?;
        }
        say(&done, dry_run, output);
        Ok(if done.packs_unreadable.is_empty() { Exit::Done } else { Exit::Damaged })
    }
}

fn say(done: &IndexRepair, dry_run: bool, output: Output) {
    let would = if dry_run { "would be " } else { "" };
    for name in &done.packs_unreadable {
        eprintln!("pack {name}: its footer cannot be read, so nobody knows what it holds");
    }
    for name in &done.packs_dropped {
        output.say(format_args!("pack {name} is not there: {would}named no more; the next backup stores again what it can"));
    }
    if done.is_clean() {
        return output.say("every pack that is there is named, and no other: nothing to do");
    }
    output.say(format_args!(
        "{} packs {would}named again, {} index objects {would}replaced",
        done.packs_added,
        done.objects_replaced.len()
    ));
    if done.objects_kept > 0 {
        output.say(format_args!(
            "{} of them the store did not let go: they still mislead writers",
            done.objects_kept
        ));
    }
}

fn document(done: &IndexRepair, dry_run: bool) -> serde_json::Value {
    let texts = |names: &[holdfast_executor::digest::PackName]| -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    };
    serde_json::json!({
        "dryRun": dry_run,
        "packsAdded": done.packs_added,
        "packsDropped": texts(&done.packs_dropped),
        "packsUnreadable": texts(&done.packs_unreadable),
        "objectsReplaced": done.objects_replaced.len(),
        "objectsWritten": done.objects_written,
        "objectsKept": done.objects_kept,
    })
}
