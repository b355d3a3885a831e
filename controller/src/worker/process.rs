//! Processes, told apart beyond the reuse of their numbers.

use std::io;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process: its number and when it started, in the kernel's clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// Start time; zero where the system does not tell it.
    pub start: u64,
}

impl Identity {
    /// This process.
    ///
    /// # Errors
    /// When its number is none, which no system does.
    pub fn own() -> io::Result<Self> {
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        Ok(Self { pid, start: stat(pid).map_or(0, |stat| stat.start) })
    }

    /// Whether this very process is running.
    #[must_use]
    pub fn is_running(self) -> bool {
        match stat(self.pid) {
            Some(stat) => !stat.ended && (self.start == 0 || stat.start == self.start),
            // Without /proc only the number is left to go by.
            None if !proc_exists() => Pid::from_raw(self.pid)
                .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()),
            None => false,
        }
    }

    /// Asks the process to end, or ends it.
    pub fn signal(self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may end between the two lines; then there is nothing left to do.
            let _ = kill_process(pid, signal);
        }
    }
}

struct Stat {
    ended: bool,
    start: u64,
}

fn proc_exists() -> bool {
    std::path::Path::new("/proc/self/stat").exists()
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields after the name, which stands in parentheses and may hold anything: state is the first of them,
/// the start time the twentieth.
fn parse(text: &str) -> Option<Stat> {
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X" | "x");
    Some(Stat { ended, start: fields.nth(18)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        let stat = parse(text).unwrap();
        assert_eq!((stat.ended, stat.start), (false, 4242));
        assert!(parse("7 (a) Z").is_none());
    }

    #[test]
    fn this_process_runs_and_one_of_another_start_does_not() {
        let own = Identity::own().unwrap();
        assert!(own.is_running());
        assert!(!Identity { start: own.start + 1, ..own }.is_running() || own.start == 0);
        assert!(!Identity { pid: i32::MAX, start: 1 }.is_running());
    }
}
