//! What a backup reads, and what one would come to.

use holdfast_executor::report::{BackupFigures, Report, printable};
use serde_json::{Value, json};

use super::{failure, report};
use crate::cli::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::style::{Style, Tone};

/// A file that is read, with the letters of a comparison.
#[must_use]
pub fn read_line(path: &[u8], is_known: bool, style: Style) -> String {
    let (letter, tone) = if is_known { ("M", Tone::Warn) } else { ("+", Tone::Good) };
    style.paint(tone, &format!("{letter}    {}", printable(path)))
}

/// The same for programs.
#[must_use]
pub fn read_json(path: &[u8], is_known: bool) -> Value {
    let word = if is_known { "content" } else { "added" };
    json!({ "message": "change", "change": word, "path": printable(path), "type": "file" })
}

/// The end of a rehearsal.
///
/// # Errors
/// When it cannot be written.
pub fn rehearsed(figures: &BackupFigures, output: Output) -> std::io::Result<Exit> {
    if output.json {
        lines::print(json!({ "message": "summary", "dryRun": true, "figures": figures }))?;
    }
    for line in report::backup(figures, true) {
        output.say(line);
    }
    output.say("nothing was written");
    Ok(if figures.unreadable.count == 0 { Exit::Done } else { Exit::Unreadable })
}

/// A parent that was asked for and does not fit is no reason to take no backup, but one to say so.
pub fn warn_of_parent(report: &Report, hint: Option<&str>, output: Output) {
    let snapshots = report.repositories.iter().filter_map(|one| one.snapshot.as_ref());
    for snapshot in snapshots {
        let used = snapshot.parent.as_deref();
        let Some(hint) = hint.filter(|hint| !used.is_some_and(|used| used.starts_with(hint)))
        else {
            continue;
        };
        let instead = used.map_or("every file was read".to_owned(), |used| {
            format!("it was compared with {}", super::short(used))
        });
        let text = format!(
            "--parent {hint}: no complete snapshot of these paths and excludes has that name; {instead}"
        );
        failure::warn(&text, output.json);
    }
}
