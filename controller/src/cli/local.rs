//! `holdfast local`: the operator without a cluster.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::usage::References;

use crate::exit::Exit;
use crate::local::{self, End, Settings};

/// Arguments of the verb.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Directory or file with the manifests.
    #[arg(short, long = "file", value_name = "DIR")]
    file: PathBuf,
    /// Directory for the log, statuses and volumes without a directory of their own.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The key of the log's chain: a file with 32 bytes, or with 64 hexadecimal digits. A log keeps the key
    /// that it began with.
    #[arg(long, value_name = "FILE")]
    chain_key_file: Option<PathBuf>,
    /// How far references to other namespaces go: `annotated`, to what allows it by its annotation
    /// holdfast.dev/allowed-namespaces; `any-but-targets`, to every Secret and Repository as well; `any`.
    #[arg(long, value_name = "SETTING", default_value = "annotated", value_parser = references)]
    cross_namespace_references: References,
    /// Apply, run what has to run now, and end.
    #[arg(long)]
    once: bool,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// Say nothing but errors.
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the verb.
///
/// # Errors
/// When the operator cannot start, or its log cannot be written any more.
pub fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { file, state, chain_key_file, once, json, quiet, .. } = arguments;
    let references = arguments.cross_namespace_references;
    let end = local::run(Settings { file, state, chain_key_file, references, once, json, quiet })?;
    Ok(match end {
        End::Fine => Exit::Done,
        End::SomethingFailed => Exit::Failed,
        End::Interrupted => Exit::Interrupted,
    })
}

fn references(text: &str) -> Result<References, String> {
    References::named(text)
        .ok_or_else(|| format!("{text:?} is none of annotated, any-but-targets and any"))
}
