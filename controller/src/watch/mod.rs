//! Sees objects: where they are declared, and what changed about them.

pub mod builtin;
pub mod catalog;
pub mod declare;
pub mod files;
pub mod follow;
pub mod manifest;
