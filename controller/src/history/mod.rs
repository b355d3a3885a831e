//! Reading a log as its users ask: which sessions there were, what they are called, and what a policy
//! would make of their snapshots. Read-only: the log may belong to a running operator.

pub mod condition;
pub mod end;
pub mod fold;
pub mod in_force;
pub mod moment;
pub mod name;
pub mod object;
pub mod overview;
pub mod place;
pub mod policy;
pub mod simulation;
