//! Which snapshots of a repository stay, by rules given by hand.
//!
//! The rules are restic's, to the snapshot: whoever moves a script here must not find another set gone. So
//! they are not the engine's, which decides for RetentionPolicy objects and counts failed ones apart. One
//! thing differs, on purpose: a partial snapshot stands only for a bucket that has no complete one, and takes no
//! place from complete ones.

mod group;
mod plan;
mod rules;
mod span;
mod trust;

pub use group::GroupBy;
pub use plan::{Choice, Group, PlanError, plan};
pub use rules::{Count, Rules, Verdict, judge};
pub use span::Span;
pub use trust::Trust;
