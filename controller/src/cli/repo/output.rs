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
    /// Say more: `backup` names the files that are read, because they are new (+) or have changed (M). Other verbs
    /// have nothing more to say.
    #[arg(
        long,
        short = 'v',
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_name = "LEVEL",
        overrides_with = "verbose",
        help_heading = "Output"
    )]
    pub verbose: Option<u8>,
}

impl Output {
    /// Whether more is said than usual.
    #[must_use]
    pub fn is_verbose(self) -> bool {
        !self.quiet && self.verbose.is_some_and(|level| level > 0)
    }

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
