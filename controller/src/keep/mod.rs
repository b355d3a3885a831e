//! Which snapshots of a repository stay, by rules given by hand.
//!
//! The rules are restic's, to the snapshot: whoever moves a script here must not find another set gone. So
//! they are not the engine's, which decides for RetentionPolicy objects and counts failed ones apart. One
//! thing differs, on purpose: a partial snapshot fills no place of a rule, so that it never pushes a
//! complete one out.

mod group;
mod plan;
mod rules;
mod span;

pub use group::GroupBy;
pub use plan::{Choice, Group, PlanError, plan};
pub use rules::{Count, Rules, Verdict, judge};
pub use span::Span;
