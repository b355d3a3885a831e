//! Which repository, and what opens it.

use std::path::PathBuf;

use clap::Args;
use holdfast_executor::job::{self, Passphrase};
use holdfast_executor::repo::{Open, Repo, Unlock};
use holdfast_executor::store::{SharedStore, open_url};

use super::password::Sources;

/// Options that every verb of `holdfast repo` takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Repository")]
pub struct Location {
    /// Where the repository lies: file:///path.
    #[arg(
        long,
        short = 'r',
        alias = "repo",
        global = true,
        env = "HOLDFAST_REPOSITORY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub url: String,
    /// File whose first line is the password. Without it and the next: the environment variable
    /// HOLDFAST_PASSWORD, or a question on the terminal.
    #[arg(
        long,
        short = 'p',
        global = true,
        value_name = "FILE",
        env = "HOLDFAST_PASSWORD_FILE",
        hide_env_values = true
    )]
    password_file: Option<PathBuf>,
    /// Command, run without a shell, the first line of whose output is the password.
    #[arg(
        long,
        global = true,
        value_name = "COMMAND",
        env = "HOLDFAST_PASSWORD_COMMAND",
        hide_env_values = true
    )]
    password_command: Option<String>,
}

impl Location {
    /// The URL, or how to give it.
    pub fn url(&self) -> anyhow::Result<&str> {
        anyhow::ensure!(
            !self.url.is_empty(),
            "which repository? give --url file:///path, or set HOLDFAST_REPOSITORY"
        );
        Ok(&self.url)
    }

    /// The password.
    ///
    /// # Errors
    /// When there is none, with the ways to give it.
    pub fn passphrase(&self) -> anyhow::Result<Passphrase> {
        self.ask(false)
    }

    /// The password of a repository that does not exist yet: whoever types it types it twice.
    ///
    /// # Errors
    /// As [`Self::passphrase`].
    pub fn first_passphrase(&self) -> anyhow::Result<Passphrase> {
        self.ask(true)
    }

    fn ask(&self, twice: bool) -> anyhow::Result<Passphrase> {
        let sources = Sources {
            file: self.password_file.as_ref(),
            command: self.password_command.as_ref(),
            variable: "HOLDFAST_PASSWORD",
            prompt: Some("password of the repository: "),
            twice,
            hint: "--password-file FILE or --password-command COMMAND",
        };
        sources.read()
    }

    /// The store that the URL names.
    pub fn store(&self) -> anyhow::Result<SharedStore> {
        Ok(open_url(self.url()?).map_err(holdfast_executor::error::Error::from)?)
    }

    /// The repository, opened for reading.
    pub fn open(&self) -> anyhow::Result<Repo<Open>> {
        self.open_with(&self.passphrase()?, Unlock::default())
    }

    /// The repository, opened for changing it.
    pub fn open_for_writing(&self) -> anyhow::Result<Repo<Open>> {
        self.open_with(&self.passphrase()?, Unlock { write: true, ..Unlock::default() })
    }

    /// The repository, opened with a password that was read already.
    pub fn open_with(&self, passphrase: &Passphrase, unlock: Unlock) -> anyhow::Result<Repo<Open>> {
        Ok(Repo::at(self.store()?).open(passphrase.as_bytes(), unlock)?)
    }

    /// The repository as jobs name it.
    pub fn repository(&self) -> anyhow::Result<job::Repository> {
        Ok(job::Repository {
            name: "repository".into(),
            url: self.url()?.to_owned(),
            passphrase: self.passphrase()?,
            expected_id: None,
            create_if_missing: false,
        })
    }
}
