//! How a verb talks.

use clap::Args;

use crate::show::lines;

/// For people, for programs, or not at all.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print JSON instead of text: one document, or one a line where a verb lists. Errors and warnings are
    /// lines of JSON on standard error.
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Say nothing but what was asked for, and errors.
    #[arg(long, short = 'q', global = true, help_heading = "Output")]
    pub quiet: bool,
}

impl Output {
    /// Whether no progress is shown.
    #[must_use]
    pub const fn hides_progress(self) -> bool {
        self.json || self.quiet
    }

    /// Prints a sentence for people, unless nobody wants to hear it.
    pub fn say(self, text: impl std::fmt::Display) {
        if !self.json && !self.quiet {
            // A sentence that cannot be said must not end what is done.
            let _ = lines::print(text);
        }
    }
}
