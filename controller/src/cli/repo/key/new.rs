//! Options that give a new password.

use std::path::PathBuf;

use clap::Args;
use holdfast_executor::job::Passphrase;

use crate::repository::{Sources, label};

/// A password and what its slot is called.
#[derive(Debug, Args)]
pub struct New {
    /// File whose first line is the new password. Without it and the next: HOLDFAST_NEW_PASSWORD_FILE,
    /// HOLDFAST_NEW_PASSWORD_COMMAND or HOLDFAST_NEW_PASSWORD, or a question on the terminal.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Command, run without a shell, the first line of whose output is the new password.
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_password_file")]
    new_password_command: Option<String>,
    /// What the slot is called, instead of this machine's name.
    #[arg(long, default_value_t = crate::ports::environment::hostname(), hide_default_value = true, value_parser = label)]
    pub label: String,
}

impl New {
    /// The new password.
    ///
    /// # Errors
    /// When there is none, with the ways to give it.
    pub fn passphrase(&self) -> anyhow::Result<Passphrase> {
        let sources = Sources {
            file: self.new_password_file.as_deref(),
            command: self.new_password_command.as_deref(),
            variable: "HOLDFAST_NEW_PASSWORD",
            prompt: "new password: ",
            twice: true,
            hint: "--new-password-file FILE or --new-password-command COMMAND",
        };
        sources.read()
    }
}
