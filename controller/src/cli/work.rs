//! `holdfast work`: one attempt at one component, one task of a storage, or one hook.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::worker;

/// Arguments of the verb.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Directory with the job; the result is left there.
    #[arg(long, requires = "uid", required_unless_present_any = ["task", "guard"])]
    dir: Option<PathBuf>,
    /// What the operator calls this worker.
    #[arg(long)]
    uid: Option<String>,
    /// Do the task that standard input holds, and end when that ends.
    #[arg(long, conflicts_with_all = ["dir", "uid"])]
    task: bool,
    /// Run the command, and end it with all that it has started when standard input ends.
    #[arg(long, conflicts_with_all = ["dir", "uid", "task"], requires = "command")]
    guard: bool,
    /// The command.
    #[arg(last = true, requires = "guard")]
    command: Vec<OsString>,
}

/// Runs the verb.
///
/// # Errors
/// When the directory or the pipes cannot be used; what fails of the work is a result.
pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    match (&arguments.dir, &arguments.uid) {
        (Some(dir), Some(uid)) => worker::work(dir, uid)?,
        _ if arguments.guard => worker::guard::work(&arguments.command)?,
        _ => worker::task::work()?,
    }
    Ok(Exit::Done)
}
