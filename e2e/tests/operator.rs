//! An operator that is killed again and again ends where one ends that is left alone.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use holdfast_e2e::chance::Chance;
use holdfast_e2e::operator::{World, binary};
use holdfast_engine::run;
use holdfast_eventlog::Reader;

/// Kills in all.
const KILLS: usize = 20;
/// Worlds that may be needed for them: each start gets a little further, and some end before their kill.
const WORLDS: usize = 80;
/// How often it is asked whether an operator has ended.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Waits for its end, or kills it after `span`.
fn ended_within(child: &mut Child, span: Duration) -> ExitStatus {
    let began = Instant::now();
    while began.elapsed() < span {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        sleep(ASK_EVERY);
    }
    child.kill().unwrap();
    child.wait().unwrap()
}

/// Workers of each attempt at each component, as the log has them.
fn workers(log: &Path) -> BTreeMap<String, u32> {
    let reader = Reader::open(log, None).unwrap();
    let mut workers = BTreeMap::new();
    for recorded in reader.range(1, reader.head().seq).unwrap() {
        let attempt = match recorded.event.run() {
            Some(run::Event::WorkerObserved { uid, component, number, .. }) => {
                format!("{uid} {component} {number}")
            }
            _ => continue,
        };
        *workers.entry(attempt).or_insert(0) += 1;
    }
    workers
}

#[test]
fn twenty_kills_change_nothing_that_can_be_seen() {
    let program = binary(env!("CARGO")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let calm = World::new(&dir.path().join("calm")).unwrap();
    let began = Instant::now();
    assert!(calm.start(&program).unwrap().wait().unwrap().success());
    let whole = began.elapsed();
    let (statuses, restored) = (calm.statuses().unwrap(), calm.restored().unwrap());
    assert!(!statuses.is_empty() && !restored.is_empty());
    let attempts = workers(&calm.log()).len();

    let mut chance = Chance::new();
    let mut kills = 0;
    for number in 0..WORLDS {
        let world = World::new(&dir.path().join(format!("world {number}"))).unwrap();
        loop {
            let span = if kills < KILLS { chance.span_below(whole) } else { Duration::MAX };
            let status = ended_within(&mut world.start(&program).unwrap(), span);
            if status.signal().is_none() {
                let found = world.statuses().unwrap();
                let differ = found.iter().filter(|(name, text)| statuses.get(*name) != Some(text));
                let differ: Vec<_> =
                    differ.map(|(name, text)| format!("{name}:\n{text}")).collect();
                assert!(
                    status.success() && differ.is_empty(),
                    "world {number} after {kills} kills: {status}\n{}",
                    differ.join("\n")
                );
                break;
            }
            kills += 1;
        }
        assert_eq!(world.statuses().unwrap(), statuses, "world {number}");
        assert_eq!(world.restored().unwrap(), restored, "world {number}");
        let workers = workers(&world.log());
        assert!(workers.values().all(|count| *count == 1), "world {number}: {workers:?}");
        assert_eq!(workers.len(), attempts, "world {number}: {workers:?}");
        if kills >= KILLS {
            return;
        }
    }
    panic!("only {kills} kills in {WORLDS} worlds");
}
