//! Keeps a whole log as this release writes it, for every later release to read:
//! write `eventlog/tests/logs/NAME/story.txt`, then
//! `cargo run --package holdfast-eventlog --example record_log NAME`.
//!
//! `tests/logs.rs` reads it from that day on. A log of a release is never recorded anew.
#![allow(clippy::unwrap_used, reason = "a tool that ends at the first surprise")]

#[path = "../../engine/tests/language/mod.rs"]
mod language;
#[path = "../tests/recorded/mod.rs"]
mod recorded;
#[path = "../../engine/tests/world/mod.rs"]
mod world;

fn main() {
    let name = std::env::args().nth(1).expect("the name of the log");
    recorded::record(&name);
    println!("kept in {}", recorded::root().join(name).display());
}
