//! `holdfast repo restore`.

use super::selection;
use super::workers::Workers;
use std::path::PathBuf;

use clap::Args;
use holdfast_executor::error::Error;
use holdfast_executor::job::{self, Job, RestoreOptions, Work};
use holdfast_executor::repo::{self, Action, Open, Repo};
use holdfast_executor::report::{Figures, RestoreFigures};
use holdfast_executor::snapshot::Snapshot;

use super::choose::Choose;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::ports::{clock, ids};
use crate::repository::{Misuse, Watch, glob, globs};
use crate::show::lines::Lines;
use crate::show::repository::{failure, rehearsal as show, report};
use crate::show::style::{Style, safe};

/// Arguments of `holdfast repo restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// An id, a unique prefix of one, or `latest`. With `:/sub/dir` the content of that directory goes
    /// directly into the target.
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    snapshot: String,
    #[command(flatten)]
    choose: Choose,
    /// The directory that receives it; made when missing.
    #[arg(long, short = 't', value_name = "DIR")]
    target: PathBuf,
    /// Restore only what fits. Can be repeated.
    #[arg(long, short = 'i', value_name = "GLOB", value_parser = glob)]
    include: Vec<String>,
    /// Leave out what fits. Can be repeated.
    #[arg(long, short = 'e', value_name = "GLOB", value_parser = glob)]
    exclude: Vec<String>,
    /// The same as --include, blind to the case of letters. Can be repeated.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    iinclude: Vec<String>,
    /// The same as --exclude, blind to the case of letters. Can be repeated.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    iexclude: Vec<String>,
    /// Restore only what fits one of the globs in this file, one a line. Can be repeated.
    #[arg(long, value_name = "FILE")]
    include_file: Vec<PathBuf>,
    /// Leave out what fits one of the globs in this file. Can be repeated.
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// As --include-file, blind to the case of letters. Can be repeated.
    #[arg(long, value_name = "FILE")]
    iinclude_file: Vec<PathBuf>,
    /// As --exclude-file, blind to the case of letters. Can be repeated.
    #[arg(long, value_name = "FILE")]
    iexclude_file: Vec<PathBuf>,
    /// Remove what the target holds and the snapshot does not: from directories that were backed up, without
    /// what the backup left out, and when everything else is in place.
    #[arg(long)]
    delete: bool,
    /// Remove by a partial snapshot, too: what the backup could not read is removed with the rest.
    #[arg(long, requires = "delete")]
    delete_although_partial: bool,
    /// Restore into what is mounted beneath the target, too. Without it such a place is listed and left alone.
    #[arg(long)]
    across_mounts: bool,
    /// Compare content of files that look unchanged instead of trusting size and time.
    #[arg(long)]
    verify: bool,
    /// Restore owners, setuid bits, capabilities and devices too (needs root).
    #[arg(long)]
    privileged: bool,
    /// Leave extended attributes whose names fit as the target has them. Can be repeated.
    #[arg(long, value_name = "PATTERN", conflicts_with = "include_xattr")]
    exclude_xattr: Vec<String>,
    /// Restore only extended attributes whose names fit. Can be repeated.
    #[arg(long, value_name = "PATTERN")]
    include_xattr: Vec<String>,
    /// Write nothing: say what would be made (+), replaced (M), removed (-) and refused (!).
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    workers: Workers,
}

impl Restore {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let (snapshot, from) = selection::split(&self.snapshot)?;
        let filter = self.choose.filter_of(snapshot)?;
        let target = job::Target { from: from.to_owned(), to: self.target };
        let options = RestoreOptions {
            include: with_files("--include-file", self.include, &self.include_file)?,
            exclude: with_files("--exclude-file", self.exclude, &self.exclude_file)?,
            iinclude: with_files("--iinclude-file", self.iinclude, &self.iinclude_file)?,
            iexclude: with_files("--iexclude-file", self.iexclude, &self.iexclude_file)?,
            delete_extra: self.delete,
            delete_although_partial: self.delete_although_partial,
            across_mounts: self.across_mounts,
            verify: self.verify,
            privileged: self.privileged,
            include_attributes: self.include_xattr,
            exclude_attributes: self.exclude_xattr,
        };
        if self.dry_run {
            let repository = location.open()?;
            let (_, found) = self.choose.one(&repository, snapshot, output)?;
            return rehearse(&repository, &found, &target, &options, output);
        }
        let to = target.clone();
        let (includes, verify) = (options.include.len() + options.iinclude.len(), options.verify);
        let job = Job {
            attempt: ids::uid().to_string(),
            at: clock::now_nanos(),
            work: Work::Restore(job::Restore {
                repository: location.repository()?,
                snapshot: snapshot.to_owned(),
                component: None,
                targets: vec![target],
                options,
            }),
            resources: self.workers.resources(),
        };
        let report = {
            let watch = Watch::new("restore", output)?;
            holdfast_executor::run_choosing(&job, &filter, &watch)
        };
        report::print_restored(&report, &to, location.url()?, output)?;
        let figures = report.repositories.iter().find_map(|one| match &one.figures {
            Figures::Restore(figures) => Some(figures),
            _ => None,
        });
        if let Some(figures) = figures {
            if figures.files_unchanged > 0 && !verify {
                output.say(
                    "what was in place has the size and time of the snapshot; --verify compares its content as well",
                );
            }
            tell_unmatched(figures, includes, output)?;
        }
        Ok(Exit::of(&report.outcome))
    }
}

/// Globs of options and of files.
fn with_files(
    option: &str,
    mut own: Vec<String>,
    files: &[PathBuf],
) -> anyhow::Result<Vec<String>> {
    for file in files {
        let globs = globs(option, file)?;
        if let Some(glob) = globs.iter().find(|glob| glob.starts_with('!')) {
            let file = file.display();
            return Err(Misuse::new(format!(
                "{option} {file}: {glob:?} would take something back, which a restore does not; write \\! for a name that begins so"
            ))
            .into());
        }
        own.extend(globs);
    }
    Ok(own)
}

/// Says which patterns fit nothing.
///
/// # Errors
/// When nothing fits what was to be included: then nothing is restored, and that is no success.
fn tell_unmatched(figures: &RestoreFigures, includes: usize, output: Output) -> anyhow::Result<()> {
    let is_include = |text: &&String| text.starts_with("--i") && text.contains("include ");
    let unmatched = figures.unmatched.iter().filter(is_include).count();
    if includes > 0 && unmatched == includes {
        let name = figures.unmatched.join(", ");
        let error = anyhow::Error::from(Error::NoSuch { what: "path in the snapshot", name });
        return Err(
            error.context("nothing fits what is to be included, so that nothing was restored")
        );
    }
    if !output.quiet {
        for pattern in &figures.unmatched {
            let text = format!("{} fits nothing in the snapshot", safe(pattern));
            failure::warn(&text, output.json);
        }
    }
    Ok(())
}

fn rehearse(
    repository: &Repo<Open>,
    snapshot: &Snapshot,
    target: &job::Target,
    options: &RestoreOptions,
    output: Output,
) -> anyhow::Result<Exit> {
    let (mut lines, style) = (Lines::new(), Style::detect());
    // Lines and a bar would write over each other.
    let watch = Watch::new("restore", Output { quiet: true, ..output })?;
    let figures = repo::rehearse(repository, snapshot, target, options, &watch, |path, action| {
        let place = show::in_target(target, path, !matches!(action, Action::Refuse(_)));
        match output.json {
            true => lines.line(show::json(path, &place, action)),
            false => output.quiet || lines.line(show::line(&place, action, style)),
        };
        Ok(())
    })?;
    if output.json {
        lines.line(serde_json::json!({ "message": "summary", "figures": figures }));
    } else if !output.quiet {
        lines.line(show::summary(&figures));
    }
    lines.finish()?;
    tell_unmatched(&figures, options.include.len() + options.iinclude.len(), output)?;
    Ok(if figures.failed.count == 0 { Exit::Done } else { Exit::Unreadable })
}
