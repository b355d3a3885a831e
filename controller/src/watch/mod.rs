//! Sees objects: where they are declared, and what changed about them.

pub mod again;
pub mod builtin;
pub mod catalog;
pub mod files;
pub mod manifest;
