//! Which repository, and what opens it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use clap::Args;
use holdfast_executor::digest::RepoId;
use holdfast_executor::error::Error;
use holdfast_executor::failure_of;
use holdfast_executor::job::{self, Passphrase};
use holdfast_executor::repo::{Open, Repo, Unlock};
use holdfast_executor::report::FailureKind;
use holdfast_executor::store::{Retry, SharedStore, open_url, shown_url};

use crate::ports::environment;
use crate::repository::{self, Misuse, Sources};
use crate::show::repository::failure;

/// Says where the repository lies.
const URL_VARIABLE: &str = "HOLDFAST_REPOSITORY";

/// Names a file that says it.
const FILE_VARIABLE: &str = "HOLDFAST_REPOSITORY_FILE";

/// Options that every verb of `holdfast repo` takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Repository")]
pub struct Location {
    /// Where the repository lies: file:///path or s3://bucket/prefix?endpoint=https://server.
    #[arg(
        long,
        short = 'r',
        alias = "repo",
        global = true,
        env = URL_VARIABLE,
        hide_env_values = true
    )]
    url: Option<String>,
    /// File whose first line says that [env: HOLDFAST_REPOSITORY_FILE].
    #[arg(long, global = true, value_name = "FILE")]
    repository_file: Option<PathBuf>,
    /// File whose first line is the password. Without it and the next: HOLDFAST_PASSWORD_FILE,
    /// HOLDFAST_PASSWORD_COMMAND or HOLDFAST_PASSWORD, or a question on the terminal.
    #[arg(long, short = 'p', global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Command, run without a shell, the first line of whose output is the password.
    #[arg(long, global = true, value_name = "COMMAND", conflicts_with = "password_file")]
    password_command: Option<String>,
    /// Refuse any repository but the one with this id, as `init` and `key list` print it.
    #[arg(
        long,
        global = true,
        value_name = "ID",
        env = "HOLDFAST_EXPECT_REPOSITORY",
        hide_env_values = true,
        value_parser = repository::repository_id
    )]
    expect_repository: Option<RepoId>,
    /// Set by whoever runs the verb: how warnings are written.
    #[arg(skip)]
    pub(super) json: bool,
    /// What was opened, to hear what it does in another way than others.
    #[arg(skip)]
    opened: Opened,
}

/// A store that was opened, or none yet.
#[derive(Default)]
struct Opened(OnceLock<SharedStore>);

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "Opened" } else { "not opened" })
    }
}

impl Location {
    /// Takes the URL from a file, where one is named and counts: an option counts more than a variable does.
    ///
    /// # Errors
    /// `Misuse` where both options are given; a file that cannot be read, or whose first line is no URL.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let url = self.url.take().filter(|url| !url.is_empty());
        let by_variable = url.is_some() && url == std::env::var(URL_VARIABLE).ok();
        let file = match (self.repository_file.take(), url) {
            (Some(_), Some(_)) if !by_variable => {
                return Err(Misuse::new("give --url or --repository-file, not both").into());
            }
            (Some(file), _) => file,
            (None, Some(url)) => {
                self.url = Some(repository::place(&url)?);
                return Ok(());
            }
            (None, None) => match std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty()) {
                Some(file) => file.into(),
                None => return Ok(()),
            },
        };
        let shown = file.display();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Misuse::new(format!("--repository-file {shown}: {error}")))?;
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err(Misuse::new(format!("{shown}: its first line is empty")).into());
        }
        // What stands in a file that was meant for something else may be a password.
        if !line.contains("://") && !line.starts_with(['/', '.']) {
            let text = format!(
                "--repository-file {shown}: its first line is no URL, such as file:///path"
            );
            return Err(Misuse::new(text).into());
        }
        self.url = Some(repository::place(line).with_context(|| format!("{shown}"))?);
        Ok(())
    }

    /// The URL, or how to give it.
    pub fn url(&self) -> anyhow::Result<&str> {
        let how = "which repository? give --url file:///path, or set HOLDFAST_REPOSITORY";
        Ok(self.url.as_deref().ok_or_else(|| Misuse::new(how))?)
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
    /// As [`Self::passphrase`]; `Misuse` where a known repository is expected.
    pub fn first_passphrase(&self) -> anyhow::Result<Passphrase> {
        if self.expect_repository.is_some() {
            let text =
                "a repository that is known is never made again: leave out --expect-repository";
            return Err(Misuse::new(text).into());
        }
        self.ask(true)
    }

    fn ask(&self, twice: bool) -> anyhow::Result<Passphrase> {
        let sources = Sources {
            file: self.password_file.as_deref(),
            command: self.password_command.as_deref(),
            variable: "HOLDFAST_PASSWORD",
            prompt: "password of the repository: ",
            twice,
            hint: "--password-file FILE or --password-command COMMAND",
        };
        sources.read()
    }

    /// What says of an error that it came before the repository was open.
    pub fn unopened(&self) -> failure::Unopened {
        failure::Unopened { url: shown_url(self.url.as_deref().unwrap_or_default()) }
    }

    /// An error of a job that opens the repository by itself, with the place where that is to blame.
    pub fn place(&self, error: Error) -> anyhow::Error {
        use FailureKind as K;
        match failure_of(&error).kind {
            K::SourceMissing
            | K::SourceUnreadable
            | K::EmptySource
            | K::InvalidJob
            | K::PathNotEmpty
            | K::Interrupted => error.into(),
            _ => anyhow::Error::new(error).context(self.unopened()),
        }
    }

    /// The store that the URL names, asked again where that may help.
    pub fn store(&self) -> anyhow::Result<SharedStore> {
        let store = open_url(self.url()?, &environment::access()).map_err(Error::from)?;
        let store: SharedStore = Arc::new(Retry::patient(store));
        Ok(self.opened.0.get_or_init(|| store).clone())
    }

    /// Tells what the store that was opened does in another way than others. Once, at the end.
    pub fn tell_notices(&self) {
        let said = self.opened.0.get().map(|store| store.notices()).unwrap_or_default();
        said.iter().for_each(|text| failure::warn(text, self.json));
    }

    /// The repository, opened for reading.
    pub fn open(&self) -> anyhow::Result<Repo<Open>> {
        self.open_with(&self.passphrase()?, false)
    }

    /// The repository, opened for changing it.
    pub fn open_for_writing(&self) -> anyhow::Result<Repo<Open>> {
        self.open_with(&self.passphrase()?, true)
    }

    /// The repository, opened with a password that was read already.
    pub fn open_with(&self, passphrase: &Passphrase, write: bool) -> anyhow::Result<Repo<Open>> {
        let (store, unlock) = (self.store()?, Unlock { expected: self.expect_repository, write });
        let opened = Repo::at(store)
            .open_telling(passphrase.as_bytes(), unlock, |text| failure::warn(text, self.json));
        opened.with_context(|| self.unopened())
    }

    /// The repository as jobs name it.
    pub fn repository(&self) -> anyhow::Result<job::Repository> {
        Ok(job::Repository {
            name: "repository".into(),
            url: self.url()?.to_owned(),
            access: environment::access(),
            passphrase: self.passphrase()?,
            expected_id: self.expect_repository.map(|id| id.to_string()),
            create_if_missing: false,
        })
    }
}
