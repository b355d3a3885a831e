//! The log of a real run, read as of a thousand past instants: each time the statuses are those that were
//! computed while it ran.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use holdfast_engine::{Illegal, Recorded, State, Timestamp, apply, view};
use holdfast_eventlog::{Machine, Reader, Until};
use support::{World, said};

/// How many instants are looked at.
const INSTANTS: u64 = 1_000;

/// All statuses of a state, as text.
fn statuses(state: &State) -> String {
    let backups =
        state.backups.values().map(|one| format!("{:?}", view::backup::status(state, one)));
    let restores =
        state.restores.values().map(|one| format!("{:?}", view::restore::status(state, one)));
    let snapshots =
        state.snapshots.values().map(|one| format!("{:?}", view::snapshot::status(one)));
    let repositories = state
        .repositories
        .values()
        .map(|one| format!("{:?}", view::repository::status(state, one)));
    let configurations = state
        .configurations
        .values()
        .map(|one| format!("{:?}", view::configuration::status(state, one)));
    let all = backups.chain(restores).chain(snapshots).chain(repositories).chain(configurations);
    all.collect::<Vec<_>>().join("\n")
}

/// Computes the statuses after every event, as an operator does while it runs.
#[derive(Default)]
struct Live {
    state: State,
    known: Vec<(Timestamp, String)>,
}

impl Machine for Live {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        apply(&mut self.state, recorded)?;
        self.known.push((recorded.at, statuses(&self.state)));
        Ok(())
    }
}

#[test]
fn a_thousand_instants_read_back_as_they_were() {
    let world = World::with(&["storage", "workload", "backup", "restore"]);
    let output = world.once();
    assert!(output.status.success(), "{}", said(&output));
    let reader = Reader::open(&world.state.join("log"), None).unwrap();
    let mut live = Live::default();
    reader.replay(&mut live).unwrap();
    let (first, last) = (live.known.first().unwrap().0, live.known.last().unwrap().0);
    let span = u64::try_from(last.0 - first.0).unwrap() + 2;
    let mut differing = std::collections::BTreeSet::new();
    for n in 0..INSTANTS {
        // A fixed stride that meets every residue: as good as chance, and the same every time.
        let offset = i64::try_from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % span).unwrap();
        let at = Timestamp(first.0 - 1 + offset);
        let then = live.known.iter().rev().find(|(when, _)| *when <= at);
        let expected = then.map(|(_, text)| text.as_str()).unwrap_or_default();
        let found = statuses(&reader.state_at(Until::Time(at)).unwrap());
        assert_eq!(found, expected, "at {at:#}");
        differing.insert(found);
    }
    assert!(differing.len() > 10, "the instants should show the sessions on their way");
}
