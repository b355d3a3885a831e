//! What a backup reads, and what one would come to.

use holdfast_executor::report::{BackupFigures, Figures, Report, printable};
use serde_json::{Value, json};

use super::{failure, report};
use crate::cli::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::style::{Style, Tone, safe};

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
    let lost = figures.unreadable.count + figures.attributes_unreadable.count;
    Ok(if lost == 0 { Exit::Done } else { Exit::Unreadable })
}

/// Warns of what was asked for and came to nothing.
pub fn warn(report: &Report, allow_empty: bool, output: Output) {
    for repository in &report.repositories {
        if let Figures::Backup(figures) = &repository.figures {
            warn_of(figures, allow_empty, output);
        }
    }
}

/// The same of one repository.
pub fn warn_of(figures: &BackupFigures, allow_empty: bool, output: Output) {
    if output.quiet {
        return;
    }
    for glob in &figures.unfit_globs {
        failure::warn(&unfit(glob), output.json);
    }
    for path in figures.empty_sources.iter().filter(|_| !allow_empty) {
        failure::warn(&format!("{} holds no files", safe(path)), output.json);
    }
}

/// What is said of a glob that fits nothing, with the reason where it is plain.
fn unfit(glob: &str) -> String {
    let bare = glob.strip_prefix('!').unwrap_or(glob);
    let why = match bare {
        bare if bare.starts_with('~') => "; `~` is not expanded: write the path out",
        bare if bare.starts_with("..") => "; paths are matched from the root, and have no `..`",
        bare if bare.contains('$') => "; variables are expanded in files only",
        bare if bare.contains('/') && !bare.starts_with('/') && !bare.starts_with("**/") => {
            "; a glob with a slash begins at the root: write **/ before it for any level"
        }
        _ => "",
    };
    format!("exclude {}: fits nothing{why}", safe(glob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k19_a_glob_that_fits_nothing_is_told_with_its_reason() {
        for (glob, words) in [
            ("*.tmp", "exclude *.tmp: fits nothing"),
            ("~/x", "not expanded"),
            ("!../x", "no `..`"),
            ("$HOME/x", "in files only"),
            ("src/x", "**/"),
        ] {
            assert!(unfit(glob).contains(words), "{}", unfit(glob));
        }
        assert_eq!(unfit("/a/b"), "exclude /a/b: fits nothing");
    }
}
