//! Moves bytes: deduplicated, compressed, encrypted repositories, and what fills and empties them.
//!
//! The layout of every byte is decided in `docs/format.md`; this package follows it. Bytes come in at
//! `source`, go through `pipeline` into blocks, packs and a snapshot of a `repo`, and come out at
//! `sink`. Nothing here knows Kubernetes, decides anything about sessions, or is asynchronous.

mod beneath;
pub mod block;
pub mod chunk;
mod closing;
pub mod compress;
pub mod config;
pub mod digest;
pub mod error;
pub mod index;
pub mod job;
pub mod keys;
pub mod limits;
pub mod pack;
mod pipeline;
pub mod repo;
pub mod report;
mod run;
pub mod seal;
mod sink;
pub mod slot;
pub mod snapshot;
pub mod source;
pub mod store;
pub mod task;
mod threads;
mod trail;
pub mod tree;
mod wire;

pub use run::{failure_of, rehearse_backup, run, run_choosing};
