//! The one binary: operator, worker, command line. It is a library too, so that tests can ask what its command
//! line is made of.

mod calendar;
mod chain_key;
mod cli;
mod demo;
mod exit;
mod history;
mod keep;
mod local;
mod narrate;
mod operator;
mod pages;
mod place;
mod ports;
mod replace;
mod repository;
mod show;
mod sighting;
mod signals;
mod telemetry;
mod translate;
mod worker;

pub use cli::{command, habit, habits, run, understand};
