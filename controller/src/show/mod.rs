//! How things look on a terminal. Nothing here decides anything.

pub mod audit;
pub mod census;
pub mod chart;
pub mod document;
pub mod explanation;
pub mod head;
pub mod lines;
pub mod progress;
pub mod repository;
pub mod sessions;
pub mod simulation;
pub mod style;
pub mod table;
pub mod timeline;
