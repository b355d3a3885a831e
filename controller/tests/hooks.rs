//! A hook under its guard: it ends as the command does, and with all that the command has started when nobody waits for
//! it any more.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::World;

fn guard(command: &[&str]) -> Command {
    let mut guard = Command::new(assert_cmd::cargo::cargo_bin!("holdfast"));
    guard.args(["work", "--guard", "--"]).args(command);
    guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    guard
}

/// What becomes of a command that somebody waits for.
fn waited_for(command: &[&str]) -> Output {
    let mut child = guard(command).spawn().unwrap();
    let leash = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(leash);
    output
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// A shell that starts a child in its group, one in a session of its own, and an orphan of that; and their pids.
fn family(dir: &Path) -> (Child, Vec<String>) {
    let script = format!(
        "cd {}; sleep 600 & echo $! > group
         setsid sh -c 'echo $$ > session; sh -c \"echo \\$\\$ > orphan; exec sleep 600\" & exec sleep 600' &
         wait",
        dir.display()
    );
    let child = guard(&["sh", "-c", &script]).spawn().unwrap();
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    let names = ["group", "session", "orphan"];
    until("all are there", || names.iter().all(|name| read(name).ends_with('\n')));
    let pids: Vec<String> = names.iter().map(|name| read(name).trim().to_owned()).collect();
    assert!(pids.iter().all(|pid| lives(pid)));
    (child, pids)
}

#[test]
fn it_ends_as_its_command_does() {
    let output = waited_for(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
    assert!(waited_for(&["true"]).status.success());
    assert_eq!(waited_for(&["sh", "-c", "kill -9 $$"]).status.signal(), Some(9));
    let own = waited_for(&["sh", "-c", "trap 'trap \"\" TERM; kill 0' EXIT; exit 4"]);
    assert_eq!(own.status.code(), Some(4), "it ends its own group only");
    let missing = waited_for(&["/no/such/program"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(missing.stderr.starts_with(b"cannot run /no/such/program: "));
}

#[test]
fn with_its_leash_ends_all_that_its_command_has_started() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, pids) = family(dir.path());
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
    assert!(pids.iter().all(|pid| !lives(pid)), "it is gone when the guard is");
}

#[test]
fn what_a_command_leaves_behind_stays_where_it_ends_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("setsid sleep 600 >/dev/null 2>&1 & echo $! > {}", file.display());
    assert!(waited_for(&["sh", "-c", &script]).status.success());
    let pid = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(lives(&pid));
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}

/// The same through the whole operator: it is killed while its hook works.
#[test]
fn a_hook_ends_with_an_operator_that_was_killed() {
    let world = World::with(&["storage", "workload", "backup"]);
    world.hooks("setsid sh -c \"echo \\$\\$ > held; exec sleep 600\" & wait");
    let mut operator = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let held = || fs::read_to_string(world.data(0).join("held")).unwrap_or_default();
    until("the hook works", || held().ends_with('\n'));
    let pid = held().trim().to_owned();
    assert!(lives(&pid));
    operator.kill().unwrap();
    operator.wait().unwrap();
    until("the hook is gone", || !lives(&pid));
}
