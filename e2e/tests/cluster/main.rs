//! Scenarios on a real cluster. `e2e/run` runs them; `e2e/run test NAME` those with a name, on one that is up.
#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod components;
mod ground;
mod image;
mod killed;
mod providers;
mod server;
mod volumes;
