//! Names Kubernetes things: the custom resources of KubeStash as Rust types.
//!
//! The types are for reading a spec and writing a status. Objects of users travel as JSON and are
//! never written back through these types, because a typed structure drops what it does not know.
//!
//! * [`kind`] names the kinds; [`core`], [`storage`] and [`addons`] hold one file for each of them.
//! * [`schema`] makes the structural schemas, [`crds`] the definitions that carry them.
//! * [`read`] goes from JSON to a type; [`aliases`] are the older spellings that it understands.
//! * [`validate`] and [`unknown_fields`] say what is wrong with a manifest, field by field;
//!   [`rules`] what is wrong with fields taken together.

#![allow(
    clippy::duplicated_attributes,
    reason = "printer columns are attributes of one name whose members repeat"
)]

pub mod addons;
pub mod aliases;
pub mod condition;
pub mod core;
pub mod crds;
pub mod driver;
pub mod kind;
pub mod labels;
pub mod offshoot;
pub mod parameter;
pub mod read;
pub mod references;
pub mod rules;
pub mod schema;
pub mod storage;
pub mod unknown;
pub mod validate;

pub use aliases::{AliasUsed, aliases};
pub use condition::Condition;
pub use crds::crds;
pub use kind::Kind;
pub use read::{ReadError, read};
pub use rules::rules;
pub use unknown::unknown_fields;
pub use validate::{FieldError, validate};
