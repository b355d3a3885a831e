//! What a job came to, for people or for programs.

use holdfast_engine::units::format_size;
use holdfast_executor::job::Target;
use holdfast_executor::report::{
    BackupFigures, Figures, Listed, Outcome, Report, RepositoryReport, RestoreFigures, Skipped,
};
use indicatif::HumanCount;

use super::rehearsal::in_target;
use super::{counted, failure};
use crate::cli::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::style::{Style, Tone, safe};

/// Prints the report to standard output; errors of the job to standard error.
///
/// # Errors
/// When the report cannot be written.
pub fn print(report: &Report, url: &str, output: Output) -> anyhow::Result<()> {
    if output.json {
        let mut line = serde_json::to_value(report)?;
        line["message"] = "summary".into();
        lines::print(line)?;
    }
    if let Outcome::Failed(failure) = &report.outcome {
        let exit = Exit::of(&report.outcome);
        // A report without any repository is one of a job that was not begun.
        let is_open = report.repositories.iter().all(|one| one.repository_id.is_some());
        let text = match is_open {
            true => failure.message.clone(),
            false => format!("{url}: {}", failure.message),
        };
        let class = failure::Class { kind: failure.kind, is_open, is_slot: false };
        failure::print_text(&text, Some(class), exit, output.json);
        return Ok(());
    }
    if output.quiet && !output.json && matches!(report.outcome, Outcome::Partial { .. }) {
        tell_lost(report);
    }
    let style = Style::detect();
    for repository in &report.repositories {
        for line in lines(repository) {
            output.say(line);
        }
    }
    let took = format!("{}.{} s", report.duration_ms / 1000, report.duration_ms % 1000 / 100);
    let (tone, word) = match &report.outcome {
        Outcome::Succeeded { .. } if is_restore(report) => (Tone::Good, format!("done in {took}")),
        Outcome::Succeeded { grade } => {
            (Tone::Good, format!("done in {took}, {}", grade_words(*grade)))
        }
        Outcome::Partial { .. } => (Tone::Warn, format!("done in {took}, but {}", lost(report))),
        Outcome::Superseded { snapshot } => {
            (Tone::Good, format!("another run of the same attempt has committed {snapshot}"))
        }
        Outcome::Failed(_) => return Ok(()),
    };
    output.say(style.paint(tone, &word));
    Ok(())
}

/// The same of a restore; what it could not do is named by its place in the target.
///
/// # Errors
/// When the report cannot be written.
pub fn print_restored(
    report: &Report,
    to: &Target,
    url: &str,
    output: Output,
) -> anyhow::Result<()> {
    if output.json {
        return print(report, url, output);
    }
    let mut shown = report.clone();
    for one in &mut shown.repositories {
        if let Figures::Restore(figures) = &mut one.figures {
            let lists = [&mut figures.failed, &mut figures.unset];
            for item in lists.into_iter().flat_map(|list| &mut list.first) {
                item.path = in_target(to, item.path.as_bytes(), false);
            }
        }
    }
    print(&shown, url, output)
}

/// Names on standard error what a run has lost of which nobody hears otherwise: with `--quiet` its code alone would
/// say that something is wrong.
fn tell_lost(report: &Report) {
    failure::warn(lost(report), false);
    for repository in &report.repositories {
        let mut lines = Vec::new();
        match &repository.figures {
            Figures::Backup(figures) => {
                let attributes = &figures.attributes_unreadable;
                listed("could not be read", &figures.unreadable, &mut lines);
                listed("have attributes that could not be read", attributes, &mut lines);
            }
            Figures::Restore(figures) => {
                listed("could not be restored", &figures.failed, &mut lines);
                listed("restored without all of their metadata", &figures.unset, &mut lines);
            }
            Figures::Nothing => {}
        }
        lines.iter().for_each(|text| failure::warn(text.trim_start(), false));
    }
}

/// What a run that ended in part could not do.
fn lost(report: &Report) -> &'static str {
    match (is_restore(report), is_partial(report)) {
        (true, _) => "not everything could be restored",
        (_, true) => "not everything could be read; the snapshot is marked partial",
        _ => "attributes could not be read; those entries are read again next time",
    }
}

fn is_restore(report: &Report) -> bool {
    report.repositories.iter().any(|one| matches!(one.figures, Figures::Restore(_)))
}

fn is_partial(report: &Report) -> bool {
    let snapshots = report.repositories.iter().filter_map(|one| one.snapshot.as_ref());
    snapshots.into_iter().any(|snapshot| snapshot.partial)
}

fn grade_words(grade: holdfast_executor::report::Grade) -> &'static str {
    match grade {
        holdfast_executor::report::Grade::Written => "written",
        holdfast_executor::report::Grade::ReadBack => "written and read back",
    }
}

fn lines(report: &RepositoryReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(snapshot) = &report.snapshot {
        let short = super::short(&snapshot.id);
        let compared = match (&report.figures, &snapshot.parent) {
            (Figures::Backup(_), Some(parent)) => {
                format!(", compared with {}", super::short(parent))
            }
            _ => String::new(),
        };
        lines.push(format!("snapshot {short} of {}{compared}", safe(&snapshot.roots.join(" "))));
    }
    match &report.figures {
        Figures::Backup(figures) => lines.extend(backup(figures, false)),
        Figures::Restore(figures) => restore(figures, &mut lines),
        Figures::Nothing => {}
    }
    lines
}

/// The figures of a backup, or of one that was only rehearsed.
#[must_use]
pub fn backup(figures: &BackupFigures, rehearsed: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let stored = if rehearsed { "would store" } else { "stored" };
    lines.push(format!(
        "files: {} new, {} changed, {} unmodified ({} opened)",
        HumanCount(figures.files_new),
        HumanCount(figures.files_changed),
        HumanCount(figures.files_unmodified),
        HumanCount(figures.files_opened)
    ));
    lines.push(format!(
        "processed {}, new {} ({} data blobs), {stored} {}; {} requests",
        format_size(figures.bytes_processed),
        format_size(figures.bytes_new),
        HumanCount(figures.data_blobs_new),
        format_size(figures.bytes_added),
        HumanCount(figures.requests)
    ));
    // What could not be read may have changed.
    let lost = figures.unreadable.count + figures.attributes_unreadable.count;
    if figures.same_as_parent && lost == 0 && figures.files_opened == 0 {
        lines.push("nothing has changed: no file was opened and no data was written".into());
    }
    if figures.files_distrusted > 0 {
        lines.push(format!(
            "{} files look unmodified and were read all the same: their file system keeps no times that prove it",
            HumanCount(figures.files_distrusted)
        ));
    }
    if let Some(host) = &figures.other_host {
        lines.push(format!(
            "compared with no snapshot: this host has none of these paths. Host {0} has: if it is the same machine \
             or volume, --host {0} goes on from there",
            safe(host)
        ));
    }
    listed("could not be read", &figures.unreadable, &mut lines);
    listed("have attributes that could not be read", &figures.attributes_unreadable, &mut lines);
    listed("changed while read", &figures.changed_while_read, &mut lines);
    lines
}

fn restore(figures: &RestoreFigures, lines: &mut Vec<String>) {
    let entries = &figures.entries;
    lines.push(format!(
        "restored {} ({} were in place), {}, {}, {} special; {} written",
        counted(entries.files, "file"),
        HumanCount(figures.files_unchanged),
        directories(entries.directories),
        counted(entries.symlinks + entries.hard_links, "link"),
        HumanCount(entries.special),
        format_size(figures.bytes_written)
    ));
    if figures.deleted > 0 {
        lines.push(format!("removed {} entries that the snapshot does not hold", figures.deleted));
    }
    if figures.skipped.total() > 0 {
        lines.push(format!("skipped: {}", skipped(&figures.skipped)));
    }
    listed("could not be restored", &figures.failed, lines);
    listed("restored without all of their metadata", &figures.unset, lines);
}

fn directories(count: u64) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { "directory" } else { "directories" })
}

/// Classes of skipped metadata with their counts; classes without any are left out.
fn skipped(skipped: &Skipped) -> String {
    let Skipped {
        owners,
        setuid,
        capabilities,
        devices,
        sockets,
        system_attributes,
        unsupported_attributes,
        belongs_to_another,
        coarse_times,
    } = *skipped;
    let classes = [
        (owners, "owners"),
        (setuid, "setuid, setgid or sticky bits"),
        (capabilities, "capabilities"),
        (devices, "devices"),
        (sockets, "sockets"),
        (system_attributes, "system attributes"),
        (unsupported_attributes, "attributes that the target does not take"),
        (belongs_to_another, "that were there, belong to another and stay as they are"),
        (coarse_times, "times that the target keeps in coarse steps"),
    ];
    let words: Vec<String> = classes
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    words.join(", ")
}

fn listed(what: &str, listed: &Listed, lines: &mut Vec<String>) {
    if listed.count == 0 {
        return;
    }
    lines.push(format!("{} {what}:", HumanCount(listed.count)));
    lines.extend(
        listed.first.iter().map(|item| format!("  {}: {}", safe(&item.path), safe(&item.message))),
    );
    let more = listed.count - listed.first.len() as u64;
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
}
