//! What a restore would do.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use holdfast_engine::units::format_size;
use holdfast_executor::job::Target;
use holdfast_executor::repo::Action;
use holdfast_executor::report::{RestoreFigures, printable};
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::counted;
use crate::show::style::{Style, Tone, safe};

/// Where something lies in the target, or would lie, given its path in the snapshot: what the target alone holds is
/// at no path of the snapshot, and what is named there may be what was backed up.
#[must_use]
pub fn in_target(target: &Target, path: &[u8], is_made: bool) -> String {
    let from = target.from.trim_end_matches('/').as_bytes();
    let below = path.strip_prefix(from).unwrap_or(path);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = OsStr::from_bytes(name);
    let below = OsStr::from_bytes(below.strip_prefix(b"/").unwrap_or(below));
    // A single file has a line of its own when it is made; the topmost directory has none.
    let is_file = !from.is_empty() && (is_made || target.to.join(name).is_file());
    let place = match below.is_empty() {
        true if is_file => target.to.join(name),
        true => target.to.clone(),
        false => target.to.join(below),
    };
    printable(place.as_os_str().as_bytes())
}

/// One line an entry, with the letters of a comparison.
#[must_use]
pub fn line(path: &str, action: &Action, style: Style) -> String {
    match action {
        Action::Make => style.paint(Tone::Good, &format!("+    {path}")),
        Action::Replace => style.paint(Tone::Warn, &format!("M    {path}")),
        Action::Remove => style.paint(Tone::Bad, &format!("-    {path}")),
        Action::Refuse(why) => style.paint(Tone::Bad, &format!("!    {path}: {}", safe(why))),
    }
}

/// The same for programs.
#[must_use]
pub fn json(path: &[u8], target: &str, action: &Action) -> Value {
    let (word, why) = match action {
        Action::Make => ("make", None),
        Action::Replace => ("replace", None),
        Action::Remove => ("remove", None),
        Action::Refuse(why) => ("refuse", Some(why)),
    };
    json!({ "message": "action", "action": word, "path": printable(path), "target": target, "reason": why })
}

/// The end of a rehearsal.
#[must_use]
pub fn summary(figures: &RestoreFigures) -> String {
    let entries = &figures.entries;
    let others = entries.directories + entries.symlinks + entries.special;
    format!(
        "would restore {} ({} are in place) and {} other entries, write {}, remove {}, refuse {}",
        counted(entries.files, "file"),
        HumanCount(figures.files_unchanged),
        HumanCount(others),
        format_size(figures.bytes_written),
        HumanCount(figures.deleted),
        HumanCount(figures.failed.count)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_in_a_target_is_said_with_its_path_there() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().to_owned();
        let shown = |below: &str| to.join(below).display().to_string();
        let place = |from: &str, path: &[u8]| {
            in_target(&Target { from: from.to_owned(), to: to.clone() }, path, false)
        };
        assert_eq!(place("/", b"/srv/a"), shown("srv/a"));
        assert_eq!(place("/srv", b"/srv/a/b"), shown("a/b"));
        assert_eq!(place("/srv/", b"/srv"), to.display().to_string());
        assert_eq!(place("/", b"/"), to.display().to_string());
        std::fs::write(to.join("file"), "x").unwrap();
        assert_eq!(place("/srv/file", b"/srv/file"), shown("file"));
        let target = Target { from: "/srv/new".to_owned(), to: to.clone() };
        assert_eq!(in_target(&target, b"/srv/new", true), shown("new"));
    }
}
