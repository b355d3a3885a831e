//! The rules, one a file.

mod arrows;
mod dependencies;
mod documents;
mod environment;
mod go;
mod honesty;
mod length;
mod lints;
mod names;
mod orphans;
mod places;
mod prose;
mod rings;
mod unused;
mod words;

use crate::finding::Finding;
use crate::tree::Tree;

/// A rule looks at the whole tree.
pub type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule that is enforced.
pub const ALL: &[Rule] = &[
    arrows::check,
    dependencies::check,
    documents::check,
    environment::check,
    go::check,
    honesty::check,
    length::check,
    lints::check,
    names::check,
    orphans::check,
    places::check,
    prose::check,
    rings::check,
    unused::check,
    words::check,
];
