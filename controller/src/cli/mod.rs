//! The command line: one verb a file, and no logic.

mod completions;
mod crds;
mod demo;
mod local;
mod manual;
mod repo;
mod retention;
mod session;
mod work;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

pub use repo::{Output, habit, habits};

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use holdfast_executor::report::without_credentials;

use crate::exit::Exit;
use crate::show::repository::failure;
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
    /// Print the definitions of all kinds, for `kubectl apply --server-side -f -`.
    Crds(crds::Crds),
    /// Print what a shell needs to complete words of this command line.
    Completions(completions::Completions),
    /// Write the manual pages of all verbs into a directory.
    Man(manual::Manual),
}

/// The command line, as a parser understands it.
#[must_use]
pub fn command() -> Command {
    // Everywhere else -H is a host's, as it is for restic; of `forget` it is not.
    let forget = |forget: Command| {
        forget
            .mut_arg("host", |host| host.short(None))
            .mut_arg("keep_hourly", |hourly| hourly.short('H'))
    };
    Cli::command().mut_subcommand("repo", |repo| repo.mut_subcommand("forget", forget))
}

/// Whether a line of words is understood: what is done before a verb begins, and nothing else. Whoever asks
/// often keeps the command.
///
/// # Errors
/// What is wrong with the line; help and version count as errors.
pub fn understand(command: &mut Command, line: &[OsString]) -> Result<(), clap::Error> {
    let mut matches = command.try_get_matches_from_mut(line)?;
    Cli::from_arg_matches_mut(&mut matches).map(drop)
}

/// Runs the verb that was asked for.
#[must_use]
pub fn run() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|mut matches| {
        Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command()))
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return misunderstood(error),
    };
    crate::telemetry::begin();
    let outcome = match cli.verb {
        Verb::Demo(verb) => verb.run(),
        Verb::Local(arguments) => local::run(arguments),
        Verb::Work(arguments) => work::run(&arguments),
        Verb::Repo(verb) => Ok(verb.run()),
        Verb::Session(verb) => verb.run(),
        Verb::Retention(verb) => verb.run(),
        Verb::Crds(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(command()),
        Verb::Man(verb) => verb.run(command()),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            let word = Style::of_errors().paint(Tone::Bad, "error");
            // A terminal that has gone away hears nothing.
            let text = format!("{error:#}");
            let text = safe(&without_credentials(&text));
            let _ = writeln!(std::io::stderr(), "{word}: {text}");
            Exit::of_chain(&error).into()
        }
    }
}

/// What a line asks of `holdfast repo`, as far as it can be told of one that is not understood.
fn verb_of_repo() -> Option<String> {
    let command = command();
    let repo = command.find_subcommand("repo")?;
    let words = std::env::args_os().skip_while(|word| word != "repo").skip(1);
    let mut words = words.filter_map(|word| word.into_string().ok());
    words.find(|word| repo.find_subcommand(word).is_some())
}

/// Help and version are no errors; whoever asks for JSON gets the others as JSON.
fn misunderstood(mut error: clap::Error) -> ExitCode {
    repo::answer(&mut error, verb_of_repo().as_deref());
    if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let text = error.to_string();
        failure::print_json(text.trim_start_matches("error: ").trim_end(), None, Exit::Misused);
        return Exit::Misused.into();
    }
    let text = error.to_string();
    let escaped: Vec<String> = without_credentials(&text).split('\n').map(safe).collect();
    // A terminal that has gone away hears nothing.
    let _ = match escaped.join("\n") {
        plain if plain == text => error.print(),
        plain => write!(std::io::stderr(), "{plain}"),
    };
    if error.use_stderr() { Exit::Misused.into() } else { Exit::Done.into() }
}
