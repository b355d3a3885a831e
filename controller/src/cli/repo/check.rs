//! `holdfast repo check`.

use clap::Args;
use holdfast_executor::repo::{CheckOptions, CheckReport, Finding, Problem, Reclaimable, Trees};
use holdfast_executor::report::printable;
use indicatif::{HumanBytes, HumanCount};

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::clock;
use crate::show::lines::{self, Lines};
use crate::show::progress;
use crate::show::style::{Style, Tone, safe};

/// Paths that are listed by name; a script reads them all with --json.
const LISTED_PATHS: usize = 20;

/// Arguments of `holdfast repo check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Read every byte of every pack, open every block and recompute every id.
    #[arg(long)]
    read_data: bool,
}

impl Check {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let repository = location.open()?;
        let report = {
            let _bar = progress::bar("check", output.hides_progress());
            let options = CheckOptions { read_data: self.read_data, now_ms: clock::now().0 };
            repository.check(options, Some(&Trees))?
        };
        if output.json {
            lines::print(document(&report))?;
        } else {
            print(&report, self.read_data, output)?;
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Damaged })
    }
}

fn print(report: &CheckReport, read_data: bool, output: Output) -> std::io::Result<()> {
    let style = Style::detect();
    output.say(format_args!(
        "{} snapshots, {} packs, {}{}",
        HumanCount(report.snapshots),
        HumanCount(report.packs),
        HumanBytes(report.bytes),
        if read_data {
            format!("; read and verified {}", HumanBytes(report.bytes_read))
        } else {
            String::new()
        }
    ));
    if let Some(left) = reclaimable(&report.reclaimable) {
        output.say(format_args!("reclaimable, no damage: {left}"));
    }
    let mut lines = Lines::new();
    for finding in &report.findings {
        let rescue = if finding.has_copy { " (another copy is intact)" } else { "" };
        lines.line(format_args!(
            "{} {}: {}{rescue}",
            style.paint(Tone::Bad, word(finding.problem)),
            safe(&finding.object),
            safe(&finding.detail)
        ));
    }
    for affected in report.affected.iter().take(LISTED_PATHS) {
        lines.line(format_args!(
            "cannot be restored: {}:{}",
            affected.snapshot,
            printable(&affected.path)
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
    }
    lines.finish()?;
    if report.is_clean() {
        output.say(style.paint(Tone::Good, "clean"));
    }
    Ok(())
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
            format!("{unindexed_packs} packs without index, {}", HumanBytes(unindexed_bytes)),
        ),
        (lapsed_intents, format!("{lapsed_intents} lapsed intents")),
        (
            temporary_files,
            format!("{temporary_files} temporary files, {}", HumanBytes(temporary_bytes)),
        ),
        (stray_slots, format!("{stray_slots} stray key slots")),
        (foreign_objects, format!("{foreign_objects} foreign objects")),
    ];
    let words: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn document(report: &CheckReport) -> serde_json::Value {
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
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "affected": report.affected.iter().map(|affected| {
            serde_json::json!({ "snapshot": affected.snapshot.to_string(), "path": printable(&affected.path) })
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
