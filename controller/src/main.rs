//! The one binary: operator, worker, command line.

mod act;
mod calendar;
mod chain_key;
mod cli;
mod demo;
mod dispatcher;
mod exit;
mod history;
mod keep;
mod local;
mod narrate;
mod pages;
mod ports;
mod replace;
mod show;
mod signals;
mod translate;
mod watch;
mod worker;

fn main() -> std::process::ExitCode {
    cli::run()
}
