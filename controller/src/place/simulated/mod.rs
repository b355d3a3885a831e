//! A cluster that is made up, on a clock that is made up: engine, log, dispatcher, runner and publisher run together in
//! it, and everything that can go wrong does so as a seed says.
//!
//! ```text
//!  script ──▶ cluster ◀── place ◀──▶ kernel ──▶ log ──▶ disk in memory
//!  (a user)   (a model)     ▲                             ▲
//!                           └── weather (a seed) ─────────┘
//! ```
//!
//! One thread, one order of everything: the same seed gives the same bytes in the log. A life is one process of the
//! operator; its end is a crash at any await point or any call of the disk, a lost lead, or an orderly stop, and the next
//! life begins on what is left.

mod calls;
mod clock;
mod cluster;
mod dice;
mod directed;
mod faults;
mod kernel;
mod life;
pub(super) mod manifests;
mod panics;
mod place;
mod report;
mod run;
mod script;
mod shown;
mod simulation;
mod store;
mod weather;
mod witness;
mod worker;

pub(super) use self::clock::Time;
pub(super) use self::cluster::Cluster;
pub(super) use self::place::Simulated;
pub(super) use self::weather::Weather;
