//! How a container ended, and how a test ends one.

use std::io;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What is left of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 137 for one that was killed.
    pub code: i64,
    /// The runtime's word: `Completed`, `Error`, `OOMKilled`.
    pub reason: String,
    /// All that it said.
    pub log: String,
}

impl Ended {
    /// Reads the state of a container; `None` while it has not ended.
    pub(super) fn of(state: &Value) -> Option<Self> {
        let ended = state.get("terminated")?;
        Some(Self {
            code: ended["exitCode"].as_i64()?,
            reason: ended["reason"].as_str().unwrap_or_default().to_owned(),
            log: String::new(),
        })
    }

    /// The last line of what it said, which is the report of a verb with `--json`.
    ///
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn report(&self) -> Value {
        let line = self.log.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", self.log))
    }
}

/// Sends SIGKILL to the product's process in a pod, past the runtime and the kubelet, which ask nicely first.
/// Says whether there was one.
///
/// # Errors
/// What the system answers.
pub fn kill(pod: &Value) -> io::Result<bool> {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    assert!(!uid.is_empty(), "no pod: {pod}");
    let mut found = false;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let text = |file: &str| String::from_utf8_lossy(&read(file)).into_owned();
        let own = text("cgroup").contains(uid) && text("cmdline").starts_with("/usr/bin/holdfast");
        if let (true, Some(pid)) = (own, Pid::from_raw(number)) {
            kill_process(pid, Signal::KILL)?;
            found = true;
        }
    }
    Ok(found)
}
