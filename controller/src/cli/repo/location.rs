//! Which repository, and what opens it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::job::{self, Passphrase};
use holdfast_executor::repo::{Open, Repo, Unlock};
use holdfast_executor::store::{SharedStore, open_url};

/// Options that every verb of `holdfast repo` takes.
#[derive(Debug, Args)]
pub struct Location {
    /// Where the repository lies: file:///path.
    #[arg(
        long,
        short = 'r',
        alias = "repo",
        global = true,
        help_heading = "Repository",
        env = "HOLDFAST_REPOSITORY",
        default_value = "",
        hide_default_value = true
    )]
    pub url: String,
    /// File whose first line is the password. Without it: the environment variable HOLDFAST_PASSWORD.
    #[arg(
        long,
        short = 'p',
        global = true,
        help_heading = "Repository",
        value_name = "FILE",
        env = "HOLDFAST_PASSWORD_FILE"
    )]
    password_file: Option<PathBuf>,
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
    /// When there is none, with the two ways to give it.
    pub fn passphrase(&self) -> anyhow::Result<Passphrase> {
        let text = match &self.password_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("--password-file {}", file.display()))?,
            None => std::env::var("HOLDFAST_PASSWORD").map_err(|_| {
                anyhow::anyhow!("no password: set HOLDFAST_PASSWORD, or give --password-file FILE")
            })?,
        };
        let line = text.lines().next().unwrap_or_default();
        anyhow::ensure!(!line.is_empty(), "the password is empty");
        Ok(Passphrase::new(line.to_owned()))
    }

    /// The store that the URL names.
    pub fn store(&self) -> anyhow::Result<SharedStore> {
        Ok(open_url(self.url()?).map_err(holdfast_executor::error::Error::from)?)
    }

    /// The repository, opened for reading.
    pub fn open(&self) -> anyhow::Result<Repo<Open>> {
        let store = self.store()?;
        Ok(Repo::at(store).open(self.passphrase()?.as_bytes(), Unlock::default())?)
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
