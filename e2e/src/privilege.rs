//! Whether this process may mount, stop and fill things.

use rustix::process::geteuid;

/// Whether a test that needs root can run; says aloud when it cannot.
///
/// # Panics
/// Where `CI` is set: there a test that does not run is a test that fails.
#[must_use]
pub fn is_root(test: &str) -> bool {
    let root = geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "{test} needs root, and this is CI");
    if !root {
        eprintln!("SKIPPED: {test} needs root: it mounts file systems");
    }
    root
}
