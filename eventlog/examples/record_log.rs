//! Keeps a whole log as this release writes it, for every later release to read:
//! `cargo run --package holdfast-eventlog --example record_log NAME`, where NAME is the release.
//!
//! It lies in `tests/logs/NAME/` then, and `tests/logs.rs` reads it from that day on.
#![allow(clippy::unwrap_used, reason = "a tool that ends at the first surprise")]

#[path = "../tests/recorded/mod.rs"]
mod recorded;

fn main() {
    let name = std::env::args().nth(1).expect("the name of the log, such as 1.2.0");
    recorded::record(&name);
    println!("kept in {}", recorded::root().join(name).display());
}
