//! Tidy: the fences that the compiler cannot hold.
//!
//! It reads the tracked files once, hands the whole tree to every rule, and prints what it found as
//! `path:line: rule: reason`. A rule is a pure function from the tree to findings, in a file of its
//! own under `rules/`, with tests that show it failing and passing.
//!
//! What is let through stands in `.ci/tidy/exceptions.txt` with a reason, and that list only shrinks.

#![forbid(unsafe_code)]

mod exceptions;
mod figures;
mod finding;
mod imports;
mod manifest;
mod modules;
mod rules;
mod source;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let tree = match tree::Tree::read(root.as_ref()) {
        Ok(tree) => tree,
        Err(cause) => {
            eprintln!("tidy: cannot read the tree at {root}: {cause}");
            return ExitCode::from(2);
        }
    };
    let found = rules::ALL.iter().flat_map(|rule| rule(&tree)).collect();
    let left = exceptions::apply(&tree, found);
    for finding in &left {
        println!("{finding}");
    }
    print!("{}", figures::report(&tree));
    match left.len() {
        0 => ExitCode::SUCCESS,
        count => {
            println!("tidy: {count} findings");
            ExitCode::FAILURE
        }
    }
}
