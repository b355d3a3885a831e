//! Read models: what statuses, the command line and the page show.
//!
//! A view is a function of aggregates; nothing here is stored. Of what happens elsewhere (a storage
//! turning NotReady) nothing is copied into other aggregates: views join it.

pub mod backup;
pub mod catalog;
pub mod configuration;
pub mod fold;
pub mod hooks;
pub mod object;
pub mod phases;
pub mod repository;
pub mod restore;
pub mod snapshot;
pub mod storage;
pub mod timeline;
pub mod usage;

use alloc::vec::Vec;

use crate::condition::{Condition, Conditions};

/// Conditions as statuses list them: in order of first appearance.
#[must_use]
pub fn conditions(facts: &Conditions) -> Vec<Condition> {
    facts.iter().cloned().collect()
}

#[cfg(test)]
mod tests;
