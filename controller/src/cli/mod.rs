//! The command line: one verb a file, and no logic.

mod completions;
mod demo;
mod local;
mod manual;
mod repo;
mod retention;
mod session;
mod work;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::exit::Exit;
use crate::show::style::{Style, Tone, safe};

/// Backs up and restores applications on Kubernetes, and on machines without it.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell the whole story on a temporary directory, in under a minute.
    Demo(demo::Demo),
    /// Operator without a cluster: manifests from files, volumes from directories.
    Local(local::Arguments),
    /// Worker of a local operator; it is started by that.
    #[command(hide = true)]
    Work(work::Arguments),
    /// Work with a repository by hand, without Kubernetes.
    Repo(repo::Repo),
    /// What happened, why, and what was known when: reads the log of an operator.
    Session(session::Session),
    /// What a retention policy would do.
    Retention(retention::Retention),
    /// Print what a shell needs to complete words of this command line.
    Completions(completions::Completions),
    /// Write the manual pages of all verbs into a directory.
    Man(manual::Manual),
}

/// Runs the verb that was asked for.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Demo(verb) => verb.run(),
        Verb::Local(arguments) => local::run(arguments),
        Verb::Work(arguments) => work::run(&arguments),
        Verb::Repo(verb) => verb.run(),
        Verb::Session(verb) => verb.run(),
        Verb::Retention(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(Cli::command()),
        Verb::Man(verb) => verb.run(Cli::command()),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            let word = Style::detect().paint(Tone::Bad, "error");
            eprintln!("{word}: {}", safe(&format!("{error:#}")));
            Exit::of_chain(&error).into()
        }
    }
}
