//! How far a job has come, on a terminal; and Ctrl-C, which ends it in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_executor::report::{Phase, Progress, ProgressUpdate};
use indicatif::{HumanCount, ProgressBar};

use crate::show::progress;
use crate::signals;

/// A bar on standard error while the job runs.
pub struct Watch {
    bar: ProgressBar,
    cancelled: Arc<AtomicBool>,
}

impl Watch {
    /// Begins to watch; `quiet` shows nothing.
    ///
    /// # Errors
    /// When the system takes no handler for signals.
    pub fn new(verb: &str, quiet: bool) -> std::io::Result<Self> {
        let cancelled = signals::cancelled()?;
        Ok(Self { bar: progress::bar(verb, quiet), cancelled })
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

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
