//! An operator that is killed while its workers work: they go on, and the next one takes their results.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{World, said, tree};

/// Waits until something is true; a machine under load may take long, a broken program for ever.
fn wait_for(what: &str, mut check: impl FnMut() -> bool) {
    const LIMIT: Duration = Duration::from_secs(60);
    let begun = Instant::now();
    while !check() {
        assert!(begun.elapsed() < LIMIT, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Data that keeps a worker busy for a moment: many files that do not compress alike.
fn fill(world: &World) {
    for n in 0..3 {
        for file in 0..400_u32 {
            let seed = [u8::try_from(n).unwrap(), file.to_le_bytes()[0], file.to_le_bytes()[1]];
            let content: Vec<u8> = (0..20_000_u32)
                .map(|i| {
                    (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] ^ seed[i as usize % 3]
                })
                .collect();
            fs::write(world.data(n).join(format!("file-{file}")), content).unwrap();
        }
    }
}

fn attempts(world: &World) -> usize {
    tree(&world.state.join("work")).keys().filter(|name| name.ends_with("worker.json")).count()
}

#[test]
fn workers_outlive_their_operator_and_are_not_started_twice() {
    let world = World::with(&["storage", "workload", "backup"]);
    fill(&world);
    let mut operator = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a worker", || attempts(&world) > 0);
    // SIGKILL: nothing is tidied up.
    operator.kill().unwrap();
    operator.wait().unwrap();

    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
    let session = world.only("backupsessions.core");
    assert_eq!(session["status"]["phase"], "Succeeded");
    let snapshot = world.only("snapshots.storage");
    let components = snapshot["status"]["components"].as_object().unwrap();
    assert_eq!(components.keys().collect::<Vec<_>>(), ["pod-0", "pod-1", "pod-2"]);
    // One commit a component: an attempt that was adopted was not made again.
    assert_eq!(tree(&world.storage().join("demo/data/holdfast/v1/meta/snapshots")).len(), 3);
    assert!(tree(&world.state.join("work")).is_empty(), "directories of attempts are gone");
}

/// Whether a process is there and has not ended.
fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z'));
    state.is_some_and(|is_ended| !is_ended)
}

#[test]
fn a_worker_that_was_killed_fails_its_session_and_says_so() {
    let world = World::with(&["storage", "workload", "backup"]);
    fill(&world);
    let mut operator = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a worker", || attempts(&world) > 0);
    operator.kill().unwrap();
    operator.wait().unwrap();
    let killed = tree(&world.state.join("work"))
        .into_iter()
        .filter(|(name, _)| name.ends_with("worker.json"))
        .map(|(_, text)| serde_json::from_slice::<serde_json::Value>(&text).unwrap())
        .filter(|there| {
            let number = i32::try_from(there["process"]["pid"].as_i64().unwrap()).unwrap();
            let pid = rustix::process::Pid::from_raw(number).unwrap();
            let is_killed = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            // What it was at in that moment may still be done before it is gone.
            wait_for("its end", || !runs(number));
            is_killed.is_ok()
        })
        .count();
    let finished =
        tree(&world.state.join("work")).keys().filter(|name| name.ends_with("result.json")).count();
    let output = world.once();
    let session = world.only("backupsessions.core");
    if killed > finished {
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(session["status"]["phase"], "Failed");
        assert!(said(&output).contains("without a report"), "{}", said(&output));
    }
    assert!(
        tree(&world.state.join("work")).keys().all(|name| !name.ends_with("job.json")),
        "no passphrase is left"
    );
}

#[test]
fn a_signal_ends_the_operator_in_order_and_a_second_one_cannot_start_beside_it() {
    let world = World::with(&["storage", "workload", "backup"]);
    let mut operator = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a session", || world.names("backupsessions.core").len() == 1);
    let second = world.once();
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("is held by process"), "{}", said(&second));
    let pid = rustix::process::Pid::from_raw(i32::try_from(operator.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(operator.wait().unwrap().code(), Some(130));
    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_running_operator_follows_its_files() {
    let world = World::with(&["storage", "workload", "backup"]);
    let mut operator = world.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let phase = |kind: &str, name: &str| {
        let there = world.names(kind).iter().any(|known| known == name);
        there.then(|| {
            world.object(kind, name)["status"]["phase"].as_str().unwrap_or_default().to_owned()
        })
    };
    wait_for("the first backup", || {
        let names = world.names("backupsessions.core");
        names
            .first()
            .is_some_and(|name| phase("backupsessions.core", name).as_deref() == Some("Succeeded"))
    });
    world.session("by-hand");
    wait_for("the declared backup", || {
        phase("backupsessions.core", "by-hand").as_deref() == Some("Succeeded")
    });
    fs::remove_file(world.manifest("backup")).unwrap();
    wait_for("the deletion", || world.names("backupconfigurations.core").is_empty());
    let pid = rustix::process::Pid::from_raw(i32::try_from(operator.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(operator.wait().unwrap().code(), Some(130));
}
