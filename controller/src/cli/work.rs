//! `holdfast work`: one attempt at one component.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::worker;

/// Arguments of the verb.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Directory with the job; the result is left there.
    #[arg(long)]
    dir: PathBuf,
    /// What the operator calls this worker.
    #[arg(long)]
    uid: String,
}

/// Runs the verb.
///
/// # Errors
/// When the directory cannot be used; a job that fails is a result.
pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    worker::work(&arguments.dir, &arguments.uid).map(|()| Exit::Done)
}
