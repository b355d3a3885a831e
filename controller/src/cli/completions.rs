//! `holdfast completions`.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::exit::Exit;

/// Arguments of `holdfast completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell. For bash: `source <(holdfast completions bash)`.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    /// When nobody reads them.
    pub fn run(self, mut command: Command) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        generate(self.shell, &mut command, "holdfast", &mut script);
        std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
        Ok(Exit::Done)
    }
}
