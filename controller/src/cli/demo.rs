//! `holdfast demo`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::ports::ids;

/// Arguments of `holdfast demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Play in this directory, which must be empty; without it a new one below the system's temporary
    /// directory. It is left to look at.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Demo {
    /// Tells the story.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub fn run(self) -> anyhow::Result<Exit> {
        let root = self.dir.unwrap_or_else(|| {
            let unique: String = ids::uid().to_string().chars().take(8).collect();
            std::env::temp_dir().join(format!("holdfast-demo-{unique}"))
        });
        crate::demo::tell(std::path::absolute(root)?)?;
        Ok(Exit::Done)
    }
}
