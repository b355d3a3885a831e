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

/// Whether a test that makes calls fail can run; says aloud when it cannot.
///
/// # Panics
/// Where `CI` is set, as for [`is_root`].
#[must_use]
pub fn has_strace(test: &str) -> bool {
    let done =
        std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let is_here = done.is_ok_and(|status| status.success());
    assert!(is_here || std::env::var_os("CI").is_none(), "{test} needs strace, and this is CI");
    if !is_here {
        eprintln!("SKIPPED: {test} needs strace");
    }
    is_here
}
