//! What a restore would do.

use holdfast_executor::repo::Action;
use holdfast_executor::report::{RestoreFigures, printable};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::show::style::{Style, Tone, safe};

/// One line an entry, with the letters of a comparison.
#[must_use]
pub fn line(path: &[u8], action: &Action, style: Style) -> String {
    let path = printable(path);
    match action {
        Action::Make => style.paint(Tone::Good, &format!("+    {path}")),
        Action::Replace => style.paint(Tone::Warn, &format!("M    {path}")),
        Action::Remove => style.paint(Tone::Bad, &format!("-    {path}")),
        Action::Refuse(why) => style.paint(Tone::Bad, &format!("!    {path}: {}", safe(why))),
    }
}

/// The same for programs.
#[must_use]
pub fn json(path: &[u8], action: &Action) -> Value {
    let (word, why) = match action {
        Action::Make => ("make", None),
        Action::Replace => ("replace", None),
        Action::Remove => ("remove", None),
        Action::Refuse(why) => ("refuse", Some(why)),
    };
    json!({ "message": "action", "action": word, "path": printable(path), "reason": why })
}

/// The end of a rehearsal.
#[must_use]
pub fn summary(figures: &RestoreFigures) -> String {
    let entries = &figures.entries;
    let others = entries.directories + entries.symlinks + entries.special;
    format!(
        "would restore {} files ({} are in place) and {} other entries, write {}, remove {}, refuse {}",
        HumanCount(entries.files),
        HumanCount(figures.files_unchanged),
        HumanCount(others),
        HumanBytes(figures.bytes_written),
        HumanCount(figures.deleted),
        HumanCount(figures.failed.count)
    )
}
