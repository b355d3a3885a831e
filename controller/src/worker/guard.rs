//! A hook under a guard: a process of its own that knows all that the hook has started, and ends it when nobody waits
//! for it any more.
//!
//! A hook that freezes an application must not outlive the one that thaws it. So the operator holds the guard's standard
//! input: it closes it when it gives the hook up, and the system does when the operator is gone. Orphans among what the
//! hook started become the guard's children, whatever session or group they have moved to. A hook that ends by itself
//! leaves behind what it started, as a command in a shell does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

/// What a guard ends with that cannot start its command, as shells do.
pub const CANNOT_RUN: i32 = 127;

/// How long one look waits for what was ended to be gone.
const GONE: Duration = Duration::from_millis(2);

/// Nobody waits for the hook any more.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Runs a command and ends as it does; or with all that it started, once standard input ends.
///
/// # Errors
/// When there is no command, or this process can be no guard.
pub fn work(command: &[OsString]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("there is no command to run")?;
    set_child_subreaper(Some(getpid())).context("cannot take in orphans")?;
    let mut command = Command::new(program);
    // A group of its own: a script that ends its group at its own end must not end the guard with it.
    command.args(arguments).stdin(Stdio::null()).process_group(0);
    let started = command.spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.display());
            exit(CANNOT_RUN);
        }
    };
    std::thread::Builder::new().name("leash".into()).spawn(end_with_the_operator)?;
    end_like(child)
}

fn end_like(mut child: Child) -> ! {
    let ended = child.wait();
    // Whoever ends the rest ends this process as well.
    while GIVEN_UP.load(Ordering::SeqCst) {
        std::thread::park();
    }
    match ended {
        Ok(status) => end_as(status),
        Err(_) => exit(1),
    }
}

fn end_as(status: ExitStatus) -> ! {
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        // Does not return where the signal is one that ends a process.
        let _ = kill_process(getpid(), signal);
    }
    exit(status.code().unwrap_or(1))
}

/// Nothing comes from the operator, so a read returns when it is gone or has given the hook up.
fn end_with_the_operator() {
    let mut nothing = [0; 1];
    while !matches!(io::stdin().lock().read(&mut nothing), Ok(0) | Err(_)) {}
    GIVEN_UP.store(true, Ordering::SeqCst);
    // What is started meanwhile is found by the next look.
    loop {
        let left = descendants(getpid().as_raw_nonzero().get());
        if left.is_empty() {
            exit(1);
        }
        for pid in left.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        std::thread::sleep(GONE);
    }
}

/// What a process has started, and what that has, and so on; without what has ended.
fn descendants(of: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let stat = std::fs::read_to_string(entry.path().join("stat"));
        if let (Some(pid), Ok(stat)) = (pid, stat)
            && let Some(parent) = living_child_of(&stat)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&of).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// The parent that a line of `/proc/PID/stat` names; absent of one that has ended. The name before it may hold anything.
fn living_child_of(stat: &str) -> Option<i32> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whose_child_it_is_whatever_its_name() {
        assert_eq!(living_child_of("7 (sh) S 3 7 7 0"), Some(3));
        assert_eq!(living_child_of("7 (a) R 1 (b) S 4 7 7 0"), Some(4));
        assert_eq!(living_child_of("7 (sh) Z 3 7 7 0"), None);
        assert_eq!(living_child_of("7 (sh"), None);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(living_child_of(&own), Some(std::os::unix::process::parent_id().cast_signed()));
    }
}
