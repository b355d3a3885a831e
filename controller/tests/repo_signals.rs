//! Somebody asks `holdfast repo` to stop: it stops in order, and what it leaves behind harms nobody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use shelf::{PASSWORD, Shelf};

/// A machine under load may take long, a broken program for ever.
const LIMIT: Duration = Duration::from_secs(60);

/// The signal has to find the program at work. One that was done before it came says nothing, and is given
/// twice as much to do.
const SIZES: [usize; 5] = [16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20];

fn start(shelf: &Shelf, args: &[&str], stdin: Stdio) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("holdfast"))
        .arg("repo")
        .args(args)
        .env("HOLDFAST_REPOSITORY", shelf.url())
        .env("HOLDFAST_PASSWORD", PASSWORD)
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the program is at work, sends the signal, and waits for the end.
fn stop(mut child: Child, signal: Signal, at_work: impl Fn() -> bool) -> ExitStatus {
    let begun = Instant::now();
    while !at_work() && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < LIMIT, "it did not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    if child.try_wait().unwrap().is_none() {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not stop");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn holds_something(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Content that takes its time: it does not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// A session that writes says so in the repository before anything else.
fn writes(shelf: &Shelf) -> impl Fn() -> bool {
    let intents = shelf.path("repository/intents");
    move || holds_something(&intents)
}

#[test]
fn a_backup_that_is_stopped_leaves_a_clean_repository_and_the_next_one_works() {
    for signal in [Signal::INT, Signal::TERM] {
        let shelf = Shelf::new();
        let stopped = SIZES.into_iter().any(|size| {
            shelf.file("large", noise(size));
            let child = start(&shelf, &["backup", &shelf.arg("source")], Stdio::null());
            let status = stop(child, signal, writes(&shelf));
            assert!(matches!(status.code(), Some(0 | 130)), "{status}");
            status.code() == Some(130)
        });
        assert!(stopped, "it was always done before the signal came");
        assert!(!writes(&shelf)(), "an intent stayed behind");
        shelf.ok(&["check", "--read-data"]);
        shelf.backup(&[]);
        shelf.ok(&["check", "--read-data"]);
        shelf.ok(&["restore", "latest", "--target", &shelf.arg("out")]);
        let restored = shelf.path("out").join(shelf.arg("source/large").trim_start_matches('/'));
        assert!(fs::read(restored).unwrap() == fs::read(shelf.path("source/large")).unwrap());
    }
}

#[test]
fn a_restore_that_is_stopped_is_completed_by_the_next_one() {
    let shelf = Shelf::new();
    for file in 0..64 {
        shelf.file(&format!("dir/{file:02}"), format!("content {file}"));
    }
    let stopped = SIZES.into_iter().any(|size| {
        shelf.file("large", noise(size));
        shelf.backup(&[]);
        let out = shelf.path("out");
        let _ = fs::remove_dir_all(&out);
        let args = ["restore", "latest", "--target", out.to_str().unwrap()];
        let status =
            stop(start(&shelf, &args, Stdio::null()), Signal::INT, || holds_something(&out));
        assert!(matches!(status.code(), Some(0 | 130)), "{status}");
        status.code() == Some(130)
    });
    assert!(stopped, "it was always done before the signal came");
    shelf.ok(&["check"]);
    shelf.ok(&["restore", "latest", "--target", &shelf.arg("out"), "--verify"]);
    let restored = shelf.path("out").join(shelf.arg("source").trim_start_matches('/'));
    let same = |name: &str| {
        fs::read(restored.join(name)).unwrap() == fs::read(shelf.path("source").join(name)).unwrap()
    };
    assert!(same("large") && (0..64).all(|file| same(&format!("dir/{file:02}"))));
}

#[test]
fn a_stream_can_be_stopped_while_it_flows_and_while_it_is_silent() {
    let shelf = Shelf::new();
    for flows in [true, false] {
        let mut child = start(&shelf, &["backup", "--stdin", "dump"], Stdio::piped());
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(b"the beginning").unwrap();
        let status = if flows {
            let writer = std::thread::spawn(move || {
                let piece = noise(1 << 20);
                // Until nobody reads any more.
                while pipe.write_all(&piece).is_ok() {}
            });
            let status = stop(child, Signal::INT, writes(&shelf));
            writer.join().unwrap();
            status
        } else {
            let status = stop(child, Signal::INT, writes(&shelf));
            drop(pipe);
            status
        };
        assert_eq!(status.code(), Some(130));
        assert!(!writes(&shelf)(), "an intent stayed behind");
        shelf.ok(&["check", "--read-data"]);
    }
    assert!(shelf.ids(&[]).is_empty());
}
