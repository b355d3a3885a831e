//! What is declared: manifests of a directory, read again and again, and the catalog that comes with the binary.

pub mod builtin;
pub mod catalog;
pub mod files;
pub mod manifest;
pub mod watch;
