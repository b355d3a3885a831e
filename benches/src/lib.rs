//! Criterion benches of each stage of the data path and of the log.
//!
//! Here is what several of them move; the measurements lie in `benches/`, one stage a file. Figures and
//! how to get them are in `docs/performance.md`.

pub mod content;
pub mod log;
pub mod site;
