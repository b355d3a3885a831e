//! What a check found.

use holdfast_engine::units::format_size;
use holdfast_executor::repo::{CheckReport, Finding, Names, Problem, Reclaimable};
use holdfast_executor::report::printable;

use super::counted;
use crate::cli::Output;
use crate::show::lines::Lines;
use crate::show::style::{Style, Tone, safe};

/// Paths that are listed by name; a script reads them all with --json.
const LISTED_PATHS: usize = 20;

/// Where objects lie that somebody may have to do something about.
const INDEX_FOLDER: &str = "meta/index/";
const SLOT_FOLDER: &str = "keys/";
const SNAPSHOT_FOLDER: &str = "meta/snapshots/";

/// For people: what was looked at, what is wrong, what that costs, and what to do.
///
/// # Errors
/// When it cannot be written.
pub fn print(report: &CheckReport, read_data: bool, output: Output) -> std::io::Result<()> {
    let style = Style::detect();
    output.say(format_args!(
        "{}, {}, {}{}",
        counted(report.snapshots, "snapshot"),
        counted(report.packs, "pack"),
        format_size(report.bytes),
        if read_data {
            format!("; read and verified {}", format_size(report.bytes_read))
        } else {
            String::new()
        }
    ));
    if let Some(left) = reclaimable(&report.reclaimable) {
        output.say(format_args!("reclaimable, no damage: {left}"));
    }
    for (key, why) in &report.foreign_slots {
        output.say(format_args!(
            "no damage, but no key slot either: {key} {why}; find out who can write to the store"
        ));
    }
    for (key, why) in &report.foreign_marks {
        output.say(format_args!(
            "no damage, and not believed: {key} poses as a mark, {why}; find out who can write to the store"
        ));
    }
    for key in &report.single_copies {
        output.say(format_args!(
            "no damage: {key} is missing, its other copy is intact; `repair copies` puts it back"
        ));
    }
    let mut lines = Lines::new();
    for finding in &report.findings {
        let rescue = if finding.has_copy { " (another copy is intact)" } else { "" };
        lines.line(format_args!(
            "{} {}: {}{rescue}",
            style.paint(Tone::Bad, word(finding.problem)),
            safe(&finding.object),
            safe(detail(finding))
        ));
    }
    for affected in report.affected.iter().take(LISTED_PATHS) {
        lines.line(format_args!(
            "cannot be restored: {}:{}{}",
            affected.snapshot,
            printable(&affected.path),
            affected.names.as_ref().map(range).unwrap_or_default()
        ));
    }
    if report.affected.len() > LISTED_PATHS {
        lines.line(format_args!(
            "and {} more paths; --json lists them all",
            report.affected.len() - LISTED_PATHS
        ));
    }
    if !report.is_clean() {
        lines.line(style.paint(Tone::Bad, "damaged"));
        for line in next(report) {
            lines.line(line);
        }
    }
    lines.finish()?;
    if report.is_clean() {
        output.say(style.paint(Tone::Good, "clean"));
    }
    Ok(())
}

/// The names of a directory that are lost with a page of it.
fn range(names: &Names) -> String {
    match (&names.first[..], &names.end) {
        (b"", None) => ", with all that is in it".to_owned(),
        (first, None) => format!(", names from {} on", printable(first)),
        (b"", Some(end)) => format!(", names before {}", printable(end)),
        (first, Some(end)) => {
            format!(", names from {} and before {}", printable(first), printable(end))
        }
    }
}

/// The detail, without the name of the object that stands before it already.
fn detail(finding: &Finding) -> &str {
    let rest = finding.detail.strip_prefix(&finding.object).map(str::trim_start);
    rest.map_or(&finding.detail, |rest| rest.strip_prefix("is damaged: ").unwrap_or(rest))
}

/// What to do, the least first.
fn next(report: &CheckReport) -> Vec<String> {
    let is = |finding: &Finding, folder: &str| {
        finding.object.trim_start_matches("mirror/").starts_with(folder)
    };
    let any = |holds: &dyn Fn(&Finding) -> bool| report.findings.iter().any(holds);
    let mut steps = Vec::new();
    if any(&|finding| finding.problem == Problem::Unstable) {
        steps.push("two reads gave different bytes: look for failing memory, cables or disks before anything else");
    }
    if any(&|finding| finding.has_copy && !is(finding, INDEX_FOLDER)) {
        steps.push(
            "`repair copies` replaces what has an intact copy; nothing is lost by that damage",
        );
    }
    if any(&|finding| is(finding, INDEX_FOLDER)) {
        steps.push("`repair index` writes the index again, from the packs");
    }
    if any(&|finding| !finding.has_copy && is(finding, SLOT_FOLDER)) {
        steps.push("a key slot is gone for good: give its owner a new one (`key add`)");
    }
    if any(&|finding| !finding.has_copy && is(finding, SNAPSHOT_FOLDER)) {
        steps.push("a snapshot is gone for good; the others do not need it");
    }
    if !report.affected.is_empty() {
        steps.push(
            "bring the damaged objects back from another copy of the repository; or move what is damaged out of the repository, run `repair index`, and back up again, which stores anew what its sources still have; and then `check`",
        );
    }
    steps.into_iter().map(|step| format!("next: {step}")).collect()
}

fn word(problem: Problem) -> &'static str {
    match problem {
        Problem::Missing => "missing",
        Problem::Damaged => "damaged",
        Problem::Misplaced => "misplaced",
        Problem::Unstable => "unstable storage",
    }
}

fn reclaimable(left: &Reclaimable) -> Option<String> {
    let Reclaimable {
        unindexed_packs,
        unindexed_bytes,
        lapsed_intents,
        temporary_files,
        temporary_bytes,
        stray_slots,
        foreign_objects,
    } = *left;
    let parts = [
        (
            unindexed_packs,
            format!("{unindexed_packs} packs without index, {}", format_size(unindexed_bytes)),
        ),
        (lapsed_intents, format!("{lapsed_intents} lapsed intents")),
        (
            temporary_files,
            format!("{temporary_files} temporary files, {}", format_size(temporary_bytes)),
        ),
        (stray_slots, format!("{stray_slots} stray key slots")),
        (foreign_objects, format!("{foreign_objects} foreign objects")),
    ];
    let words: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// The same for programs.
#[must_use]
pub fn json(report: &CheckReport) -> serde_json::Value {
    let finding = |finding: &Finding| {
        serde_json::json!({
            "object": finding.object,
            "problem": word(finding.problem),
            "detail": finding.detail,
            "hasCopy": finding.has_copy,
        })
    };
    let left = &report.reclaimable;
    serde_json::json!({
        "clean": report.is_clean(),
        "snapshots": report.snapshots,
        "packs": report.packs,
        "bytes": report.bytes,
        "bytesRead": report.bytes_read,
        "singleCopies": report.single_copies,
        "foreignSlots": report.foreign_slots.iter().map(|(key, why)| {
            serde_json::json!({ "object": key, "reason": why })
        }).collect::<Vec<_>>(),
        "foreignMarks": report.foreign_marks.iter().map(|(key, why)| {
            serde_json::json!({ "object": key, "reason": why })
        }).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "next": next(report),
        "affected": report.affected.iter().map(|affected| {
            let names = affected.names.as_ref().map(|names| {
                let end = names.end.as_ref().map(|end| printable(end));
                serde_json::json!({ "first": printable(&names.first), "end": end })
            });
            let (snapshot, path) = (affected.snapshot.to_string(), printable(&affected.path));
            serde_json::json!({ "snapshot": snapshot, "path": path, "names": names })
        }).collect::<Vec<_>>(),
        "reclaimable": {
            "unindexedPacks": left.unindexed_packs,
            "unindexedBytes": left.unindexed_bytes,
            "lapsedIntents": left.lapsed_intents,
            "temporaryFiles": left.temporary_files,
            "temporaryBytes": left.temporary_bytes,
            "straySlots": left.stray_slots,
            "foreignObjects": left.foreign_objects,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_page_is_a_range_of_names() {
        let said = |first: &[u8], end: Option<&[u8]>| {
            range(&Names { first: first.to_vec(), end: end.map(<[u8]>::to_vec) })
        };
        assert_eq!(said(b"", None), ", with all that is in it");
        assert_eq!(said(b"", Some(b"m")), ", names before m");
        assert_eq!(said(b"m", None), ", names from m on");
        assert_eq!(said(b"a\x1b", Some(b"m")), ", names from a\\u{1b} and before m");
    }

    #[test]
    fn a_report_says_what_to_do_the_least_first() {
        let finding = |object: &str, has_copy| Finding {
            object: object.to_owned(),
            problem: Problem::Damaged,
            detail: format!("{object} is damaged: its bytes differ"),
            has_copy,
        };
        let findings = vec![
            finding("meta/index/00", true),
            finding("mirror/keys/00", false),
            finding("keys/01", true),
        ];
        assert_eq!(detail(&findings[0]), "its bytes differ");
        let steps = next(&CheckReport { findings, ..CheckReport::default() });
        let words: Vec<&str> = steps.iter().filter_map(|step| step.split('`').nth(1)).collect();
        assert_eq!(words, ["repair copies", "repair index", "key add"]);
        assert!(next(&CheckReport::default()).is_empty());
    }
}
