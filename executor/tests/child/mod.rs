//! The same test again in a process of its own: for what belongs to a process, like its memory or its user.
#![allow(clippy::unwrap_used, dead_code)] // helpers of tests are tests; not every test needs all

use std::process::Command;

const NAME: &str = "HOLDFAST_TEST_CHILD";

/// Whether this process is the one that was started for the test with that name.
pub fn is_child_of(test: &str) -> bool {
    std::env::var(NAME).is_ok_and(|name| name == test)
}

/// Runs the test with that name again and returns what it printed; it must succeed.
pub fn again(test: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env(NAME, test);
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{test}: {:?}\n{said}\n{error}", output.status);
    said
}

/// The most memory that this process ever had, in MiB.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
