//! How far a job has come, on a terminal; and Ctrl-C, which ends it in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_executor::report::{Phase, Progress, ProgressUpdate};
use indicatif::{HumanCount, ProgressBar};

use crate::cli::Output;
use crate::show::lines;
use crate::show::progress;
use crate::show::repository::{backup, failure};
use crate::show::style::Style;
use crate::signals;

/// A bar on standard error while the job runs.
pub struct Watch {
    bar: ProgressBar,
    cancelled: Arc<AtomicBool>,
    output: Output,
    /// Files that are read are named on standard output.
    names_files: bool,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the system takes no handler for signals.
    pub fn new(verb: &str, output: Output) -> std::io::Result<Self> {
        let cancelled = signals::cancelled()?;
        let bar = progress::bar(verb, output.hides_progress());
        Ok(Self { bar, cancelled, output, names_files: false })
    }

    /// The same, and names the files that are read.
    #[must_use]
    pub fn naming_files(mut self, names_files: bool) -> Self {
        self.names_files = names_files;
        self
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Watch {
    fn update(&self, update: &ProgressUpdate) {
        let phase = match update.phase {
            Phase::Opening => "opening the repository",
            Phase::Moving => "",
            Phase::Committing => "committing",
            Phase::ReadingBack => "reading back",
        };
        let errors = if update.errors == 0 {
            String::new()
        } else {
            format!(", {} unreadable", update.errors)
        };
        progress::measure(&self.bar, update.bytes, update.bytes_total);
        let files = match update.files_total {
            0 => format!("{} files", HumanCount(update.files)),
            total => format!("{} of {} files", HumanCount(update.files), HumanCount(total)),
        };
        self.bar.set_message(format!("{files}{errors} {phase}"));
    }

    fn names_files(&self) -> bool {
        self.names_files
    }

    fn reads(&self, path: &[u8], is_known: bool) {
        let text = match self.output.json {
            true => backup::read_json(path, is_known).to_string(),
            false => backup::read_line(path, is_known, Style::detect()),
        };
        // A listing that nobody reads must not end a backup.
        let _ = self.bar.suspend(|| lines::print(text));
    }

    fn warn(&self, text: &str) {
        self.bar.suspend(|| failure::warn(text, self.output.json));
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn cancel_flag(&self) -> Option<Arc<AtomicBool>> {
        Some(self.cancelled.clone())
    }
}

/// Hears warnings of what is soon done, and nothing else.
pub struct Heard {
    /// As lines for programs.
    pub json: bool,
}

impl Progress for Heard {
    fn update(&self, _: &ProgressUpdate) {}

    fn warn(&self, text: &str) {
        failure::warn(text, self.json);
    }
}
